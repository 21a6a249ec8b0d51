/** Passkeys as plain rows, with their public keys: for whoever verifies. */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';

export interface KnownPasskey {
  id: string;
  externalUserId: string;
  credentialId: string;
  publicKey: Buffer;
  /** bigint */
  counter: string;
  transports: string[];
}

/** As authenticators name them; of a user of this tenant. */
export async function passkeysOf(
  db: Db,
  tenantId: string,
  externalUserId: string,
): Promise<{ id: string; transports: string[] }[]> {
  const { rows } = await sql<{ id: string; transports: string[] }>`
    select credential_id as id, transports from passkey
    where external_user_id = ${externalUserId} and tenant_id = ${tenantId} order by created_at, id`.execute(db);
  return rows;
}

/** Null: nobody's in this tenant, or of a user who is blocked. */
export async function findPasskey(db: Db, tenantId: string, credentialId: string): Promise<KnownPasskey | null> {
  const { rows } = await sql<KnownPasskey>`
    select k.id, k.external_user_id as "externalUserId", k.credential_id as "credentialId", k.public_key as "publicKey",
      k.counter, k.transports
    from passkey k join external_user u on u.id = k.external_user_id and u.account_enabled
    where k.tenant_id = ${tenantId} and k.credential_id = ${credentialId}`.execute(db);
  return rows[0] ?? null;
}
