/**
 * What a guest agrees to, as a short text that changes when any of it does: who gets the data and on what terms. It is
 * shown, sent back with the answer and compared again in the accept.
 */
import { createHash } from 'node:crypto';
import { refuse } from '../../kernel/errors.js';
import type { Terms } from '../terms/terms.queries.js';

/** What a guest agrees to, and with whom. */
export interface Agreement {
  tenantName: string;
  privacyStatementUrl: string | null;
  /** Where the tenant keeps its terms elsewhere. */
  termsOfUseUrl: string | null;
  /** The terms published here, in the language in which they are shown; null: there are none to agree to. */
  terms: Terms | null;
}

export interface ConsentAnswer {
  consent: boolean;
  /** The version that was shown. */
  consentVersion: string;
}

export function consentVersionOf({ tenantName, privacyStatementUrl, termsOfUseUrl, terms }: Agreement): string {
  const shown = terms && [terms.version, terms.language, terms.hash];
  const agreement = JSON.stringify([tenantName, privacyStatementUrl, termsOfUseUrl, shown]);
  return createHash('sha256').update(agreement).digest('base64url').slice(0, 22);
}

/** @throws UserError CONSENT_REQUIRED when it was refused, or given to other terms than today's. */
export function checkConsent(agreement: Agreement, { consent, consentVersion }: ConsentAnswer): void {
  if (!consent) throw refuse('CONSENT_REQUIRED', { field: ['consent'] });
  if (consentVersion !== consentVersionOf(agreement)) throw refuse('CONSENT_REQUIRED', { field: ['consentVersion'] });
}
