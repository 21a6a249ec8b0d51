/**
 * What may happen to a link and to a flow at a moment, pure. The order of the answers is the order in which a guest is
 * helped: an older link first (a newer mail is in the inbox), then what became of the invitation.
 *
 *   STARTED --proof--> PROVEN --accept--> REDEEMED
 *      '------decline-----'-------------> DECLINED        the proof ages: after 15 minutes it has to be given again
 */
import { MINUTE } from '../../kernel/clock.js';
import type { UserErrorCode } from '../../kernel/errors.js';
import { isSecondFactorDue, type SecondFactorDemand } from '../credentials/second-factor.rules.js';
import { type InvitationState, mayTransition, refusalByStatus, statusAt } from '../invitations/invitation.states.js';
import type { ProofState } from '../proving/flow.states.js';
import { nextStep, type StepRule } from '../proving/flow-steps.rules.js';

/** A link opened again in the same browser goes on with the flow it has, while enough of that flow's time is left. */
export const FLOW_REUSE = 15 * MINUTE;

export interface OfferState extends InvitationState {
  linkVersion: number;
  declineProven: boolean;
  /** The tenant takes nobody of this domain, by now; null: it does. */
  domainRefusal: UserErrorCode | null;
}

export interface FlowState extends ProofState {
  linkVersion: number;
}

/** Why this link starts nothing now; null: it may. */
export function linkRefusal(offer: OfferState, linkVersion: number, now: Date): UserErrorCode | null {
  if (linkVersion !== offer.linkVersion) return 'SUPERSEDED';
  if (mayUndoDecline(offer, now)) return offer.domainRefusal;
  const status = statusAt(offer, now);
  return status === 'PENDING' ? offer.domainRefusal : refusalByStatus[status];
}

/** A decline that was never proven may be a scanner's; the same link takes it back until it expires. */
export function mayUndoDecline(offer: OfferState, now: Date): boolean {
  return mayTransition('undoDecline', offer, now) && !offer.declineProven && offer.expiresAt > now;
}

/** Why nothing more can be done in this flow; null: it is open. */
export function flowRefusal(flow: FlowState, offer: OfferState, now: Date): UserErrorCode | null {
  if (flow.linkVersion !== offer.linkVersion) return 'SUPERSEDED';
  const status = statusAt(offer, now);
  if (status !== 'PENDING') return refusalByStatus[status];
  return flow.status === 'DECLINED' ? 'DECLINED' : offer.domainRefusal;
}

/**
 * What is shown until the invitation is accepted; `consent` is the last, and its click accepts. A further step is a name and
 * a line here, a page in `web/guest-pages.ts`, and a check in `accept.ts`.
 */
export type RedemptionStep = 'prove' | 'secondFactor' | 'consent';

export interface StepState {
  isProven: boolean;
  flow: { secondFactorAt: Date | null };
  offer: SecondFactorDemand;
}

const redemptionSteps: readonly StepRule<RedemptionStep, StepState>[] = [
  { name: 'prove', isDue: ({ isProven }) => !isProven },
  { name: 'secondFactor', isDue: ({ flow, offer }) => isSecondFactorDue(flow, offer) },
];

export function nextRedemptionStep(view: StepState): RedemptionStep {
  return nextStep(redemptionSteps, view) ?? 'consent';
}
