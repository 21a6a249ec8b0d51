/** Whether somebody has a local account. */
import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import { LOCAL_ISSUER, LOCAL_PROVIDER } from './local-identity.js';

/**
 * As a condition in statements.
 * @param user alias of `external_user`.
 * @param addressed alias of what has the address in `email_key`.
 */
export function hasLocalIdentity(user: string, addressed: string): RawBuilder<boolean> {
  return sql<boolean>`exists (
    select from identity local
    where local.tenant_id = ${sql.ref(`${user}.tenant_id`)} and local.identity_provider_id = ${LOCAL_PROVIDER}
      and local.issuer = ${LOCAL_ISSUER} and local.subject = ${sql.ref(`${addressed}.email_key`)}
      and local.external_user_id = ${sql.ref(`${user}.id`)}
  )`;
}

export async function isLocalAccount(
  db: Db,
  { tenantId, emailKey }: { tenantId: string; emailKey: string },
): Promise<boolean> {
  const { rows } = await sql`
    select from identity
    where tenant_id = ${tenantId} and identity_provider_id = ${LOCAL_PROVIDER} and issuer = ${LOCAL_ISSUER}
      and subject = ${emailKey}`.execute(db);
  return rows.length > 0;
}
