/**
 * The composition root: every part is built here by plain calls, in the order in which they need each other, and stopped in
 * the reverse one. Nothing else knows who is wired to whom, and nobody but this file and `serve.ts` see the configuration.
 */
import 'reflect-metadata';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { registerGraphqlHttp } from './api/graphql-http.js';
import { registerGraphqlSocket } from './api/graphql-socket.js';
import { buildApiSchema } from './api/schema.js';
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
import { Credentials } from './features/access/credentials.service.js';
import { listenForBulkInvites } from './features/bulk-invites/bulk-invite-progress.js';
import { BulkInviteRun } from './features/bulk-invites/bulk-invite-run.service.js';
import { createOpenIdConnectConnector } from './features/identity-providers/openid-connect.connector.js';
import { MailLimits } from './features/invitations/mail-limits.service.js';
import { type RedemptionOptions, RedemptionService } from './features/redemption/redemption.service.js';
import { TenantCache } from './features/tenants/tenant-cache.service.js';
import { MAX_LOGO_BYTES } from './features/tenants/tenant-logo.service.js';
import type { HeartbeatTimes } from './jobs/heartbeat.js';
import { createTasks, crontab } from './jobs/tasks.js';
import { startWorker, type Worker } from './jobs/worker.js';
import { systemActor } from './kernel/actor.js';
import { type Clock, systemClock } from './kernel/clock.js';
import type { Log } from './kernel/log.js';
import { Secrets } from './kernel/secrets.js';
import { Mailer } from './mail/mailer.js';
import { createMetrics, type Metrics } from './metrics.js';
import { createOutboundClient } from './outbound/outbound-client.js';
import { type Ground, RequestContext } from './request/request-context.js';
import { createResolvers } from './resolvers.js';
import { type Readiness, registerHealth } from './web/health.js';
import { createHttpServer } from './web/http-server.js';
import { registerMetrics } from './web/metrics.js';
import { registerPages } from './web/pages.js';

export interface AppOptions {
  config: Config;
  log: Log;
  clock?: Clock;
  /** When a silent process is taken for dead. */
  heartbeat?: HeartbeatTimes;
}

export interface App {
  /** PUBLIC_URL as it turned out, with the port the system chose. */
  publicUrl: URL;
  /** Null unless the development mailbox runs. */
  mailboxUrl: string | null;
  /** Where a bootstrap key that was made up lies; null when none was made. */
  bootstrapKeyPath: string | null;
  ground: Ground;
  /**
   * Ready no longer, stops accepting, drains, stops the rest.
   * @param noticeMilliseconds so long requests are still taken, each the last of its connection: a connection closed
   *   while the next request is on its way on it would fail that request. Default 0.
   */
  stop(noticeMilliseconds?: number): Promise<void>;
}

/** Started parts, stopped in reverse order; one that fails does not keep the others from stopping. */
class Running {
  readonly #log: Log;
  readonly #stops: { part: string; stop: () => unknown }[] = [];
  #stopping = false;

  constructor(log: Log) {
    this.#log = log;
  }

  add(part: string, stop: () => unknown): void {
    this.#stops.push({ part, stop });
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  async stop(noticeMilliseconds = 0): Promise<void> {
    this.#stopping = true;
    await wait(noticeMilliseconds);
    for (const { part, stop } of this.#stops.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        this.#log.error({ part, error: (error as Error).message }, 'a part did not stop in order');
      }
    }
  }
}

/** @throws Error that says what is missing; whatever had started by then is stopped. */
export async function startApp(options: AppOptions): Promise<App> {
  const running = new Running(options.log);
  try {
    return await start(options, running);
  } catch (error) {
    await running.stop();
    throw error;
  }
}

async function start(options: AppOptions, running: Running): Promise<App> {
  const { config, log, clock = systemClock } = options;
  const { port, publicUrl } = await settlePort(config);
  const ground = await openGround(config, log, clock, running);
  const mailer = new Mailer();
  running.add('mail', () => mailer.close());
  const credentials = new Credentials(ground);
  running.add('credentials', () => credentials.stop());
  const bootstrapKeyPath = await prepareDatabase(config, ground);

  const mailLimits = new MailLimits(config.limits.mailsPerTenantPerHour);
  const connectorFor = openConnectors(config, log, running);
  const redemption = new RedemptionService({ connectorFor, mailLimits, publicUrl });
  const { allowPrivateProviders } = config;
  const tenants = new TenantCache(ground.listener);
  const schema = await buildApiSchema(
    createResolvers({ publicUrl, allowPrivateProviders, mailLimits, tenants, redemption }),
  );

  listenForBulkInvites(ground.listener);
  await ground.listener.start();
  running.add('listener', () => ground.listener.stop());
  await ground.feed.start();
  running.add('feed', () => ground.feed.stop());

  const server = createHttpServer({
    trustedProxies: config.http.trustedProxies,
    log,
    isStopping: () => running.stopping,
  });
  const authenticate = (authorization: string | undefined) => credentials.authenticate(authorization);
  const sockets = await registerGraphqlSocket(server, {
    schema,
    ground,
    authenticate,
    current: (actor) => credentials.current(actor),
    onAccessChange: (listener) => credentials.onChange(listener),
  });
  const metrics = createMetrics({ feedSubscribers: () => ground.feed.subscribers, openSockets: () => sockets.open });
  const graphql = await registerGraphqlHttp(server, {
    schema,
    ground,
    authenticate,
    observe: metrics.observeOperation,
  });
  running.add('graphql', () => graphql.stop());

  await registerPages(server, { ground, redemption, publicUrl, templatesDirectory: templatesDirectory() });
  const worker = await startWorkerOf(ground, options, { mailer, publicUrl, metrics, mailLimits }, running);
  running.add('worker', () => worker.stop());
  running.add('mail not opened', () => mailer.giveUp());
  registerHealth(server, { ready: () => readiness(ground, worker, running) });
  await serveMetrics(server, config, metrics, log, running);
  // Last in, first out: stop accepting and drain, then everything that requests need.
  running.add('sockets', () => sockets.stop());
  running.add('http', () => server.close());
  await server.listen({ host: config.http.host, port });
  const mailboxUrl = await mailer.open({
    ...config.mail,
    publicHost: publicUrl.hostname,
    templatesDirectory: templatesDirectory(),
    log,
  });
  return { publicUrl, mailboxUrl, bootstrapKeyPath, ground, stop: (notice) => running.stop(notice) };
}

