/** The schema: brought up once however many start, never run when it is newer, and the same as the entities say. */
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';
import { isSchemaCurrent, migrate } from '../../src/database/migrate.js';
import { migrations } from '../../src/database/migrations/index.js';
import { openOrm } from '../../src/database/orm.js';
import { entities } from '../../src/entities.js';
import { silentLog } from '../../src/kernel/log.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { spawnTypeScript } from '../support/typescript-process.js';

let database: TestDatabase;
let orm: MikroORM;

beforeEach(async () => {
  database = await createTestDatabase();
  orm = await openOrm({ url: database.url, poolSize: 2, entities, log: silentLog });
});
afterEach(async () => {
  await orm.close();
  await database.drop();
});

const execute = <T>(statement: string): Promise<T[]> => orm.em.getConnection().execute<T[]>(statement);
const run = (afterwards: () => Promise<void> = async () => undefined) =>
  migrate({ orm, url: database.url, log: silentLog, afterwards });
const emptyDatabase = () =>
  execute('drop schema public cascade; create schema public; drop schema graphile_worker cascade');

describe('migrating', () => {
  it('an empty database makes the schema and that of the jobs', async () => {
    await emptyDatabase();
    expect(await isSchemaCurrent(orm)).toBe(false);
    await run();
    expect(await isSchemaCurrent(orm)).toBe(true);
    expect(await execute('select id from tenant')).toEqual([]);
    expect(await execute('select id from graphile_worker.jobs')).toEqual([]);
  });

  it('a current database changes nothing', async () => {
    const columns = 'select table_name, column_name from information_schema.columns order by 1, 2';
    const before = await execute(columns);
    await run();
    expect(await execute(columns)).toEqual(before);
  });

  it('at the same time as others happens once, and what follows runs one after the other', async () => {
    await emptyDatabase();
    const orms = await Promise.all(
      [1, 2].map(() => openOrm({ url: database.url, poolSize: 2, entities, log: silentLog })),
    );
    let running = 0;
    const afterwards = async () => {
      running += 1;
      expect(running).toBe(1);
      await execute('select pg_sleep(0.05)');
      running -= 1;
    };
    await Promise.all(
      [orm, ...orms].map((each) => migrate({ orm: each, url: database.url, log: silentLog, afterwards })),
    );
    await Promise.all(orms.map((each) => each.close()));
    expect(await execute('select name from schema_migration')).toHaveLength(migrations.length);
  });

  it('waits for another process that is at it, and goes on when that one dies', async () => {
    await emptyDatabase();
    const script = `
      const pg = (await import('pg')).default;
      const client = new pg.Client({ connectionString: process.argv[1] });
      await client.connect();
      await client.query('select pg_advisory_lock(7281904316)');
      console.log('locked');
      setInterval(() => {}, 1000);`;
    const other = spawnTypeScript(script, database.url);
    await once(other.stdout, 'data');
    let done = false;
    const migrating = run().then(() => {
      done = true;
    });
    await execute('select pg_sleep(0.5)');
    expect(done).toBe(false);
    other.kill('SIGKILL');
    await migrating;
    expect(await isSchemaCurrent(orm)).toBe(true);
  });

  it('refuses a schema that a newer version made, and leaves it alone', async () => {
    await execute(`insert into schema_migration (name, executed_at) values ('20991231-from-the-future', now())`);
    let ran = false;
    const migrating = run(async () => {
      ran = true;
    });
    await expect(migrating).rejects.toThrow('20991231-from-the-future');
    expect(ran).toBe(false);
  });

  it('that fails leaves nothing half done and no lock behind', async () => {
    await expect(run(() => Promise.reject(new Error('afterwards')))).rejects.toThrow('afterwards');
    await run();
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const { rows } = await client.query(
      `select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
    );
    await client.end();
    expect(rows).toEqual([]);
  });
});

interface Column {
  table: string;
  column: string;
  type: string;
  nullable: boolean;
}

/** As PostgreSQL prints types. */
const spelled: Record<string, string> = {
  int: 'integer',
  'timestamptz(3)': 'timestamp(3) with time zone',
  bigserial: 'bigint',
};

describe('entities', () => {
  it('have the columns of their tables: names, types, nullability', async () => {
    const stored = await execute<Column>(`
      select c.relname as table, a.attname as column, format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as nullable
      from pg_attribute a join pg_class c on c.oid = a.attrelid
      where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
        and c.relname not in ('feed_state', 'schema_migration')`);
    const declared = [...orm.getMetadata().getAll().values()].flatMap((meta) =>
      meta.props.flatMap((property): Column[] => {
        const [column] = property.fieldNames ?? [];
        const [type = ''] = property.columnTypes ?? [];
        return column
          ? [{ table: meta.tableName, column, type: spelled[type] ?? type, nullable: property.nullable ?? false }]
          : [];
      }),
    );
    const sorted = (columns: Column[]) =>
      columns.map(({ table, column, type, nullable }) => `${table}.${column} ${type}${nullable ? ' null' : ''}`).sort();
    expect(sorted(declared)).toEqual(sorted(stored));
  });

  it('keep keys and what lists are ordered by in byte order', async () => {
    const loose = await execute<{ name: string }>(`
      select c.relname || '.' || a.attname as name from pg_index i
      join pg_class c on c.oid = i.indrelid join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey)
      join pg_class x on x.oid = i.indexrelid join pg_am m on m.oid = x.relam
      where c.relnamespace = 'public'::regnamespace and c.relname <> 'schema_migration' and m.amname = 'btree'
        and a.atttypid = 'text'::regtype and a.attcollation <> (select oid from pg_collation where collname = 'C' and collnamespace = 'pg_catalog'::regnamespace)`);
    // Compared for equality only, with a closed list of words.
    const words = ['invitation.status', 'bulk_invite_row.outcome'];
    expect(loose.map(({ name }) => name).filter((name) => !words.includes(name))).toEqual([]);
  });
});
