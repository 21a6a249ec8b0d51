/**
 * How long the feed has been held back, and by whom. Any open write transaction in the cluster, of any database, holds the
 * horizon where it is: what is committed behind it waits, for every tenant. Each culprit is logged once, without its statement,
 * which may hold values.
 */
import { sql } from 'kysely';
import type { Db } from '../database/transaction.js';
import type { Log } from '../kernel/log.js';
import type { FeedPlace } from './feed-place.js';

/** Longer than any transaction of ours: bulk work keeps to about 100 ms. */
const CULPRIT_AFTER_SECONDS = 2;

export class FeedHorizon {
  readonly #db: Db;
  readonly #log: Log;
  /** The oldest transaction still open, by its id, while it hides events. */
  #heldBy: string | null = null;
  /** Monotonic milliseconds. */
  #heldSince = 0;
  /** Of whom the log has been told. */
  #named: string | null = null;
  #naming: Promise<void> | null = null;

  constructor(db: Db, log: Log) {
    this.#db = db;
    this.#log = log;
  }

  /** So long written events have been waiting behind the same transaction; 0 when none wait. */
  get ageSeconds(): number {
    return this.#heldBy === null ? 0 : (performance.now() - this.#heldSince) / 1000;
  }

  /** @param hidden events stand at or above the horizon */
  observe({ xid }: FeedPlace, hidden: boolean): void {
    if (!hidden || this.#heldBy !== xid) this.#heldSince = performance.now();
    this.#heldBy = hidden ? xid : null;
    if (this.ageSeconds < CULPRIT_AFTER_SECONDS || this.#named === xid) return;
    this.#named = xid;
    this.#naming = this.#name(xid);
  }

  async stop(): Promise<void> {
    await this.#naming;
  }

  async #name(xid: string): Promise<void> {
    const heldForSeconds = Math.round(this.ageSeconds * 10) / 10;
    const culprit = await findCulprit(this.#db, xid).catch((error: Error) => ({ note: error.message }));
    this.#log.warn({ heldForSeconds, ...culprit }, 'an open transaction holds back the feed of every tenant');
  }
}

interface Holder {
  pid: number | null;
  database: string | null;
  role: string | null;
  applicationName: string | null;
  state: string | null;
  openSince: Date | null;
  /** Of the statement it runs, or ran last. */
  statementSince: Date | null;
  /** Of a prepared transaction. */
  preparedAs: string | null;
  note: string;
}

/** Everybody may see who holds a transaction id; state and times of others only who has pg_read_all_stats. */
async function findCulprit(db: Db, xid: string): Promise<Holder | { note: string }> {
  const { rows } = await sql<Omit<Holder, 'note'>>`
    select a.pid, a.datname as database, a.usename as role, a.application_name as "applicationName", a.state,
      a.xact_start as "openSince", a.query_start as "statementSince", null as "preparedAs"
    from pg_stat_activity a where a.backend_xid = ${xid}::xid8::xid
    union all
    select null, p.database, p.owner, null, 'prepared', p.prepared, null, p.gid
    from pg_prepared_xacts p where p.transaction = ${xid}::xid8::xid`.execute(db);
  const [holder] = rows;
  if (!holder) return { note: 'It ended, or is not visible to the role of the gateway.' };
  return { ...holder, note: noteOn(holder) };
}

function noteOn({ pid, state }: Omit<Holder, 'note'>): string {
  if (pid === null) return 'COMMIT PREPARED or ROLLBACK PREPARED ends it.';
  if (state === null)
    return "GRANT pg_read_all_stats to the gateway's role to see its state and since when it is open.";
  return 'pg_terminate_backend(pid) ends it.';
}
