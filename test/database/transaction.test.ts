/** The one way to write: a refused change is not stored, whatever was loaded before, and work that lost a race is repeated. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { MikroORM } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { Listener } from '../../src/database/listener.js';
import { openOrm } from '../../src/database/orm.js';
import { Tables } from '../../src/database/table.js';
import { type Db, inTransaction, type Tx } from '../../src/database/transaction.js';
import { entities } from '../../src/entities.js';
import { FeedTail } from '../../src/events/feed-tail.js';
import { Tenant } from '../../src/features/tenants/tenant.entity.js';
import { systemActor } from '../../src/kernel/actor.js';
import { systemClock } from '../../src/kernel/clock.js';
import { refuse } from '../../src/kernel/errors.js';
import { newId } from '../../src/kernel/ids.js';
import { silentLog } from '../../src/kernel/log.js';
import { Secrets } from '../../src/kernel/secrets.js';
import { rowById } from '../../src/request/lookup.js';
import { RequestContext } from '../../src/request/request-context.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';

let database: TestDatabase;
let orm: MikroORM;
let db: Db;
let ctx: RequestContext;
let id: string;

beforeAll(async () => {
  database = await createTestDatabase();
  orm = await openOrm({ url: database.url, poolSize: 4, entities, log: silentLog });
  db = orm.em.getConnection().getClient() as Db;
});
afterAll(async () => {
  await orm.close();
  await database.drop();
});

beforeEach(async () => {
  const listener = new Listener(database.url, silentLog);
  const ground = {
    orm,
    tables: new Tables(orm),
    secrets: new Secrets(['a secret of at least 32 characters']),
    clock: systemClock,
    log: silentLog,
    feed: new FeedTail(db, listener, silentLog),
    listener,
  };
  ctx = new RequestContext(ground, systemActor('test'));
  id = newId('Tenant');
  await sql`insert into tenant (id, slug, display_name, default_language, own_domains, accent_color, created_at)
    values (${id}, ${id}, 'Contoso', 'en', '{}', '#000000', now())`.execute(db);
});

const storedName = async () =>
  (await sql<{ name: string }>`select display_name as name from tenant where id = ${id}`.execute(db)).rows[0]?.name;
const rename = async (tx: Tx, displayName: string) =>
  Object.assign(await tx.em.findOneOrFail(Tenant, { id }), { displayName });

describe('a refused change', () => {
  it('is not stored', async () => {
    const refused = ctx.transaction(null, async (tx) => {
      await rename(tx, 'Refused');
      throw refuse('CONFLICT');
    });
    await expect(refused).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await storedName()).toBe('Contoso');
  });

  it('is not stored by the next change either, of the same request or of another', async () => {
    await rowById(ctx, Tenant, id);
    const refused = ctx.transaction(null, async (tx) => {
      await rename(tx, 'Refused');
      throw refuse('CONFLICT');
    });
    await expect(refused).rejects.toMatchObject({ code: 'CONFLICT' });
    await ctx.transaction(null, async (tx) =>
      Object.assign(await tx.em.findOneOrFail(Tenant, { id }), { accentColor: '#ffffff' }),
    );
    expect(await storedName()).toBe('Contoso');
  });

  it('takes its statements and jobs with it', async () => {
    const refused = ctx.transaction(null, async (tx) => {
      await sql`update tenant set display_name = 'Refused' where id = ${id}`.execute(tx.db);
      await sql`select graphile_worker.add_job('clean_up')`.execute(tx.db);
      throw refuse('CONFLICT');
    });
    await expect(refused).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await storedName()).toBe('Contoso');
    const { rows } = await sql`select from graphile_worker.jobs`.execute(db);
    expect(rows).toEqual([]);
  });
});

describe('a change', () => {
  it('is stored without anybody flushing, and read by the same request afterwards', async () => {
    expect((await rowById(ctx, Tenant, id))?.displayName).toBe('Contoso');
    await ctx.transaction(null, (tx) => rename(tx, 'Contoso Ltd'));
    expect((await rowById(ctx, Tenant, id))?.displayName).toBe('Contoso Ltd');
  });

  it.each(['40001', '40P01'])('is made again after SQLSTATE %s, which somebody else caused', async (state) => {
    let attempts = 0;
    await inTransaction(orm, null, async (tx) => {
      attempts += 1;
      await rename(tx, `Attempt ${attempts}`);
      await tx.em.flush();
      if (attempts < 3)
        await sql.raw(`do $$ begin raise exception 'lost' using errcode = '${state}'; end $$`).execute(tx.db);
    });
    expect(await storedName()).toBe('Attempt 3');
  });

  it('is given up after four attempts, and at once after any other error', async () => {
    const attemptsUntil = async (state: string) => {
      let attempts = 0;
      const work = inTransaction(orm, null, async (tx) => {
        attempts += 1;
        await sql.raw(`do $$ begin raise exception 'lost' using errcode = '${state}'; end $$`).execute(tx.db);
      });
      await expect(work).rejects.toMatchObject({ code: state });
      return attempts;
    };
    expect(await attemptsUntil('40001')).toBe(4);
    expect(await attemptsUntil('23505')).toBe(1);
  });

  it('gets through a real deadlock: both of two that lock in opposite order are made', async () => {
    const other = newId('Tenant');
    await sql`insert into tenant select (jsonb_populate_record(t, jsonb_build_object('id', ${other}::text, 'slug', ${other}::text))).* from tenant t where id = ${id}`.execute(
      db,
    );
    let bothHoldOne: () => void = () => undefined;
    const meeting = new Promise<void>((resolve) => {
      bothHoldOne = resolve;
    });
    let holding = 0;
    const lockBoth = (first: string, then: string) =>
      inTransaction(orm, null, async (tx) => {
        await sql`update tenant set own_domains = array_append(own_domains, 'x') where id = ${first}`.execute(tx.db);
        holding += 1;
        if (holding >= 2) bothHoldOne();
        await meeting;
        await sql`update tenant set own_domains = array_append(own_domains, 'x') where id = ${then}`.execute(tx.db);
      });
    await Promise.all([lockBoth(id, other), lockBoth(other, id)]);
    const { rows } = await sql<{
      n: number;
    }>`select cardinality(own_domains) as n from tenant where id in (${id}, ${other})`.execute(db);
    expect(rows).toEqual([{ n: 2 }, { n: 2 }]);
    expect(holding).toBe(3);
  });
});

describe('what belongs to one tenant', () => {
  it('is not loaded by a transaction of another one, nor by one that was told none', async () => {
    const { Group } = await import('../../src/features/groups/group.entity.js');
    const groupId = newId('Group');
    await sql`insert into user_group (id, tenant_id, display_name, name_key, created_at) values (${groupId}, ${id}, 'Buyers', 'buyers', now())`.execute(
      db,
    );
    const load = (tenantId: string | null) => ctx.transaction(tenantId, (tx) => tx.em.findOne(Group, { id: groupId }));
    expect((await load(id))?.id).toBe(groupId);
    expect(await load(newId('Tenant'))).toBeNull();
    expect(await load(null)).toBeNull();
    await expect(orm.em.fork().findOne(Group, { id: groupId })).rejects.toThrow('tenant');
  });
});

describe('sources of the features', () => {
  it('neither flush nor write past their transaction', async () => {
    const root = join(import.meta.dirname, '../../src/features');
    const files = (await readdir(root, { recursive: true })).filter((file) => file.endsWith('.ts'));
    expect(files.length).toBeGreaterThan(50);
    for (const file of files) {
      const text = await readFile(join(root, file), 'utf8');
      expect([
        file,
        text.match(/\.flush\(|\.persist\(|\.em\.(begin|transactional|fork|insert|nativeUpdate)|ctx\.em\b/)?.[0],
      ]).toEqual([file, undefined]);
      const writesOutside = [
        ...text.matchAll(/sql(?:<[^`]*>)?`\s*(insert|update|delete)\b[^`]*`\s*\.execute\(\s*(?:ctx|this\.#ctx)\.db/g),
      ];
      expect([file, writesOutside.map(([statement]) => statement)]).toEqual([file, []]);
    }
  });
});