/** Links need the port before anything listens, so a port left to the system is chosen first. */
async function settlePort({ http }: Config): Promise<{ port: number; publicUrl: URL }> {
  if (http.port !== 0) return { port: http.port, publicUrl: http.publicUrl };
  const port = await freePort();
  const publicUrl = new URL(http.publicUrl);
  if (publicUrl.port === '0') publicUrl.port = String(port);
  return { port, publicUrl };
}

async function openGround(config: Config, log: Log, clock: Clock, running: Running): Promise<Ground & { url: string }> {
  const url = config.database.url ?? (await openEmbeddedServer(config, log, running));
  const orm = await openOrm({ url, poolSize: config.database.poolSize, entities, log });
  running.add('database', () => orm.close());
  const listener = new Listener(url, log);
  const feed = new FeedTail(orm.em.getConnection().getClient() as Db, listener, log);
  return { url, orm, tables: new Tables(orm), secrets: new Secrets(config.secretKeys), clock, log, feed, listener };
}

async function openEmbeddedServer({ dataDir }: Config, log: Log, running: Running): Promise<string> {
  const embedded = await startEmbeddedServer({ dataDir, log });
  running.add('embedded database', () => embedded.stop());
  return embedded.url;
}

async function prepareDatabase(config: Config, ground: Ground & { url: string }): Promise<string | null> {
  let path: string | null = null;
  const afterwards = async () => {
    ({ path } = await ensureBootstrapKey(ground, config.bootstrapApiKey, config.dataDir));
  };
  await migrate({ orm: ground.orm, url: ground.url, log: ground.log, afterwards });
  return path;
}

function templatesDirectory(): string {
  return join(packageRoot(), 'templates');
}

/** The nearest folder above with a package.json: templates lie beside it, for sources and build alike. */
function packageRoot(directory = import.meta.dirname): string {
  return existsSync(join(directory, 'package.json')) ? directory : packageRoot(dirname(directory));
}

function openConnectors(
  { allowPrivateProviders }: Config,
  log: Log,
  running: Running,
): RedemptionOptions['connectorFor'] {
  const outbound = createOutboundClient({ allowPrivateProviders, log });
  running.add('outbound', () => outbound.close());
  const openIdConnect = createOpenIdConnectConnector({ fetch: outbound.fetch, allowInsecure: allowPrivateProviders });
  return (kind) => (kind === 'OIDC' ? openIdConnect : null);
}

interface JobParts {
  mailer: Mailer;
  publicUrl: URL;
  metrics: Metrics;
  mailLimits: MailLimits;
}

/** Logos are public pictures: private addresses are refused even where identity providers may be private. */
function openLogoClient(log: Log, running: Running): (url: string) => Promise<Response> {
  const outbound = createOutboundClient({ allowPrivateProviders: false, maxBytes: MAX_LOGO_BYTES, log });
  running.add('logo client', () => outbound.close());
  return (url) => outbound.fetch(url);
}

function startWorkerOf(
  ground: Ground & { url: string },
  { config, heartbeat }: AppOptions,
  { mailer, publicUrl, metrics, mailLimits }: JobParts,
  running: Running,
): Promise<Worker> {
  const tasks = createTasks({
    context: (task) => new RequestContext(ground, systemActor(task), ground.log.child({ task })),
    deliver: (message) => mailer.deliver(message),
    bulkInvites: new BulkInviteRun(mailLimits, (actor) => new RequestContext(ground, actor)),
    fetchLogo: openLogoClient(ground.log, running),
    publicUrl,
    eventRetentionDays: config.events.retentionDays,
    observeMail: metrics.observeMail,
  });
  const db = ground.orm.em.getConnection().getClient() as Db;
  const { concurrency } = config.worker;
  return startWorker({
    url: ground.url,
    db,
    tasks,
    crontab,
    concurrency,
    log: ground.log,
    ...(heartbeat && { heartbeat }),
  });
}

async function readiness({ orm, listener }: Ground, worker: Worker, running: Running): Promise<Readiness> {
  const { ok } = await orm.em.getConnection().checkConnection();
  const migrations = ok && (await isSchemaCurrent(orm).catch(() => false));
  return { database: ok && listener.connected, migrations, worker: worker.running, accepting: !running.stopping };
}

/** On a port of its own, or beside everything else behind a token; by default not at all. */
async function serveMetrics(
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
