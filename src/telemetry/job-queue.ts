/**
 * How much work waits, as the database sees it. Counting reads every job there is, and a bulk invite can leave a hundred
 * thousand of them; so the answer is remembered for a while that grows with what it cost, and is asked for once at a time.
 */
import { sql } from 'kysely';
import type { Db } from '../database/transaction.js';
import { SECOND } from '../kernel/clock.js';
import { describeFault } from '../kernel/fault.js';
import type { Log } from '../kernel/log.js';

/** `retrying`: failed before, comes again later. `failed`: has used up its attempts and stays. */
export type JobState = 'ready' | 'scheduled' | 'retrying' | 'running' | 'failed';

export interface JobQueue {
  counts: { task: string; state: JobState; jobs: number }[];
  oldestReady: { task: string; seconds: number }[];
}

const REMEMBER_AT_LEAST = 5 * SECOND;
/** At most a twentieth of the time is spent on counting. */
const REMEMBER_TIMES_COST = 20;

/** @returns a function that answers null while the queue cannot be read. */
export function watchJobQueue(db: Db, log: Log): () => Promise<JobQueue | null> {
  let known: Promise<JobQueue | null> | null = null;
  return () => {
    known ??= timed(db, log).then(({ queue, cost }) => {
      const forget = () => {
        known = null;
      };
      setTimeout(forget, Math.max(REMEMBER_AT_LEAST, cost * REMEMBER_TIMES_COST)).unref();
      return queue;
    });
    return known;
  };
}

async function timed(db: Db, log: Log): Promise<{ queue: JobQueue | null; cost: number }> {
  const began = performance.now();
  const queue = await readJobQueue(db).catch((error: unknown) => {
    log.warn({ error: describeFault(error) }, 'the job queue could not be counted');
    return null;
  });
  return { queue, cost: performance.now() - began };
}

/** Nobody watches a queue so long that waiting for it would help. */
const STATEMENT_TIMEOUT = 10 * SECOND;

/** The whole table is read, which our connections are told to avoid elsewhere. */
function readJobQueue(db: Db): Promise<JobQueue> {
  return db.transaction().execute(async (tx) => {
    await sql`
      select set_config('enable_seqscan', 'on', true), set_config('max_parallel_workers_per_gather', '0', true),
        set_config('statement_timeout', ${String(STATEMENT_TIMEOUT)}, true)`.execute(tx);
    const { rows } = await sql<{ task: string; state: JobState; jobs: number; seconds: number | null }>`
      select task.identifier as task, job.state, job.jobs, job.seconds
      from (
        select task_id,
          case
            when locked_at is not null then 'running'
            when attempts >= max_attempts then 'failed'
            when run_at <= now() then 'ready'
            when attempts > 0 then 'retrying'
            else 'scheduled'
          end as state,
          count(*)::int as jobs, extract(epoch from now() - min(run_at))::float8 as seconds
        from graphile_worker._private_jobs group by 1, 2
      ) job
      join graphile_worker._private_tasks task on task.id = job.task_id
      order by 1, 2`.execute(tx);
    return {
      counts: rows.map(({ task, state, jobs }) => ({ task, state, jobs })),
      oldestReady: rows.flatMap(({ task, state, seconds }) =>
        state === 'ready' ? [{ task, seconds: Math.max(seconds ?? 0, 0) }] : [],
      ),
    };
  });
}
