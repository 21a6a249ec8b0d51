/**
 * Brings the schema up to date, once, however many processes start at the same time. The lock is polled on a connection of
 * its own: waiting inside `pg_advisory_lock` would hold a snapshot and deadlock with CREATE INDEX CONCURRENTLY.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { MikroORM } from '@mikro-orm/postgresql';
import { runMigrations as migrateJobs } from 'graphile-worker';
import pg from 'pg';
import type { Log } from '../kernel/log.js';
import { workerLogger } from './worker-logger.js';

/** Any fixed number: what every version of the gateway agrees on. */
const MIGRATION_LOCK = 7_281_904_316;
const POLL_MILLISECONDS = 200;

export interface MigrateOptions {
  orm: MikroORM;
  url: string;
  log: Log;
  /** Runs under the lock, after the schema is current: what only one starting process may do. */
  afterwards(): Promise<void>;
}

export async function migrate({ orm, url, log, afterwards }: MigrateOptions): Promise<void> {
  await withMigrationLock(url, log, async () => {
    await refuseNewerSchema(orm);
    const done = await orm.migrator.up();
    if (done.length > 0) log.info({ migrations: done.map((migration) => migration.name) }, 'schema migrated');
    await migrateJobs({ connectionString: url, logger: workerLogger(log) });
    await raiseFeedEpochAfterRestore(orm);
    await afterwards();
  });
}

export async function isSchemaCurrent(orm: MikroORM): Promise<boolean> {
  return (await orm.migrator.getPending()).length === 0;
}

async function withMigrationLock(url: string, log: Log, work: () => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'vestibule migrations' });
  client.on('error', (error) => log.warn({ error: error.message }, 'connection of the migration lock failed'));
  await client.connect();
  try {
    await acquire(client, log);
    await work();
  } finally {
    await client.end();
  }
}

async function acquire(client: pg.Client, log: Log): Promise<void> {
  let said = false;
  for (;;) {
    const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [
      MIGRATION_LOCK,
    ]);
    if (rows[0]?.locked) return;
    if (!said) log.info({}, 'another process is migrating; waiting for it');
    said = true;
    await wait(POLL_MILLISECONDS);
  }
}

/** A schema from the future must not be run against: columns may mean something else by now. */
async function refuseNewerSchema(orm: MikroORM): Promise<void> {
  const known = new Set(
    orm.config.get('migrations').migrationsList?.map((migration) => ('name' in migration ? migration.name : '')),
  );
  const executed = await orm.migrator.getExecuted();
  const unknown = executed.filter((migration) => !known.has(migration.name)).map((migration) => migration.name);
  if (unknown.length > 0) {
    throw new Error(
      `The database was migrated by a newer version (${unknown.join(', ')}). Start that version, or restore a backup.`,
    );
  }
}

/**
 * After dump and restore into another cluster its transaction ids start below those of the stored events, which would then
 * stand above the horizon for ever. A new epoch puts all of them in the past.
 */
async function raiseFeedEpochAfterRestore(orm: MikroORM): Promise<void> {
  await orm.em.getConnection().execute(`
    update feed_state set epoch = epoch + 1
    where exists (
      select from event where epoch = feed_state.epoch and xid >= pg_current_xact_id()
    )`);
}
