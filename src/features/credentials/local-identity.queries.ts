/** Whether somebody has a local account, as a condition in statements about users and addresses. */
import { type RawBuilder, sql } from 'kysely';
import { LOCAL_ISSUER, LOCAL_PROVIDER } from './local-identity.js';

/**
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
