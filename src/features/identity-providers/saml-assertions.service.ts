/** The replay cache of SAML (SAML 2.0 profiles section 4.1.4.5), in the database, because answers reach any process. */
import { sql } from 'kysely';
import type { Db, Tx } from '../../database/transaction.js';
import { DAY, later } from '../../kernel/clock.js';
import { hashToken } from '../../kernel/secrets.js';

/** @returns whether it is the first time; of several at once it is for one. */
export async function spendAssertion(tx: Tx, providerId: string, assertionId: string, now: Date): Promise<boolean> {
  const { numAffectedRows } = await sql`
    insert into spent_saml_assertion (identity_provider_id, assertion_hash, tenant_id, spent_at)
    values (${providerId}, ${hashToken(assertionId)}, ${tx.tenantId}, ${now})
    on conflict do nothing`.execute(tx.db);
  return numAffectedRows === 1n;
}

/** An assertion answers one request, and a request waits no longer than its flow: half an hour. */
export async function forgetSpentAssertions(db: Db, now: Date): Promise<void> {
  await sql`delete from spent_saml_assertion where spent_at < ${later(now, -DAY)}`.execute(db);
}
