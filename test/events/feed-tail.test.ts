/** The reader of one process, without HTTP: what it does when the doorbell is silent, and after a move to another cluster. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { MikroORM } from '@mikro-orm/postgresql';
import { Listener } from '../../src/database/listener.js';
import { migrate } from '../../src/database/migrate.js';
import { openOrm } from '../../src/database/orm.js';
import type { Db } from '../../src/database/transaction.js';
import { entities } from '../../src/entities.js';
import { comparePlaces, type FeedPlace } from '../../src/events/feed-place.js';
import { openFeedStream } from '../../src/events/feed-stream.js';
import { FeedTail } from '../../src/events/feed-tail.js';
import { silentLog } from '../../src/kernel/log.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { until } from '../support/until.js';

const tenantId = 'tnt_00000000000000000000000000';
let database: TestDatabase;
let orm: MikroORM;
let db: Db;
let tails: FeedTail[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  orm = await openOrm({ url: database.url, poolSize: 3, entities, log: silentLog });
  db = orm.em.getConnection().getClient() as Db;
});
afterEach(async () => {
  await Promise.all(tails.map((tail) => tail.stop()));
  tails = [];
  await orm.close();
  await database.drop();
});

const execute = <T>(statement: string): Promise<T[]> => orm.em.getConnection().execute<T[]>(statement);

/** @param xid of the transaction it claims to be from; default: the real one. */
async function writeEvent(xid = 'pg_current_xact_id()'): Promise<FeedPlace> {
  const [place] = await execute<FeedPlace>(
    `insert into event (xid, tenant_id, type, at, invitation_id, app_ids) values (${xid}, '${tenantId}', 'INVITED', now(), 'inv_x', '{}')
    returning epoch, xid, seq`,
  );
  return place as FeedPlace;
}

/** Nobody rings: its listener is not connected, so it looks once a second. */
async function startDeafTail(): Promise<FeedTail> {
  const tail = new FeedTail(db, new Listener(database.url, silentLog), silentLog);
  tails.push(tail);
  await tail.start();
  return tail;
}

describe('the tail of a process', () => {
  it('finds events without a doorbell, within about a second', async () => {
    const tail = await startDeafTail();
    const received: string[] = [];
    tail.join(tenantId, { receive: (event) => received.push(event.seq) });
    const { seq } = await writeEvent();
    await until(() => received.length > 0, 'the event', 3000);
    expect(received).toEqual([seq]);
  });

  it('does not hand out again what a cursor of a faster process already covers', async () => {
    const tail = await startDeafTail();
    const before = tail.position;
    await until(() => comparePlaces(tail.position, before) >= 0, 'the first look');
    await writeEvent();
    const covered = await writeEvent();
    expect(comparePlaces(covered, tail.position)).toBeGreaterThan(0);
    const stream = openFeedStream({ db, tail, tenantId, filter: null, after: covered });
    expect((await stream.next()).value).toMatchObject({ kind: 'checkpoint', place: covered });
    const later = await writeEvent();
    expect((await stream.next()).value).toMatchObject({ kind: 'event', event: { seq: later.seq } });
    await stream.return?.();
  });
});

describe('a database restored into another cluster', () => {
  it('keeps its events readable and puts them before all new ones', async () => {
    const restored = await writeEvent(`'99999999999'`);
    const tail = await startDeafTail();
    const received: FeedPlace[] = [];
    tail.join(tenantId, { receive: ({ epoch, xid, seq }) => received.push({ epoch, xid, seq }) });
    expect(comparePlaces(tail.position, restored)).toBeLessThan(0);

    await migrate({ orm, url: database.url, log: silentLog, afterwards: async () => undefined });
    const written = await writeEvent();
    expect(written.epoch).toBe(restored.epoch + 1);
    await until(() => received.length === 2, 'both events');
    expect(received).toEqual([restored, written]);
  });

  it('is told from an ordinary restart, which changes nothing', async () => {
    const { epoch } = await writeEvent();
    for (let start = 0; start < 2; start++)
      await migrate({ orm, url: database.url, log: silentLog, afterwards: async () => undefined });
    expect((await writeEvent()).epoch).toBe(epoch);
  });
});
