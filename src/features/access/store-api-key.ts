/** How a key is stored, whoever makes it: the prefix to recognise it by and the hash of the secret, never the secret. */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import type { Permission } from '../../kernel/actor.js';
import { newId } from '../../kernel/ids.js';
import { hashToken, randomToken } from '../../kernel/secrets.js';

export interface NewApiKey {
  /** Null: all tenants. */
  tenantId: string | null;
  name: string;
  permissions: readonly Permission[];
  expiresAt: Date | null;
}

/** Tells scanners of leaked secrets whose key it is. */
const SECRET_PREFIX = 'vst_';
/** Characters shown, of which 8 are random. */
const PREFIX_LENGTH = 12;

export function newApiKeySecret(): string {
  return SECRET_PREFIX + randomToken();
}

export async function storeApiKey(tx: Tx, key: NewApiKey, secret: string, createdAt: Date): Promise<string> {
  const id = newId('ApiKey');
  // By `sql`, which binds its parameters: MikroORM writes values into the statement, and so into the server's log.
  await sql`
    insert into api_key (id, tenant_id, name, prefix, secret_hash, permissions, created_at, expires_at)
    values (${id}, ${key.tenantId}, ${key.name}, ${secret.slice(0, PREFIX_LENGTH)}, ${hashToken(secret)},
      ${key.permissions}, ${createdAt}, ${key.expiresAt})`.execute(tx.db);
  return id;
}
