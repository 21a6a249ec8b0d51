/**
 * The worker of this process: takes jobs from the database, shows that it lives, stops in order, and is started again when
 * it gave up because the database went away. Jobs are shared out between processes by the database; nothing here is
 * remembered from one job to the next.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { type Runner, run } from 'graphile-worker';
import pg from 'pg';
import type { Db } from '../database/transaction.js';
import { workerLogger } from '../database/worker-logger.js';
import { SECOND } from '../kernel/clock.js';
import type { Log } from '../kernel/log.js';
import { Heartbeat, type HeartbeatTimes } from './heartbeat.js';
import type { Lane } from './lanes.js';

export interface WorkerOptions {
  url: string;
  db: Db;
  lanes: readonly Lane[];
  log: Log;
  heartbeat?: HeartbeatTimes;
}

export interface Worker {
  readonly running: boolean;
  stop(): Promise<void>;
}

/** All lanes of a process. */
export interface Workers extends Worker {
  /** For jobs that outlast the time to stop: others may take them at once. */
  handOver(): Promise<void>;
}

const POLL_MILLISECONDS = 1 * SECOND;
const RESTART_MILLISECONDS = 1 * SECOND;
/** For a worker whose connections broke: graphile-worker's local queue may then wait for ever for itself. */
const END_MILLISECONDS = 10 * SECOND;

export async function startWorker({ url, db, lanes, log, heartbeat: times }: WorkerOptions): Promise<Workers> {
  const heartbeat = new Heartbeat(db, log, times);
  const workers = lanes.map((lane) => new LastingWorker(url, lane, heartbeat, log));
  for (const worker of workers) await worker.start();
  await heartbeat.start();
  return {
    get running() {
      return workers.every((worker) => worker.running);
    },
    async stop() {
      await Promise.all(workers.map((worker) => worker.stop()));
      await heartbeat.stop();
    },
    handOver: () => heartbeat.handOver(),
  };
}

class LastingWorker implements Worker {
  readonly #url: string;
  readonly #lane: Lane;
  readonly #heartbeat: Heartbeat;
  readonly #log: Log;
  readonly #stopping = new AbortController();
  #runner: Runner | null = null;
  /** Why it ended; or that it was given up, because it did not end. */
  #ended: Promise<Error | undefined> = Promise.resolve(undefined);
  #workerId: string | null = null;
  #following: Promise<void> | null = null;

  constructor(url: string, lane: Lane, heartbeat: Heartbeat, log: Log) {
    this.#url = url;
    this.#lane = lane;
    this.#heartbeat = heartbeat;
    this.#log = log;
  }

  get running(): boolean {
    return this.#runner !== null;
  }

  async start(): Promise<void> {
    this.#runner = await this.#run();
    this.#following = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    // Rejects when it is ending by itself at this moment; one that is given up never answers.
    await Promise.race([this.#runner?.stop().catch(() => undefined), this.#ended]);
    await this.#following;
  }

  async #run(): Promise<Runner> {
    const broken = Promise.withResolvers<void>();
    const pool = this.#openPool(broken.resolve);
    try {
      const runner = await this.#runOn(pool);
      const over = runner.promise.then(
        () => undefined,
        (reason: Error) => reason,
      );
      const stop = () => runner.stop().catch(() => undefined);
      const givenUp = broken.promise.then(() => Promise.race([stop().then(() => over), later()]));
      this.#ended = Promise.race([over, givenUp]);
      void over.then(() => pool.end());
      return runner;
    } catch (error) {
      await pool.end();
      throw error;
    }
  }

  /**
   * A connection that breaks may take the answer to a fetch with it: jobs that are locked, and that nobody got. So the worker
   * stops then, and what it still holds is freed before another takes its place.
   */
  #openPool(onBroken: () => void): pg.Pool {
    const pool = new pg.Pool({
      connectionString: this.#url,
      max: this.#lane.connections,
      application_name: 'vestibule worker',
      keepAlive: true,
    });
    pool.on('error', onBroken);
    pool.on('connect', (client) => client.on('error', onBroken));
    return pool;
  }

  #runOn(pgPool: pg.Pool): Promise<Runner> {
    const { tasks, crontab, concurrency, fetchesAhead } = this.#lane;
    // Jobs are locked by the pool as a whole.
    const hooks = { startWorker: (_ctx: unknown, { worker }: StartOfWorker) => this.#show(worker.workerPool.id) };
    return run({
      pgPool,
      taskList: tasks,
      crontab,
      concurrency,
      pollInterval: POLL_MILLISECONDS,
      noHandleSignals: true,
      logger: workerLogger(this.#log),
      preset: {
        plugins: [{ name: 'heartbeat', worker: { hooks } }],
        worker: {
          // Not for speed: with -1 nobody awaits these two, and a database that is gone then ends the whole process.
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
          ...(fetchesAhead && { localQueue: { size: concurrency } }),
        },
      },
    });
  }

  #show(workerId: string): Promise<void> {
    this.#workerId = workerId;
    return this.#heartbeat.add(workerId);
  }

  /** A worker whose connections break, or who cannot write down what became of a job, ends; another takes its place. */
  async #follow(): Promise<void> {
    while (this.#runner) {
      const error = await this.#ended;
      this.#runner = null;
      if (this.#stopping.signal.aborted) return;
      this.#log.error({ error: error?.message }, 'the worker ended by itself; starting another');
      this.#runner = await this.#runAgain();
    }
  }

  /** Null when it is to stop. Nothing is to be done but to wait until the database answers. */
  async #runAgain(): Promise<Runner | null> {
    const { signal } = this.#stopping;
    for (;;) {
      try {
        await wait(RESTART_MILLISECONDS, undefined, { signal });
        if (this.#workerId) await this.#heartbeat.releaseJobs(this.#workerId);
        const runner = await this.#run();
        if (!signal.aborted) return runner;
        await runner.stop();
      } catch (error) {
        if (!signal.aborted) this.#log.warn({ error: (error as Error).message }, 'the worker could not start');
      }
      if (signal.aborted) return null;
    }
  }
}

async function later(): Promise<Error> {
  await wait(END_MILLISECONDS, undefined, { ref: false });
  return new Error('It did not end; what it held is freed.');
}

interface StartOfWorker {
  worker: { workerPool: { id: string } };
}
