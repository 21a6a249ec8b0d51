/**
 * Work that leaves the database is a job added in the transaction of the change it follows from: both happen or neither.
 * Payloads carry ids and versions, never secrets; while tracing is on, also a `traceparent`. Who runs a job is `jobs/`.
 */
import { type RawBuilder, sql } from 'kysely';
import { currentTraceparent } from '../kernel/scope.js';
import type { Tx } from './transaction.js';

export interface JobOptions {
  /** Jobs of one queue run one after the other, over all processes. */
  queueName?: string;
  /** A job of the same key that has not started is replaced. */
  jobKey?: string;
  /** Lower runs first. Default 0. */
  priority?: number;
  runAt?: Date;
  /** Among jobs of one priority the oldest runs first; this one counts as so many milliseconds older. Default 0. */
  headStart?: number;
  /** Default 25, which with the worker's back-off is about three days. */
  maxAttempts?: number;
}

export const jobPriority = { passcode: -20, single: -10, bulkWork: 0, bulkMail: 10 } as const;

export async function addJob(tx: Tx, task: string, payload: object, options: JobOptions = {}): Promise<void> {
  await sql`
    select from graphile_worker.add_job(
      ${task}, payload => ${payloadText(payload, currentTraceparent())}::json, queue_name => ${options.queueName ?? null}::text,
      run_at => coalesce(${options.runAt ?? null}::timestamptz, now() - make_interval(secs => ${(options.headStart ?? 0) / 1000})),
      max_attempts => ${options.maxAttempts ?? null}::smallint,
      job_key => ${options.jobKey ?? null}::text, priority => ${options.priority ?? null}::smallint)`.execute(tx.db);
}

export interface NewJob {
  task: string;
  payload: object;
  jobKey: string;
  priority: number;
  /** Of the request it comes from, when that is not the one at hand. */
  traceparent?: string | undefined;
}

function payloadText(payload: object, traceparent: string | undefined): string {
  return JSON.stringify(traceparent ? { ...payload, traceparent } : payload);
}

/** Many jobs in one statement; their keys are distinct. */
export async function addJobs(tx: Tx, jobs: readonly NewJob[]): Promise<void> {
  if (jobs.length === 0) return;
  await sql`select from graphile_worker.add_jobs(array(select ${jobSpec} from ${jobRows(jobs)} job))`.execute(tx.db);
}

/** Jobs as rows, for statements that add them beside other things: `select ${jobSpec} from ${jobRows(jobs)} job`. */
export function jobRows(jobs: readonly NewJob[]): RawBuilder<unknown> {
  const here = currentTraceparent();
  const payloads = jobs.map(({ payload, traceparent }) => payloadText(payload, traceparent ?? here));
  return sql`(
    select * from unnest(${jobs.map((job) => job.task)}::text[], ${payloads}::json[],
      ${jobs.map((job) => job.jobKey)}::text[], ${jobs.map((job) => job.priority)}::smallint[])
      with ordinality as job (task, payload, key, priority, position)
  )`;
}

export const jobSpec: RawBuilder<unknown> = sql`
  row(job.task, job.payload, null, null, null, job.key, job.priority, null)::graphile_worker.job_spec`;
