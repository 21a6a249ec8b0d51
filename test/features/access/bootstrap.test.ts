/** The first key is taken once, and never again. */
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import type { MikroORM } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { openOrm } from '../../../src/database/orm.js';
import type { Db } from '../../../src/database/transaction.js';
import { entities } from '../../../src/entities.js';
import { ensureBootstrapKey } from '../../../src/features/access/bootstrap.js';
import { permissions } from '../../../src/kernel/actor.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { silentLog } from '../../../src/kernel/log.js';
import { hashToken } from '../../../src/kernel/secrets.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';
import { makeTemporaryDataDir } from '../../support/temporary-data-dir.js';

const CONFIGURED = 'a key somebody has put into the environment';

let database: TestDatabase;
let orm: MikroORM;
let dataDir: string;

beforeAll(async () => {
  database = await createTestDatabase();
  orm = await openOrm({ url: database.url, poolSize: 2, entities, log: silentLog });
  dataDir = await makeTemporaryDataDir('vestibule-bootstrap-');
});
afterEach(() => sql`delete from api_key`.execute(orm.em.getConnection().getClient() as Db));
afterAll(async () => {
  await orm.close();
  await database.drop();
  await rm(dataDir, { recursive: true });
});

async function keys() {
  const { rows } = await sql<{ name: string; tenant_id: string | null; permissions: string[]; secret_hash: Buffer }>`
    select name, tenant_id, permissions, secret_hash from api_key`.execute(orm.em.getConnection().getClient() as Db);
  return rows;
}

it('takes the configured key, for all tenants and all permissions', async () => {
  expect(await ensureBootstrapKey({ orm, clock: systemClock }, CONFIGURED, dataDir)).toEqual({ path: null });
  expect(await keys()).toEqual([
    { name: 'bootstrap', tenant_id: null, permissions: [...permissions], secret_hash: hashToken(CONFIGURED) },
  ]);
});

it('makes one up without it, in a file that its owner alone can read', async () => {
  const { path } = await ensureBootstrapKey({ orm, clock: systemClock }, null, dataDir);
  expect(path).toBe(join(dataDir, 'bootstrap-api-key'));
  expect((await stat(path as string)).mode & 0o777).toBe(0o600);
  const secret = (await readFile(path as string, 'utf8')).trim();
  expect((await keys()).map((key) => key.secret_hash)).toEqual([hashToken(secret)]);
});

it('takes none when there ever was a key, revoked or not', async () => {
  await ensureBootstrapKey({ orm, clock: systemClock }, CONFIGURED, dataDir);
  await sql`update api_key set revoked_at = now()`.execute(orm.em.getConnection().getClient() as Db);
  expect(await ensureBootstrapKey({ orm, clock: systemClock }, 'another key somebody has configured', dataDir)).toEqual(
    { path: null },
  );
  expect((await keys()).map((key) => key.secret_hash)).toEqual([hashToken(CONFIGURED)]);
});
