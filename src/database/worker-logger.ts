/**
 * graphile-worker's log lines as ours: what it calls info is routine for an operator, so it goes to debug. A failed attempt
 * is a warning of one line: the job comes again, and what becomes of it in the end the task says itself.
 */
import { type Job, Logger } from 'graphile-worker';
import { describeFault, isDatabaseError } from '../kernel/fault.js';
import type { Log } from '../kernel/log.js';
import { inScopeOf } from '../kernel/scope.js';

interface FailureMeta {
  failure?: boolean;
  job?: Job;
  error?: Error & { detail?: string };
}

export function workerLogger(log: Log): Logger {
  return new Logger(() => (level, message, meta) => {
    const { failure, job, error } = (meta ?? {}) as FailureMeta;
    if (failure && job && error) {
      const { id, task_identifier: task, attempts, max_attempts: of } = job;
      // PostgreSQL's own detail shows the values of a row.
      const detail = isDatabaseError(error) ? undefined : error.detail;
      const told = { job: id, task, attempts, of, error: describeFault(error).message, detail };
      inScopeOf(error, () => log.warn(told, 'an attempt of a job failed'));
    } else if (level === 'error') log.error({}, message);
    // Not meant for us: jobs that wait for a mail server need no connection each.
    else if (level === 'warning' && !message.includes('maxPoolSize')) log.warn({}, message);
    else log.debug({}, message);
  });
}
