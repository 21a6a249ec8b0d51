/** How long a flow and a proof hold, pure. */
import { later, MINUTE } from '../../kernel/clock.js';
import type { RedemptionStatus } from './flow.entity.js';

export const FLOW_LIFETIME = 30 * MINUTE;
const PROOF_LIFETIME = 15 * MINUTE;

export interface ProofState {
  status: RedemptionStatus;
  provenAt: Date | null;
}

/** The proof ages: after 15 minutes it has to be given again. */
export function isProven(flow: ProofState, now: Date): boolean {
  return flow.status === 'PROVEN' && isProofFresh(flow, now);
}

/** Whatever was done with it: who declined has proven the address as well. */
export function isProofFresh({ provenAt }: Pick<ProofState, 'provenAt'>, now: Date): boolean {
  return provenAt !== null && provenAt > later(now, -PROOF_LIFETIME);
}
