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

/** The jobs of a dead process go on within half a minute: silence, the next beat of another, its worker's next look. */
export const defaultHeartbeat: HeartbeatTimes = { beat: 5 * SECOND, silentFor: 20 * SECOND };

/** So many beats from one look for jobs held by nobody known to the next: it reads all jobs. */
const ORPHAN_BEATS = 12;

export class Heartbeat {
  readonly #id = randomUUID();
  readonly #db: Db;
  readonly #log: Log;
  readonly #times: HeartbeatTimes;
  readonly #workerIds = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  /** Of the last beat that was written, by `performance.now()`. */
  #seenAt = Number.POSITIVE_INFINITY;
  #beating = false;
  #beats = 0;

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
    this.#timer = setInterval(() => void this.#beatAgain(), this.#times.beat);
    this.#timer.unref();
  }

  /** Frees what a worker of this process that has ended still holds. */
  async releaseJobs(workerId: string): Promise<void> {
    await sql`select graphile_worker.force_unlock_workers(${[workerId]})`.execute(this.#db);
    this.#workerIds.delete(workerId);
  }

  /** Frees everything: another process begins anew what this one will not finish. */
  async handOver(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await sql`
      with gone as (delete from gateway_process where id = ${this.#id})
      select graphile_worker.force_unlock_workers(${[...this.#workerIds]})`.execute(this.#db);
  }

  /** Call once the workers have stopped: they hold no jobs any more. */
  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await sql`delete from gateway_process where id = ${this.#id}`.execute(this.#db);
  }

  /** While the database does not answer, one that waits is enough. */
  async #beatAgain(): Promise<void> {
    if (this.#beating) return;
    this.#beating = true;
    try {
      await this.#beat();
    } catch (error) {
      this.#log.warn({ error: (error as Error).message }, 'the heartbeat could not be written');
    } finally {
      this.#beating = false;
    }
  }

  /**
   * By the database's clock: the processes' own may differ. Whoever was cut off or paused does not judge others at once: they
   * may have been so too, when it was the database that was away.
   */
  async #beat(): Promise<void> {
    const wasSilent = performance.now() - this.#seenAt > this.#times.silentFor;
    await sql`
      insert into gateway_process (id, worker_ids, started_at, seen_at)
      values (${this.#id}, ${[...this.#workerIds]}, now(), now())
      on conflict (id) do update set worker_ids = excluded.worker_ids, seen_at = now()`.execute(this.#db);
    this.#seenAt = performance.now();
    if (wasSilent) return;
    await releaseJobsOfSilentProcesses(this.#db, this.#times, this.#log);
    if (this.#beats++ % ORPHAN_BEATS === 0) await releaseOrphans(this.#db, this.#times);
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

/**
 * A process that was taken for dead may wake, take a job, and die before it was heard again: then no row tells of its workers.
 * Nobody who lives holds a job for this long without having been heard.
 */
async function releaseOrphans(db: Db, { silentFor }: HeartbeatTimes): Promise<void> {
  await sql`
    select graphile_worker.force_unlock_workers(array(
      select distinct held.by from (
        select locked_by as by, locked_at as at from graphile_worker._private_jobs where locked_by is not null
        union all select locked_by, locked_at from graphile_worker._private_job_queues where locked_by is not null
      ) held
      where held.at < now() - make_interval(secs => ${silentFor / SECOND})
        and not exists (select from gateway_process p where held.by = any(p.worker_ids))
    ))`.execute(db);
}
