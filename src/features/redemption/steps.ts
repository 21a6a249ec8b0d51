/**
 * What every step of a redemption that writes has in common: the invitation is locked before anything else is written, so
 * that its facts stand in the feed in the order they happened and two browsers never both win; then everything is read
 * again, because it may have changed since the page was shown.
 */
import type { Tx } from '../../database/transaction.js';
import { type NewEvent, recordEvents } from '../../events/record-events.js';
import { stranger } from '../../kernel/actor.js';
import { refuse } from '../../kernel/errors.js';
import type { RequestContext } from '../../request/request-context.js';
import { lockInvitation } from '../invitations/invitations.service.js';
import { type Flow, type FlowKey, findFlow, loadOffer, type Offer } from './redemption.queries.js';
import { flowRefusal } from './redemption.states.js';

/** One step's ground: the transaction, the flow and the offer as they are under the lock. */
export interface Step {
  ctx: RequestContext;
  tx: Tx;
  now: Date;
  flow: Flow;
  offer: Offer;
}

/** @throws UserError INVITATION_NOT_FOUND: unknown, over, and another browser's are one and the same. */
export async function loadFlow(ctx: RequestContext, db: Tx['db'], key: FlowKey): Promise<Flow> {
  const flow = await findFlow(db, key, ctx.clock.now());
  if (flow) return flow;
  throw refuse('INVITATION_NOT_FOUND', { message: 'This attempt is over. Open the link in your invitation again.' });
}

export async function inStep<T>(ctx: RequestContext, key: FlowKey, work: (step: Step) => Promise<T>): Promise<T> {
  const { tenantId, invitationId } = await loadFlow(ctx, ctx.db, key);
  return ctx.transaction(tenantId, async (tx) => {
    await lockInvitation(ctx, tx, invitationId);
    const flow = await loadFlow(ctx, tx.db, key);
    return work({ ctx, tx, now: ctx.clock.now(), flow, offer: await loadOffer(tx.db, invitationId) });
  });
}

/** @throws UserError with what became of the invitation, or that a newer link exists. */
export function checkFlowOpen({ flow, offer, now }: Pick<Step, 'flow' | 'offer' | 'now'>): void {
  const refusal = flowRefusal(flow, offer, now);
  if (refusal) throw refuse(refusal);
}

export type GuestEvent = Omit<NewEvent, 'at' | 'actor' | 'invitationId'>;

/** Facts of a flow are the guest's doing, also when a script with a key of its own calls. */
export function tell(tx: Tx, invitationId: string, at: Date, ...events: GuestEvent[]): Promise<void> {
  return recordEvents(
    tx,
    events.map((event) => ({ ...event, at, actor: stranger, invitationId })),
  );
}
