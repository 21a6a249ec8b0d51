/**
 * What the process counts, for Prometheus. No tenant, address or text of a client ever becomes a label: routes, fields,
 * tasks and codes only, so that the number of series has an end. Observing costs about a microsecond; what has to be asked
 * for is asked for when somebody scrapes. docs/operations.md lists every metric.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { JobQueue } from './job-queue.js';

export interface PoolUse {
  size: number;
  idle: number;
  waiting: number;
  max: number;
}

/** Read at each scrape. */
export interface MetricSources {
  version: string;
  feed: FeedSource;
  openSockets(): number;
  pool(): PoolUse;
  /** Null: could not be read. */
  jobQueue(): Promise<JobQueue | null>;
}

export interface FeedSource {
  readonly subscribers: number;
  /** Age of the oldest transaction that holds the feed back. */
  readonly horizonAgeSeconds: number;
  /** Since this process last handed out everything there was to read. */
  readonly lagSeconds: number;
}

export type MailOutcome = 'sent' | 'failed' | 'postponed' | 'bounced';
export type JobOutcome = 'done' | 'retried' | 'failed';

export interface Metrics {
  registry: Registry;
  observeRequest(request: { method: string; route: string; status: number; seconds: number }): void;
  observeOperation(operation: { name: string; kind: string; failed: boolean; seconds: number }): void;
  observeJob(job: { task: string; outcome: JobOutcome; seconds: number }): void;
  observeMail(outcome: MailOutcome): void;
  /** @param outcome `ok`, a user error's code, or `fault`. */
  observeRedemption(step: string, outcome: string): void;
  observeBulkRows(outcome: string, rows: number): void;
  /** Told of each event the tail hands out. */
  observeFeedDelay(seconds: number): void;
  observeLaggedStream(): void;
}

const SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
/** A job may ask a mail server, or work off a batch. */
const JOB_SECONDS_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'vestibule_' });
  describeProcess(registry, sources);
  describeFeed(registry, sources);
  describePool(registry, sources);
  describeJobQueue(registry, sources);
  return { registry, ...observers(registry) };
}

function observers(registry: Registry): Omit<Metrics, 'registry'> {
  const registers = [registry];
  const requests = new Histogram({
    name: 'vestibule_http_request_seconds',
    help: 'Duration of answered HTTP requests by route pattern.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: SECONDS_BUCKETS,
    registers,
  });
  const operations = new Histogram({
    name: 'vestibule_graphql_operation_seconds',
    help: 'Duration of GraphQL operations by root field.',
    labelNames: ['kind', 'field', 'result'] as const,
    buckets: SECONDS_BUCKETS,
    registers,
  });
  const jobs = new Histogram({
    name: 'vestibule_job_seconds',
    help: 'Duration of attempts of jobs by task.',
    labelNames: ['task', 'outcome'] as const,
    buckets: JOB_SECONDS_BUCKETS,
    registers,
  });
  const mails = counter(registers, 'vestibule_mails_total', 'Mails by outcome of the attempt.', 'outcome');
  const redemptions = new Counter({
    name: 'vestibule_redemption_steps_total',
    help: 'Steps guests took, by how they ended.',
    labelNames: ['step', 'outcome'] as const,
    registers,
  });
  const bulkRows = counter(registers, 'vestibule_bulk_rows_total', 'Rows of bulk invites worked off.', 'outcome');
  const delays = new Histogram({
    name: 'vestibule_feed_delay_seconds',
    help: 'From what an event tells of to its being handed out to the subscribers of this process.',
    buckets: [...SECONDS_BUCKETS, 15, 60],
    registers,
  });
  const lagged = new Counter({
    name: 'vestibule_feed_lagged_total',
    help: 'Subscriptions ended by FeedLagged because they were too slow.',
    registers,
  });
  return {
    observeRequest: ({ method, route, status, seconds }) => requests.observe({ method, route, status }, seconds),
    observeOperation: ({ name, kind, failed, seconds }) =>
      operations.observe({ kind, field: name, result: failed ? 'error' : 'ok' }, seconds),
    observeJob: ({ task, outcome, seconds }) => jobs.observe({ task, outcome }, seconds),
    observeMail: (outcome) => mails.inc({ outcome }),
    observeRedemption: (step, outcome) => redemptions.inc({ step, outcome }),
    observeBulkRows: (outcome, rows) => bulkRows.inc({ outcome }, rows),
    observeFeedDelay: (seconds) => delays.observe(Math.max(seconds, 0)),
    observeLaggedStream: () => lagged.inc(),
  };
}

function describeProcess(registry: Registry, { version, openSockets }: MetricSources): void {
  new Gauge({
    name: 'vestibule_build_info',
    help: 'Always 1; the labels say what runs.',
    labelNames: ['version', 'node'] as const,
    registers: [registry],
  }).set({ version, node: process.version }, 1);
  gauge(registry, 'vestibule_sockets', 'Open GraphQL sockets.', openSockets);
}

function describeFeed(registry: Registry, { feed }: MetricSources): void {
  gauge(registry, 'vestibule_feed_subscribers', 'Subscriptions that follow the feed.', () => feed.subscribers);
  gauge(
    registry,
    'vestibule_feed_horizon_age_seconds',
    'Age of the oldest transaction that holds the feed back; 0 when none does.',
    () => feed.horizonAgeSeconds,
  );
  gauge(
    registry,
    'vestibule_feed_lag_seconds',
    'Since the tail of this process had last read everything there was to read.',
    () => feed.lagSeconds,
  );
}

function describePool(registry: Registry, { pool }: MetricSources): void {
  new Gauge({
    name: 'vestibule_database_connections',
    help: 'Connections of the pool for requests, by state.',
    labelNames: ['state'] as const,
    registers: [registry],
    collect() {
      const { size, idle } = pool();
      this.set({ state: 'used' }, size - idle);
      this.set({ state: 'idle' }, idle);
    },
  });
  gauge(registry, 'vestibule_database_connections_max', 'The most the pool may open.', () => pool().max);
  gauge(
    registry,
    'vestibule_database_connection_requests_waiting',
    'Who waits for a connection.',
    () => pool().waiting,
  );
}

/** Gone while they cannot be read: a number from before would look like the present. */
function describeJobQueue(registry: Registry, { jobQueue }: MetricSources): void {
  new Gauge({
    name: 'vestibule_jobs',
    help: 'Jobs in the database by state, the same from every process.',
    labelNames: ['task', 'state'] as const,
    registers: [registry],
    async collect() {
      const queue = await jobQueue();
      this.reset();
      for (const { task, state, jobs } of queue?.counts ?? []) this.set({ task, state }, jobs);
    },
  });
  new Gauge({
    name: 'vestibule_job_queue_readable',
    help: '0 while the jobs could not be counted.',
    registers: [registry],
    async collect() {
      this.set((await jobQueue()) ? 1 : 0);
    },
  });
  new Gauge({
    name: 'vestibule_job_oldest_ready_seconds',
    help: 'How long the job has been ready that has waited longest, the same from every process.',
    labelNames: ['task'] as const,
    registers: [registry],
    async collect() {
      const queue = await jobQueue();
      this.reset();
      for (const { task, seconds } of queue?.oldestReady ?? []) this.set({ task }, seconds);
    },
  });
}

function counter<Label extends string>(registers: Registry[], name: string, help: string, label: Label) {
  return new Counter({ name, help, labelNames: [label] as const, registers });
}

function gauge(registry: Registry, name: string, help: string, value: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(value());
    },
  });
}
