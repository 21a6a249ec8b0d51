/** A list of domains in an input, checked with everything else in it. Their form is `kernel/domain-patterns.ts`. */
import { parseDomainPatterns } from '../kernel/domain-patterns.js';
import type { Validation } from './validation.js';

/** Of one provider or partner. */
const MAX_DOMAINS = 500;

/** @returns patterns in normal form, one per domain as given, so that places in the list stay. */
export function checkDomains(valid: Validation, given: string[], most = MAX_DOMAINS): string[] {
  const domains = valid.list(given, most, 'domains');
  const { errors } = parseDomainPatterns(domains);
  for (const { code, field, message } of errors) valid.add(code, field ?? ['domains'], message);
  const patterns = domains.map((domain) => parseDomainPatterns([domain]).patterns[0] ?? domain);
  const seen = new Set<string>();
  for (const [index, pattern] of patterns.entries()) {
    if (seen.has(pattern)) valid.add('TAKEN', ['domains', String(index)], 'This domain is listed twice.');
    seen.add(pattern);
  }
  return patterns;
}
