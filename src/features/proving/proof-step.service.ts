/**
 * What every step of a proof that writes stands on: the transaction, and the flow as it is under the lock of its purpose.
 * What happens in a flow of an invitation is told in the feed; other flows have nobody to tell.
 */
import type { Tx } from '../../database/transaction.js';
import { type NewEvent, recordEvents } from '../../events/record-events.js';
import { stranger } from '../../kernel/actor.js';
import type { RequestContext } from '../../request/request-context.js';
import type { ProvingFlow } from './flows.queries.js';

export interface ProofStep {
  ctx: RequestContext;
  tx: Tx;
  now: Date;
  flow: ProvingFlow;
  /** The address under proof. */
  emailKey: string;
  guesses: GuessLimit;
}

/** Wrong codes over all flows of one thing: guessing cannot go on by starting new flows. */
export interface GuessLimit {
  /** `<invitation>/<link version>`, or the address's key. */
  countedFor: string;
  /** Milliseconds after which the count begins anew. */
  window: number;
}

export type GuestEvent = Omit<NewEvent, 'at' | 'actor' | 'invitationId'>;

/** Facts of a flow are the guest's doing, also when a script with a key of its own calls. */
export function tell(tx: Tx, invitationId: string, at: Date, ...events: GuestEvent[]): Promise<void> {
  return recordEvents(tx, asTheGuest(invitationId, at, events));
}

export async function tellOf({ tx, now, flow }: ProofStep, ...events: GuestEvent[]): Promise<void> {
  if (flow.invitationId !== null) await tell(tx, flow.invitationId, now, ...events);
}

export function asTheGuest(invitationId: string, at: Date, events: readonly GuestEvent[]): NewEvent[] {
  return events.map((event) => ({ ...event, at, actor: stranger, invitationId }));
}
