/** Connections that die in the hands of somebody leave no hole in the pool, however often that happens. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { MikroORM } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import pg from 'pg';
import { openOrm } from '../../src/database/orm.js';
import { inTransaction } from '../../src/database/transaction.js';
import { entities } from '../../src/entities.js';
import { silentLog } from '../../src/kernel/log.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';

const POOL_SIZE = 2;

let database: TestDatabase;
let orm: MikroORM;
let killer: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  orm = await openOrm({ url: database.url, poolSize: POOL_SIZE, entities, log: silentLog });
  killer = new pg.Client({ connectionString: database.url });
  await killer.connect();
});
afterAll(async () => {
  await killer.end();
  await orm.close();
  await database.drop();
});

const processId = sql<{ pid: number }>`select pg_backend_pid() as pid`;
const kill = (pid: number | undefined) => killer.query('select pg_terminate_backend($1)', [pid]);

test('transactions whose connection is killed fail, and their places in the pool are free again', async () => {
  for (let time = 0; time < 2 * POOL_SIZE; time++) {
    const dying = inTransaction(orm, null, async ({ db }) => {
      const { rows } = await processId.execute(db);
      await kill(rows[0]?.pid);
      return processId.execute(db);
    });
    await expect(dying).rejects.toThrow();
  }
  const { rows } = await inTransaction(orm, null, ({ db }) => processId.execute(db));
  expect(rows).toHaveLength(1);
});

test('a transaction that waits while its connection is killed fails, and does not end the process', async () => {
  for (let time = 0; time < 2 * POOL_SIZE; time++) {
    const dying = inTransaction(orm, null, async ({ db }) => {
      const { rows } = await processId.execute(db);
      await kill(rows[0]?.pid);
      // Until the end of the connection has been seen, with no statement under way.
      await killer.query('select pg_sleep(0.1)');
      return processId.execute(db);
    });
    await expect(dying).rejects.toThrow();
  }
  expect((await inTransaction(orm, null, ({ db }) => processId.execute(db))).rows).toHaveLength(1);
});
