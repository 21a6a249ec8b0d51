/**
 * A process that dies keeps its jobs locked. Each process shows every few seconds that it lives; those silent for half a
 * minute are taken for dead by any other, their workers unlocked, their jobs free for the next attempt.
 */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Db } from '../database/transaction.js';
import { SECOND } from '../kernel/clock.js';
import type { Log } from '../kernel/log.js';

const BEAT = 5 * SECOND;
const SILENT_FOR = 25 * SECOND;

export class Heartbeat {
  readonly #id = randomUUID();
  readonly #db: Db;
  readonly #log: Log;
  readonly #workerIds = new Set<string>();
  #timer: NodeJS.Timeout | null = null;

  constructor(db: Db, log: Log) {
    this.#db = db;
    this.#log = log;
  }

  /** A holder of job locks; what it holds is freed when this process falls silent. */
  add(workerId: string): void {
    this.#workerIds.add(workerId);
  }

  async start(): Promise<void> {
    await this.#beat();
    this.#timer = setInterval(() => {
      this.#beat().catch((error: Error) =>
        this.#log.warn({ error: error.message }, 'the heartbeat could not be written'),
      );
    }, BEAT);
    this.#timer.unref();
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
    await releaseJobsOfSilentProcesses(this.#db, this.#log);
  }
}

/** By any living process, in one statement; a process that was only paused finds its jobs taken, which handlers bear. */
async function releaseJobsOfSilentProcesses(db: Db, log: Log): Promise<void> {
  const { rows } = await sql<{ processes: number }>`
    with silent as (
      delete from gateway_process where seen_at < now() - make_interval(secs => ${SILENT_FOR / SECOND}) returning worker_ids
    )
    select count(*)::int as processes, graphile_worker.force_unlock_workers(array(select unnest(worker_ids) from silent))
    from silent having count(*) > 0`.execute(db);
  if (rows[0]) log.warn({ processes: rows[0].processes }, 'a gateway process fell silent; its jobs go on elsewhere');
}
