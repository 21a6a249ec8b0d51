/** By which provider a session came to be, for who wants to be signed out there, too. */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import { isIdOf } from '../../kernel/ids.js';
import type { ProviderMethod } from '../identity-providers/routing.rules.js';

/** As it signs in: the issuer is that of the identity. Null: it was not by a provider, or there is none any more. */
export async function providerOfIdentity(
  db: Db,
  tenantId: string,
  identityId: string | null,
): Promise<ProviderMethod | null> {
  if (identityId === null || !isIdOf('Identity', identityId)) return null;
  const { rows } = await sql<ProviderMethod>`
    select p.kind, p.id as "providerId", p.display_name as "displayName", i.issuer
    from identity i join identity_provider p on p.tenant_id = i.tenant_id and p.id = i.identity_provider_id
    where i.tenant_id = ${tenantId} and i.id = ${identityId} and p.enabled`.execute(db);
  return rows[0] ?? null;
}
