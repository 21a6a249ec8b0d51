/** Who presents a key: remembered per process, forgotten at once when the doorbell rings. */
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { MikroORM } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { Listener } from '../../../src/database/listener.js';
import { openOrm } from '../../../src/database/orm.js';
import { type Db, inTransaction } from '../../../src/database/transaction.js';
import { entities } from '../../../src/entities.js';
import { ringAccessChanged } from '../../../src/features/access/access-channel.service.js';
import { Credentials } from '../../../src/features/access/credentials.service.js';
import { newApiKeySecret, storeApiKey } from '../../../src/features/access/store-api-key.js';
import { later, MINUTE, SECOND } from '../../../src/kernel/clock.js';
import { silentLog } from '../../../src/kernel/log.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';

const START = new Date('2026-03-01T12:00:00Z');
let now = START;

let database: TestDatabase;
let orm: MikroORM;
let db: Db;
let listener: Listener;
let credentials: Credentials;

beforeAll(async () => {
  database = await createTestDatabase();
  orm = await openOrm({ url: database.url, poolSize: 4, entities, log: silentLog });
  db = orm.em.getConnection().getClient() as Db;
  listener = new Listener(database.url, silentLog);
  credentials = new Credentials({ orm, clock: { now: () => now }, log: silentLog, listener });
  await listener.start();
});
beforeEach(() => {
  now = START;
});
afterAll(async () => {
  await credentials.stop();
  await listener.stop();
  await orm.close();
  await database.drop();
});

async function makeKey(secret = newApiKeySecret(), expiresAt: Date | null = null) {
  const key = { tenantId: null, name: 'script', permissions: ['TENANT_READ' as const], expiresAt };
  const id = await inTransaction(orm, null, (tx) => storeApiKey(tx, key, secret, now));
  return { id, bearer: `Bearer ${secret}` };
}

const revokeSilently = (id: string) => sql`update api_key set revoked_at = ${now} where id = ${id}`.execute(db);

async function ring(): Promise<void> {
  const signal = new EventTarget();
  const rung = once(signal, 'rung');
  const end = credentials.onChange(() => signal.dispatchEvent(new Event('rung')));
  await inTransaction(orm, null, ringAccessChanged);
  await rung;
  end();
}

it('knows a key by its secret, whatever the shape of it', async () => {
  const { id } = await makeKey('a configured key, with spaces and more');
  expect(await credentials.authenticate('bearer a configured key, with spaces and more')).toMatchObject({
    kind: 'API_KEY',
    id,
    displayName: 'script',
    tenantId: null,
  });
});

it.each([undefined, '', 'Bearer', 'Bearer ', 'Basic dTpw', 'Bearer vst_unknown'])(
  'knows nobody by %p',
  async (authorization) => {
    expect(await credentials.authenticate(authorization)).toBeNull();
  },
);

it('compares the expiry at every call, remembered or not', async () => {
  const { bearer } = await makeKey(undefined, later(START, 10 * SECOND));
  expect(await credentials.authenticate(bearer)).not.toBeNull();
  now = later(START, 10 * SECOND);
  expect(await credentials.authenticate(bearer)).toBeNull();
});

it('remembers until the doorbell rings, and then forgets at once', async () => {
  const { id, bearer } = await makeKey();
  const actor = await credentials.authenticate(bearer);
  if (!actor) throw new Error('the key is unknown');
  expect(await credentials.current(actor)).not.toBeNull();
  await revokeSilently(id);
  expect(await credentials.authenticate(bearer)).not.toBeNull();
  await ring();
  expect(await credentials.authenticate(bearer)).toBeNull();
  expect(await credentials.current(actor)).toBeNull();
});

it('forgets after half a minute by itself', async () => {
  const { id, bearer } = await makeKey();
  await credentials.authenticate(bearer);
  await revokeSilently(id);
  now = later(START, 30 * SECOND);
  expect(await credentials.authenticate(bearer)).toBeNull();
});

it('notes the use of a key at most once a minute', async () => {
  const { id, bearer } = await makeKey();
  const lastUsed = async () => {
    await credentials.stop();
    const { rows } = await sql<{ at: Date | null }>`select last_used_at as at from api_key where id = ${id}`.execute(
      db,
    );
    return rows[0]?.at;
  };
  expect(await lastUsed()).toBeNull();
  await credentials.authenticate(bearer);
  expect(await lastUsed()).toEqual(START);
  now = later(START, MINUTE - SECOND);
  await credentials.authenticate(bearer);
  expect(await lastUsed()).toEqual(START);
  now = later(START, MINUTE);
  await credentials.authenticate(bearer);
  expect(await lastUsed()).toEqual(now);
});
