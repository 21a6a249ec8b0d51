/**
 * The worker of this process: takes jobs from the database, shows that it lives, stops in order. Jobs are shared out
 * between processes by the database; nothing here is remembered from one job to the next.
 */
import { EventEmitter } from 'node:events';
import { type Runner, run, type TaskList, type WorkerEvents } from 'graphile-worker';
import type { Db } from '../database/transaction.js';
import { workerLogger } from '../database/worker-logger.js';
import type { Log } from '../kernel/log.js';
import { Heartbeat } from './heartbeat.js';

export interface WorkerOptions {
  url: string;
  db: Db;
  tasks: TaskList;
  crontab: string;
  concurrency: number;
  log: Log;
}

export interface Worker {
  readonly running: boolean;
  stop(): Promise<void>;
}

const POLL_MILLISECONDS = 1000;

export async function startWorker({ url, db, tasks, crontab, concurrency, log }: WorkerOptions): Promise<Worker> {
  const heartbeat = new Heartbeat(db, log);
  const events = new EventEmitter() as WorkerEvents;
  // Jobs are locked by the pool as a whole.
  events.on('pool:create', ({ workerPool }) => heartbeat.add(workerPool.id));
  const runner = await run({
    connectionString: url,
    taskList: tasks,
    crontab,
    concurrency,
    pollInterval: POLL_MILLISECONDS,
    noHandleSignals: true,
    events,
    logger: workerLogger(log),
  });
  await heartbeat.start();
  return watched(runner, heartbeat, log);
}

function watched(runner: Runner, heartbeat: Heartbeat, log: Log): Worker {
  let running = true;
  runner.promise.then(
    () => {
      running = false;
    },
    (error: Error) => {
      running = false;
      log.error({ error: error.message }, 'the worker ended by itself');
    },
  );
  return {
    get running() {
      return running;
    },
    async stop() {
      if (running) await runner.stop();
      await heartbeat.stop();
    },
  };
}
