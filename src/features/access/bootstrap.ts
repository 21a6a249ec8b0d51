/**
 * The first API key, without which nobody could make another. Taken only while no key row ever existed: a revoked one
 * stays revoked. Runs under the migration lock, so that of several starting processes one does it.
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'kysely';
import { type Db, inTransaction } from '../../database/transaction.js';
import { permissions } from '../../kernel/actor.js';
import { randomToken } from '../../kernel/secrets.js';
import type { Ground } from '../../request/request-context.js';
import { newApiKeySecret, storeApiKey } from './store-api-key.js';

/**
 * @param configuredKey BOOTSTRAP_API_KEY, of 32 characters at least; null: one is made up and written to `dataDir`.
 * @returns where the made-up key was written; null when none was made up.
 */
export async function ensureBootstrapKey(
  ground: Pick<Ground, 'orm' | 'clock'>,
  configuredKey: string | null,
  dataDir: string,
): Promise<{ path: string | null }> {
  if (await hadKeys(ground)) return { path: null };
  const secret = configuredKey ?? newApiKeySecret();
  // First the file: a crash in between leaves no key that nobody knows, and the next start replaces it.
  const path = configuredKey === null ? await writeSecret(dataDir, secret) : null;
  const key = { tenantId: null, name: 'bootstrap', permissions, expiresAt: null };
  await inTransaction(ground.orm, null, (tx) => storeApiKey(tx, key, secret, ground.clock.now()));
  return { path };
}

async function hadKeys({ orm }: Pick<Ground, 'orm'>): Promise<boolean> {
  const { rows } = await sql`select from api_key limit 1`.execute(orm.em.getConnection().getClient() as Db);
  return rows.length > 0;
}

/** Readable by its owner only from the first byte on, and never half written. */
async function writeSecret(dataDir: string, secret: string): Promise<string> {
  const path = join(dataDir, 'bootstrap-api-key');
  const draft = `${path}.${process.pid}.${randomToken()}`;
  await mkdir(dataDir, { recursive: true, mode: 0o711 });
  await writeFile(draft, `${secret}\n`, { mode: 0o600, flag: 'wx', flush: true });
  await rename(draft, path);
  return path;
}
