/** Writing the domains of a provider: what another provider of the tenant has is TAKEN. Their shape is `kernel/domain-patterns.ts`. */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { UserError, userErrorEntry } from '../../kernel/errors.js';

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
