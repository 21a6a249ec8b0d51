/**
 * A process that dies keeps its jobs locked. Each process shows every few seconds that it lives; those silent for half a
 * minute are taken for dead by any other, their workers unlocked, their jobs free for the next attempt.
 */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Db } from '../database/transaction.js';
import { SECOND } from '../kernel/clock.js';
import type { Log } from '../kernel/log.js';

/** Milliseconds. */
export interface HeartbeatTimes {
  beat: number;
  /** Several beats, because a busy process is late with one. */
  silentFor: number;
}

export const defaultHeartbeat: HeartbeatTimes = { beat: 5 * SECOND, silentFor: 25 * SECOND };

export class Heartbeat {
  readonly #id = randomUUID();
  readonly #db: Db;
  readonly #log: Log;
  readonly #times: HeartbeatTimes;
  readonly #workerIds = new Set<string>();
  #timer: NodeJS.Timeout | null = null;

  constructor(db: Db, log: Log, times = defaultHeartbeat) {
    this.#db = db;
    this.#log = log;
    this.#times = times;
  }

  /** To be awaited before the worker takes its first job: what it holds is freed when this process falls silent. */
  async add(workerId: string): Promise<void> {
    if (this.#workerIds.has(workerId)) return;
    this.#workerIds.add(workerId);
    await this.#beat();
  }

  async start(): Promise<void> {
    await this.#beat();
    this.#timer = setInterval(() => {
      this.#beat().catch((error: Error) =>
        this.#log.warn({ error: error.message }, 'the heartbeat could not be written'),
      );
    }, this.#times.beat);
    this.#timer.unref();
  }

  /** Frees what workers of this process that have ended still hold. */
  async releaseJobs(): Promise<void> {
    await sql`select graphile_worker.force_unlock_workers(${[...this.#workerIds]})`.execute(this.#db);
    this.#workerIds.clear();
  }

  /** Call once the workers have stopped: they hold no jobs any more. */
  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await sql`delete from gateway_process where id = ${this.#id}`.execute(this.#db);
  }

  /** By the database's clock: the processes' own may differ. */
  async #beat(): Promise<void> {
    await sql`
      insert into gateway_process (id, worker_ids, started_at, seen_at)
      values (${this.#id}, ${[...this.#workerIds]}, now(), now())
      on conflict (id) do update set worker_ids = excluded.worker_ids, seen_at = now()`.execute(this.#db);
    await releaseJobsOfSilentProcesses(this.#db, this.#times, this.#log);
  }
}

/** By any living process, in one statement; a process that was only paused finds its jobs taken, which handlers bear. */
async function releaseJobsOfSilentProcesses(db: Db, { silentFor }: HeartbeatTimes, log: Log): Promise<void> {
  const { rows } = await sql<{ processes: number }>`
    with silent as (
      delete from gateway_process where seen_at < now() - make_interval(secs => ${silentFor / SECOND}) returning worker_ids
    )
    select count(*)::int as processes, graphile_worker.force_unlock_workers(array(select unnest(worker_ids) from silent))
    from silent having count(*) > 0`.execute(db);
  if (rows[0]) log.warn({ processes: rows[0].processes }, 'a gateway process fell silent; its jobs go on elsewhere');
}
