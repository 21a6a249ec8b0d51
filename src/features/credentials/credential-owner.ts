/** Whose credentials are looked at or changed: one external user, with what the rules about credentials compare. */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';

export interface CredentialOwner {
  tenantId: string;
  externalUserId: string;
  email: string;
  emailKey: string;
  displayName: string | null;
  tenantName: string;
  tenantSlug: string;
}

/** Null: there is no such user in this tenant. */
export async function findOwner(db: Db, tenantId: string, externalUserId: string): Promise<CredentialOwner | null> {
  const { rows } = await sql<CredentialOwner>`
    select u.tenant_id as "tenantId", u.id as "externalUserId", u.email, u.email_key as "emailKey",
      u.display_name as "displayName", t.display_name as "tenantName", t.slug as "tenantSlug"
    from external_user u join tenant t on t.id = u.tenant_id
    where u.tenant_id = ${tenantId} and u.id = ${externalUserId}`.execute(db);
  return rows[0] ?? null;
}
