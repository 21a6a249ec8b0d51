/**
 * What a guest agrees to, as a short text that changes when any of it does: who gets the data and on what terms. It is
 * shown, sent back with the answer and compared again in the accept.
 */
import { createHash } from 'node:crypto';
import { refuse } from '../../kernel/errors.js';

/** What a guest agrees to, and with whom. */
export interface ConsentTerms {
  tenantName: string;
  privacyStatementUrl: string | null;
  termsOfUseUrl: string | null;
}

export interface ConsentAnswer {
  consent: boolean;
  /** The version that was shown. */
  consentVersion: string;
}

export function consentVersionOf({ tenantName, privacyStatementUrl, termsOfUseUrl }: ConsentTerms): string {
  const terms = JSON.stringify([tenantName, privacyStatementUrl, termsOfUseUrl]);
  return createHash('sha256').update(terms).digest('base64url').slice(0, 22);
}

/** @throws UserError CONSENT_REQUIRED when it was refused, or given to other terms than today's. */
export function checkConsent(terms: ConsentTerms, { consent, consentVersion }: ConsentAnswer): void {
  if (!consent) throw refuse('CONSENT_REQUIRED', { field: ['consent'] });
  if (consentVersion !== consentVersionOf(terms)) throw refuse('CONSENT_REQUIRED', { field: ['consentVersion'] });
}
