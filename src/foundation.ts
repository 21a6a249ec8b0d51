/**
 * What stands before anything of the product: the port and the address, tracing and metrics, the database with its listener
 * and feed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type pg from 'pg';
import type { Config } from './config/config.js';
import { freePort } from './database/embedded-process.js';
import { startEmbeddedServer } from './database/embedded-server.js';
import { Listener } from './database/listener.js';
import { isSchemaCurrent, migrate } from './database/migrate.js';
import { openOrm } from './database/orm.js';
import { Tables } from './database/table.js';
import type { Db } from './database/transaction.js';
import { entities } from './entities.js';
import { FeedTail } from './events/feed-tail.js';
import { ensureBootstrapKey } from './features/access/bootstrap.js';
import type { Worker } from './jobs/worker.js';
import { type Clock, SECOND } from './kernel/clock.js';
import type { Log } from './kernel/log.js';
import { Secrets } from './kernel/secrets.js';
import type { Ground } from './request/request-context.js';
import type { Running } from './running.js';
import { watchJobQueue } from './telemetry/job-queue.js';
import { createMetrics, type Metrics, type PoolUse } from './telemetry/metrics.js';
import type { Readiness } from './web/health.js';
import { createHttpServer } from './web/http-server.js';
import { registerMetrics } from './web/metrics.js';

/** Links need the port before anything listens, so a port left to the system is chosen first. */
export async function settlePort({ http }: Config): Promise<{ port: number; publicUrl: URL }> {
  if (http.port !== 0) return { port: http.port, publicUrl: http.publicUrl };
  const port = await freePort();
  const publicUrl = new URL(http.publicUrl);
  if (publicUrl.port === '0') publicUrl.port = String(port);
  return { port, publicUrl };
}

/** Null when it is off; its SDK is not even loaded then. */
export async function startTracing({ tracing: { endpoint, ...options } }: Config, log: Log, running: Running) {
  if (endpoint === null) return null;
  const { openTracing } = await import('./telemetry/tracing.js');
  const tracing = openTracing({ endpoint, ...options, version: version(), log });
  running.add('tracing', () => tracing.close());
  return tracing;
}

export function openMetrics({ feed, clock, log, db, poolUse }: Foundation, openSockets: () => number): Metrics {
  const metrics = createMetrics({
    version: version(),
    feed,
    openSockets,
    pool: poolUse,
    jobQueue: watchJobQueue(db, log),
  });
  feed.onHandedOut(({ at }) => metrics.observeFeedDelay((clock.now().getTime() - at.getTime()) / SECOND));
  feed.onTooSlow(() => metrics.observeLaggedStream());
  return metrics;
}

interface Foundation extends Ground {
  url: string;
  db: Db;
  poolUse(): PoolUse;
}

export async function openGround(config: Config, log: Log, clock: Clock, running: Running): Promise<Foundation> {
  const url = config.database.url ?? (await openEmbeddedServer(config, log, running));
  const { poolSize } = config.database;
  let pool: pg.Pool | null = null;
  const onPool = (opened: pg.Pool) => {
    pool = opened;
  };
  const orm = await openOrm({ url, poolSize, entities, log, onPool });
  running.add('database', () => orm.close());
  const listener = new Listener(url, log);
  const db = orm.em.getConnection().getClient() as Db;
  const feed = new FeedTail(db, listener, log);
  const tables = new Tables(orm);
  const secrets = new Secrets(config.secretKeys);
  return { url, orm, db, tables, secrets, clock, log, feed, listener, poolUse: () => useOf(pool, poolSize) };
}

function useOf(pool: pg.Pool | null, max: number): PoolUse {
  return { size: pool?.totalCount ?? 0, idle: pool?.idleCount ?? 0, waiting: pool?.waitingCount ?? 0, max };
}

async function openEmbeddedServer({ dataDir }: Config, log: Log, running: Running): Promise<string> {
  const embedded = await startEmbeddedServer({ dataDir, log });
  running.add('embedded database', () => embedded.stop());
  return embedded.url;
}

export async function prepareDatabase(config: Config, ground: Ground & { url: string }): Promise<string | null> {
  let path: string | null = null;
  const afterwards = async () => {
    ({ path } = await ensureBootstrapKey(ground, config.bootstrapApiKey, config.dataDir));
  };
  await migrate({ orm: ground.orm, url: ground.url, log: ground.log, afterwards });
  return path;
}

export function templatesDirectory(): string {
  return join(packageRoot(), 'templates');
}

/** The nearest folder above with a package.json: templates lie beside it, for sources and build alike. */
function packageRoot(directory = import.meta.dirname): string {
  return existsSync(join(directory, 'package.json')) ? directory : packageRoot(dirname(directory));
}

function version(): string {
  return JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')).version;
}

export async function readiness({ orm, listener }: Ground, worker: Worker, running: Running): Promise<Readiness> {
  const { ok } = await orm.em.getConnection().checkConnection();
  const migrations = ok && (await isSchemaCurrent(orm).catch(() => false));
  return { database: ok && listener.connected, migrations, worker: worker.running, accepting: !running.stopping };
}

/** On a port of its own, or beside everything else behind a token; by default not at all. */
export async function serveMetrics(
  server: FastifyInstance,
  { metrics: { token, port }, http }: Config,
  metrics: Metrics,
  log: Log,
  running: Running,
) {
  const { registry } = metrics;
  if (port === null) {
    if (token !== null) registerMetrics(server, { registry, token });
    return;
  }
  const own = createHttpServer({ trustedProxies: [], log });
  registerMetrics(own, { registry, token });
  running.add('metrics', () => own.close());
  await own.listen({ host: http.host, port });
}
