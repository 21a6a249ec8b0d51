/** Writing the domains of a provider: what another provider of the tenant has is TAKEN. Their shape is `provider-domains.ts`. */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { UserError, userErrorEntry } from '../../kernel/errors.js';
import type { Validation } from '../../request/validation.js';
import { parseProviderDomains } from './provider-domains.js';

const MAX_DOMAINS = 500;

/** @returns patterns in normal form, one per domain as given, so that places in the list stay. */
export function checkDomains(valid: Validation, given: string[]): string[] {
  const domains = valid.list(given, MAX_DOMAINS, 'domains');
  const { errors } = parseProviderDomains(domains);
  for (const { code, field, message } of errors) valid.add(code, field ?? ['domains'], message);
  const patterns = domains.map((domain) => parseProviderDomains([domain]).patterns[0] ?? domain);
  for (const [index, pattern] of patterns.entries()) {
    if (patterns.indexOf(pattern) < index)
      valid.add('TAKEN', ['domains', String(index)], 'This domain is listed twice.');
  }
  return patterns;
}

/** @throws UserError TAKEN at each domain another provider of the tenant has. */
export async function replaceDomains(tx: Tx, providerId: string, patterns: string[]): Promise<void> {
  await sql`delete from identity_provider_domain where identity_provider_id = ${providerId}`.execute(tx.db);
  const { rows } = await sql<{ pattern: string }>`
    insert into identity_provider_domain (tenant_id, pattern, identity_provider_id, position)
    select ${tx.tenantId}, pattern, ${providerId}, position
    from unnest(${patterns}::text[]) with ordinality as given (pattern, position) order by pattern
    on conflict (tenant_id, pattern) do nothing returning pattern`.execute(tx.db);
  const stored = new Set(rows.map((row) => row.pattern));
  const taken = patterns.flatMap((pattern, index) => (stored.has(pattern) ? [] : [index]));
  if (taken.length > 0) throw new UserError(taken.map(takenAt));
}

function takenAt(index: number) {
  const message = 'Another identity provider of the tenant has this domain.';
  return userErrorEntry('TAKEN', { field: ['domains', String(index)], message });
}
