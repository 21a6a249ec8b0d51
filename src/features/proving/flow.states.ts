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
  return flow.status === 'PROVEN' && flow.provenAt !== null && flow.provenAt > later(now, -PROOF_LIFETIME);
}
