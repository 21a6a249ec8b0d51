/**
 * What every step of a redemption that writes has in common: the invitation is locked before anything else is written, so
 * that its facts stand in the feed in the order they happened and two browsers never both win; then everything is read
 * again, because it may have changed since the page was shown.
 */
import type { Tx } from '../../database/transaction.js';
import type { NewEvent } from '../../events/record-events.js';
import { DAY } from '../../kernel/clock.js';
import { refuse, type UserError } from '../../kernel/errors.js';
import type { RequestContext } from '../../request/request-context.js';
import { lockInvitations } from '../invitations/invitations.service.js';
import type { FlowKey } from '../proving/flows.queries.js';
import type { Method } from '../proving/methods.rules.js';
import { asTheGuest, type GuestEvent, type ProofStep } from '../proving/proof-step.service.js';
import { type Flow, findFlow, findFlows, loadOffers, type Offer } from './redemption.queries.js';
import { flowRefusal } from './redemption.states.js';

/** One step's ground: the transaction, the flow and the offer as they are under the lock. */
export interface Step extends ProofStep {
  flow: Flow;
  offer: Offer;
}

/** A resend begins a new count. */
const GUESSES_WINDOW = DAY;

export interface FlowView {
  flow: Flow;
  offer: Offer;
  methods: Method[];
  /** Proven, and recently enough to accept. */
  isProven: boolean;
}

/** @throws UserError INVITATION_NOT_FOUND: unknown, over, and another browser's are one and the same. */
export async function loadFlow(ctx: RequestContext, key: FlowKey): Promise<Flow> {
  const flow = await findFlow(ctx.db, key, ctx.clock.now());
  if (!flow) throw flowIsOver();
  return flow;
}

export function flowIsOver(): UserError {
  return refuse('INVITATION_NOT_FOUND', { message: 'This attempt is over. Open the link in your invitation again.' });
}

export async function inStep<T>(ctx: RequestContext, key: FlowKey, work: (step: Step) => Promise<T>): Promise<T> {
  const flow = await loadFlow(ctx, key);
  return ctx.transaction(flow.tenantId, async (tx) => {
    const step = (await openSteps(ctx, tx, [{ key, flow }])).get(flow.id);
    if (!step) throw flowIsOver();
    return work(step);
  });
}

/** A flow that was found by its key. */
export interface HeldFlow {
  key: FlowKey;
  flow: Pick<Flow, 'id' | 'invitationId'>;
}

/** Locks the invitations of these flows, then reads. By flow; what is over by now is missing. */
export async function openSteps(ctx: RequestContext, tx: Tx, held: readonly HeldFlow[]): Promise<Map<string, Step>> {
  const invitationIds = held.map(({ flow }) => flow.invitationId);
  await lockInvitations(tx, invitationIds);
  const now = ctx.clock.now();
  const keys = held.map(({ key }) => key);
  const flows = await findFlows(tx.db, keys, now);
  const offers = await loadOffers(tx.db, invitationIds);
  const steps = new Map<string, Step>();
  for (const flow of flows) {
    const offer = flow && offers.get(flow.invitationId);
    if (offer) steps.set(flow.id, { ctx, tx, now, flow, offer, emailKey: offer.emailKey, guesses: guessesOf(flow) });
  }
  return steps;
}

function guessesOf({ invitationId, linkVersion }: Flow): Step['guesses'] {
  return { countedFor: `${invitationId}/${linkVersion}`, window: GUESSES_WINDOW };
}

/** @throws UserError with what became of the invitation, or that a newer link exists. */
export function checkFlowOpen({ flow, offer, now }: Pick<Step, 'flow' | 'offer' | 'now'>): void {
  const refusal = flowRefusal(flow, offer, now);
  if (refusal) throw refuse(refusal);
}

export function guestEvents({ flow, now }: Step, events: readonly GuestEvent[]): NewEvent[] {
  return asTheGuest(flow.invitationId, now, events);
}
