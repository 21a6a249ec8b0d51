/**
 * When a flow asks for a second factor, pure. The tenant may require one of every guest; who has set up an authenticator app
 * is asked for it in any case, because that is what they set it up for. One that was shown in the flow, here or at a
 * provider trusted for it, is enough.
 */
import type { SecondFactors } from './second-factors.queries.js';

export interface SecondFactorDemand {
  /** By the tenant. */
  secondFactorRequired: boolean;
  hasTotp: boolean;
}

export function isSecondFactorDue(
  { secondFactorAt }: { secondFactorAt: Date | null },
  { secondFactorRequired, hasTotp }: SecondFactorDemand,
): boolean {
  return secondFactorAt === null && (secondFactorRequired || hasTotp);
}

/** Whose second factor a flow is about, and what it asks of them. */
export interface FactorsOfFlow extends SecondFactors, SecondFactorDemand {
  externalUserId: string;
}

/** RFC 8176; a recovery code has no name there. A passkey is possession of a key and the person's presence. */
export const amrOfFactor = { otp: ['otp', 'mfa'], recovery: ['mfa'], passkey: ['pop', 'user', 'mfa'] };

export type ShownFactor = keyof typeof amrOfFactor;
