/**
 * The worker of this process: takes jobs from the database, shows that it lives, stops in order, and is started again when
 * it gave up because the database went away. Jobs are shared out between processes by the database; nothing here is
 * remembered from one job to the next.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { type Runner, run, type TaskList } from 'graphile-worker';
import type { Db } from '../database/transaction.js';
import { workerLogger } from '../database/worker-logger.js';
import { SECOND } from '../kernel/clock.js';
import type { Log } from '../kernel/log.js';
import { Heartbeat, type HeartbeatTimes } from './heartbeat.js';

export interface WorkerOptions {
  url: string;
  db: Db;
  tasks: TaskList;
  crontab: string;
  concurrency: number;
  log: Log;
  heartbeat?: HeartbeatTimes;
}

export interface Worker {
  readonly running: boolean;
  stop(): Promise<void>;
}

const POLL_MILLISECONDS = 1 * SECOND;
const RESTART_MILLISECONDS = 1 * SECOND;

export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const worker = new LastingWorker(options);
  await worker.start();
  return worker;
}

class LastingWorker implements Worker {
  readonly #options: WorkerOptions;
  readonly #heartbeat: Heartbeat;
  readonly #stopping = new AbortController();
  #runner: Runner | null = null;
  #following: Promise<void> | null = null;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#heartbeat = new Heartbeat(options.db, options.log, options.heartbeat);
  }

  get running(): boolean {
    return this.#runner !== null;
  }

  async start(): Promise<void> {
    this.#runner = await this.#run();
    await this.#heartbeat.start();
    this.#following = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    // Rejects when it is ending by itself at this moment.
    await this.#runner?.stop().catch(() => undefined);
    await this.#following;
    await this.#heartbeat.stop();
  }

  #run(): Promise<Runner> {
    const { url, tasks, crontab, concurrency, log } = this.#options;
    const heartbeat = this.#heartbeat;
    // Jobs are locked by the pool as a whole.
    const hooks = { startWorker: (_ctx: unknown, { worker }: StartOfWorker) => heartbeat.add(worker.workerPool.id) };
    return run({
      connectionString: url,
      taskList: tasks,
      crontab,
      concurrency,
      pollInterval: POLL_MILLISECONDS,
      noHandleSignals: true,
      logger: workerLogger(log),
      preset: {
        plugins: [{ name: 'heartbeat', worker: { hooks } }],
        // Not for speed: with -1 nobody awaits these two, and a database that is gone then ends the whole process.
        worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 },
      },
    });
  }

  /** A worker that cannot write down what became of a job ends by itself; another takes its place. */
  async #follow(): Promise<void> {
    while (this.#runner) {
      const error = await this.#runner.promise.catch((reason: Error) => reason);
      this.#runner = null;
      if (this.#stopping.signal.aborted) return;
      this.#options.log.error({ error: error?.message }, 'the worker ended by itself; starting another');
      this.#runner = await this.#runAgain();
    }
  }

  /** Null when it is to stop. Nothing is to be done but to wait until the database answers. */
  async #runAgain(): Promise<Runner | null> {
    const { signal } = this.#stopping;
    for (;;) {
      try {
        await wait(RESTART_MILLISECONDS, undefined, { signal });
        await this.#heartbeat.releaseJobs();
        const runner = await this.#run();
        if (!signal.aborted) return runner;
        await runner.stop();
      } catch (error) {
        if (!signal.aborted) this.#options.log.warn({ error: (error as Error).message }, 'the worker could not start');
      }
      if (signal.aborted) return null;
    }
  }
}

interface StartOfWorker {
  worker: { workerPool: { id: string } };
}
