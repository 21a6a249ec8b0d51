/** A process that dies keeps its jobs locked; the others notice its silence and free them. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { MikroORM } from '@mikro-orm/postgresql';
import { openOrm } from '../../src/database/orm.js';
import type { Db } from '../../src/database/transaction.js';
import { entities } from '../../src/entities.js';
import { Heartbeat } from '../../src/jobs/heartbeat.js';
import { HOUR } from '../../src/kernel/clock.js';
import { silentLog } from '../../src/kernel/log.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';

let database: TestDatabase;
let orm: MikroORM;
let heartbeat: Heartbeat;

beforeAll(async () => {
  database = await createTestDatabase();
  orm = await openOrm({ url: database.url, poolSize: 2, entities, log: silentLog });
});
afterEach(async () => {
  await heartbeat.stop();
  await orm.em.getConnection().execute('delete from gateway_process; delete from graphile_worker._private_jobs');
});
afterAll(async () => {
  await orm.close();
  await database.drop();
});

const execute = <T>(statement: string): Promise<T[]> => orm.em.getConnection().execute<T[]>(statement);

/** A process that holds a job and was last heard of so many seconds ago. */
async function processWithJob(worker: string, silentSeconds: number): Promise<void> {
  await execute(
    `insert into gateway_process values ('${worker}', '{${worker}}', now(), now() - interval '${silentSeconds} seconds')`,
  );
  await execute(`select graphile_worker.add_job('clean_up', job_key => '${worker}')`);
  await execute(
    `update graphile_worker._private_jobs set locked_by = '${worker}', locked_at = now() where key = '${worker}'`,
  );
}

async function beat(): Promise<void> {
  heartbeat = new Heartbeat(orm.em.getConnection().getClient() as Db, silentLog);
  await heartbeat.add('mine');
  await heartbeat.start();
}

const locked = async () =>
  (await execute<{ key: string }>('select key from graphile_worker.jobs where locked_by is not null order by 1')).map(
    ({ key }) => key,
  );
const processes = async () =>
  (await execute<{ workers: string[] }>('select worker_ids as workers from gateway_process order by 1')).flatMap(
    ({ workers }) => workers,
  );

describe('a process', () => {
  it('that fell silent loses its jobs to the others; one that lives keeps them', async () => {
    await processWithJob('dead', 60);
    await processWithJob('alive', 10);
    await beat();
    expect(await locked()).toEqual(['alive']);
    expect((await processes()).sort()).toEqual(['alive', 'mine']);
  });

  it('shows that it lives until it stops', async () => {
    await beat();
    expect(await processes()).toEqual(['mine']);
    await heartbeat.stop();
    expect(await processes()).toEqual([]);
  });

  it('that was silent itself does not judge the others before it has been heard again', async () => {
    const times = { beat: HOUR, silentFor: 400 };
    heartbeat = new Heartbeat(orm.em.getConnection().getClient() as Db, silentLog, times);
    await heartbeat.start();
    await processWithJob('other', 0);
    // Paused, or cut off from the database, as the other may have been too.
    await execute('select pg_sleep(0.5)');
    await heartbeat.add('first');
    expect(await locked()).toEqual(['other']);
    await heartbeat.add('second');
    expect(await locked()).toEqual([]);
  });

  it('that woke, took a job and died before it was heard again loses it all the same', async () => {
    await processWithJob('unheard', 60);
    await execute(`delete from gateway_process where id = 'unheard'`);
    await execute(`update graphile_worker._private_jobs set locked_at = now() - interval '60 seconds'`);
    await processWithJob('just taken', 0);
    await execute(`delete from gateway_process where id = 'just taken'`);
    await beat();
    expect(await locked()).toEqual(['just taken']);
  });

  it('that hands over frees its jobs at once', async () => {
    await beat();
    await processWithJob('elsewhere', 0);
    await execute(`update graphile_worker._private_jobs set locked_by = 'mine' where key = 'elsewhere'`);
    await heartbeat.handOver();
    expect(await locked()).toEqual([]);
    expect(await processes()).toEqual(['elsewhere']);
  });
});
