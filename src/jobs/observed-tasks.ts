/** Around every job, whatever it does: a scope for its logs, its place in the trace of what added it, and its measures. */
import type { JobHelpers, Task, TaskList } from 'graphile-worker';
import { jobPriority } from '../database/add-job.js';
import { SECOND } from '../kernel/clock.js';
import { inNewScope } from '../kernel/scope.js';
import type { RootSpanOptions, Tracing } from '../kernel/tracing.js';

export interface JobObservers {
  /** Null: off. */
  tracing: Tracing | null;
  /** `retried`: it failed and comes again; `failed`: it does not. */
  observe(job: { task: string; outcome: 'done' | 'retried' | 'failed'; seconds: number }): void;
}

export function observeTasks(tasks: TaskList, observers: JobObservers): TaskList {
  return Object.fromEntries(
    Object.entries(tasks).map(([task, handle]) => [
      task,
      (payload: unknown, helpers: JobHelpers) => runObserved(observers, task, handle as Task, payload, helpers),
    ]),
  );
}

async function runObserved(
  { tracing, observe }: JobObservers,
  task: string,
  handle: Task,
  payload: unknown,
  helpers: JobHelpers,
): Promise<void> {
  const { job } = helpers;
  const { traceparent, ...given } = (payload ?? {}) as { traceparent?: string };
  const began = performance.now();
  const ended = (outcome: 'done' | 'retried' | 'failed') =>
    observe({ task, outcome, seconds: (performance.now() - began) / SECOND });
  try {
    const work = async () => handle(given as never, helpers);
    await inNewScope(tracing, `process ${task}`, spanOf(job, traceparent), { operation: task, job: job.id }, work);
    ended('done');
  } catch (error) {
    ended(job.attempts < job.max_attempts ? 'retried' : 'failed');
    throw error;
  }
}

/** What has the priority of bulk mail begins a trace of its own: a single one of a hundred thousand mails could not be shown. */
function spanOf({ id, task_identifier, priority, attempts }: JobHelpers['job'], from?: string): RootSpanOptions {
  return {
    kind: 'consumer',
    attributes: {
      'messaging.system': 'graphile_worker',
      'messaging.operation.type': 'process',
      'messaging.operation.name': 'process',
      'messaging.destination.name': task_identifier,
      'messaging.message.id': id,
      'vestibule.job.attempt': attempts,
    },
    ...(priority === jobPriority.bulkMail ? { link: from } : { parent: from }),
  };
}
