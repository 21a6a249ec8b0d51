/** Whose word is taken that a second factor was shown: the provider's or the partner's, as the operator has set it. */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import { domainOf } from '../../kernel/email-address.js';
import { openRouting } from '../partners/routing.queries.js';

export async function isTrustedInSecondFactor(
  db: Db,
  { tenantId, providerId, emailKey }: { tenantId: string; providerId: string; emailKey: string },
): Promise<boolean> {
  const { rows } = await sql`
    select from identity_provider
    where tenant_id = ${tenantId} and id = ${providerId} and trusts_second_factor`.execute(db);
  if (rows.length > 0) return true;
  const domain = domainOf(emailKey);
  const { partner } = (await openRouting(db, tenantId, [domain]))(domain);
  return partner?.trustsSecondFactor ?? false;
}
