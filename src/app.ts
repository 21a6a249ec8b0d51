/**
 * The composition root: every part is built here by plain calls, in the order in which they need each other, and stopped in
 * the reverse one. Nothing else knows who is wired to whom, and nobody but the root sees the configuration. Beside it:
 * `foundation.ts`, what stands before the product; `guest-services.ts`, what guests go through.
 */
import 'reflect-metadata';
import { registerBulkInviteResults } from './api/bulk-invite-results-http.js';
import { registerBulkInvitesHttp } from './api/bulk-invites-http.js';
import { registerGraphqlHttp } from './api/graphql-http.js';
import { registerGraphqlSocket } from './api/graphql-socket.js';
import { buildApiSchema } from './api/schema.js';
import type { Config } from './config/config.js';
import type { Db } from './database/transaction.js';
import { Credentials } from './features/access/credentials.service.js';
import { listenForBulkInvites } from './features/bulk-invites/bulk-invite-progress.js';
import { BulkInviteRun } from './features/bulk-invites/bulk-invite-run.service.js';
import type { IdentityProviderKind } from './features/external-users/identity.entity.js';
import type { Connector } from './features/identity-providers/connector.port.js';
import { EntraOrganizations } from './features/identity-providers/entra-organizations.service.js';
import { createOpenIdConnectConnector } from './features/identity-providers/openid-connect.connector.js';
import { createSamlConnector } from './features/identity-providers/saml.connector.js';
import { SamlProviders } from './features/identity-providers/saml-providers.service.js';
import { recordBounce } from './features/invitations/bounces.service.js';
import { MailLimits } from './features/invitations/mail-limits.service.js';
import type { ProvingOptions } from './features/proving/proving.service.js';
import { AccountService } from './features/sign-in/account.service.js';
import { DeparturesService } from './features/sign-in/departures.service.js';
import { SessionsService } from './features/sign-in/sessions.service.js';
import { TenantCache } from './features/tenants/tenant-cache.service.js';
import { MAX_LOGO_BYTES } from './features/tenants/tenant-logo.service.js';
import {
  openGround,
  openMetrics,
  prepareDatabase,
  readiness,
  serveMetrics,
  settlePort,
  startTracing,
  templatesDirectory,
} from './foundation.js';
import { openGuestServices } from './guest-services.js';
import type { HeartbeatTimes } from './jobs/heartbeat.js';
import { lanesOf } from './jobs/lanes.js';
import { observeTasks } from './jobs/observed-tasks.js';
import { createTasks, crontabOf } from './jobs/tasks.js';
import { startWorker, type Workers } from './jobs/worker.js';
import { systemActor } from './kernel/actor.js';
import type { BounceReport, BounceVerdict } from './kernel/bounce-report.js';
import { type Clock, systemClock } from './kernel/clock.js';
import { type Log, withScope } from './kernel/log.js';
import type { Tracing } from './kernel/tracing.js';
import { createBounceMailbox } from './mail/bounce-mailbox.js';
import type { PaceTimes } from './mail/mail-pace.js';
import { Mailer } from './mail/mailer.js';
import { accessReview, sessionEnd } from './openid-provider/access-end.js';
import { registerAppDoor } from './openid-provider/app-door.js';
import { GuestSessions } from './openid-provider/guest-sessions.js';
import { registerInteractionPages } from './openid-provider/interaction-pages.js';
import { Issuers } from './openid-provider/issuers.js';
import { mountIssuers } from './openid-provider/mount.js';
import { openIdTasks } from './openid-provider/openid-tasks.js';
import { OperatorTokens } from './openid-provider/operator-tokens.js';
import { forgetExpiredPayloads } from './openid-provider/payload-adapter.js';
import { createOutboundClient, type OutboundFetch } from './outbound/outbound-client.js';
import { type Ground, RequestContext } from './request/request-context.js';
import { createResolvers } from './resolvers.js';
import { Running } from './running.js';
import { type Metrics } from './telemetry/metrics.js';
import { registerBounceHook } from './web/bounce-hook.js';
import { registerHealth } from './web/health.js';
import { createHttpServer } from './web/http-server.js';
import { createOpenIdPages } from './web/openid-pages.js';
import { PageRenderer } from './web/page-renderer.js';
import { registerPages } from './web/pages.js';

export interface AppOptions {
  config: Config;
  log: Log;
  clock?: Clock;
  /** When a silent process is taken for dead. */
  heartbeat?: HeartbeatTimes;
  /** How long mails wait for a mail server that is away. */
  mailPace?: PaceTimes;
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
  /** When there is no time left to stop: jobs still under way may be taken by others at once. */
  handOver(): Promise<void>;
}

/** @throws Error that says what is missing; whatever had started by then is stopped. */
export async function startApp(options: AppOptions): Promise<App> {
  const log = withScope(options.log);
  const running = new Running(log);
  try {
    return await start({ ...options, log }, running);
  } catch (error) {
    await running.stop();
    throw error;
  }
}

async function start(options: AppOptions, running: Running): Promise<App> {
  const { config, log, clock = systemClock } = options;
  const { port, publicUrl } = await settlePort(config);
  const tracing = await startTracing(config, log, running);
  const ground = await openGround(config, log, clock, running);
  const mailer = new Mailer();
  running.add('mail', () => mailer.close());
  const credentials = new Credentials(ground);
  running.add('credentials', () => credentials.stop());
  const bootstrapKeyPath = await prepareDatabase(config, ground);

  const mailLimits = new MailLimits(config.limits.mailsPerTenantPerHour);
  const { allowPrivateProviders } = config;
  const providerFetch = openProviderClient(config, log, running);
  const connectors = openConnectors(config, providerFetch, clock, publicUrl);
  const saml = new SamlProviders({ fetch: providerFetch, allowInsecure: allowPrivateProviders });
  const organizations = new EntraOrganizations(providerFetch);
  let sockets: Awaited<ReturnType<typeof registerGraphqlSocket>> | null = null;
  const metrics = openMetrics(ground, () => sockets?.open ?? 0);
  const guests = openGuestServices({
    config,
    clock,
    publicUrl,
    connectors,
    organizations,
    mailLimits,
    observe: metrics.observeRedemption,
  });
  const { redemption, sessions, secondFactors } = guests;
  const tenants = new TenantCache(ground.listener);
  const renderer = await PageRenderer.load(templatesDirectory());
  const pages = createOpenIdPages(ground, renderer, publicUrl);
  const guestSessions = new GuestSessions(sessions, publicUrl);
  const appFetch = openAppClient(config, log, running);
  sessions.onEnd(sessionEnd(ground.secrets));
  const reviewAccess = accessReview(clock);
  const issuers = new Issuers({ ground, publicUrl, sessions: guestSessions, pages, fetch: appFetch });
  const schema = await buildApiSchema(
    createResolvers({
      publicUrl,
      allowPrivateProviders,
      saml,
      organizations,
      mailLimits,
      tenants,
      redemption,
      sessions,
      reviewAccess,
      secondFactors,
    }),
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
    tracing,
    observe: metrics.observeRequest,
  });
  const operatorTokens = new OperatorTokens(ground, issuers, publicUrl);
  const authenticate = async (authorization: string | undefined) =>
    (await operatorTokens.authenticate(authorization)) ?? credentials.authenticate(authorization);
  sockets = await registerGraphqlSocket(server, {
    schema,
    ground,
    tracing,
    maxSocketsPerCredential: config.limits.socketsPerApiKey,
    authenticate,
    current: (actor) => (actor.kind === 'OPERATOR' ? operatorTokens : credentials).current(actor),
    onAccessChange: (listener) => credentials.onChange(listener),
  });
  const graphql = await registerGraphqlHttp(server, {
    schema,
    ground,
    authenticate,
    observe: metrics.observeOperation,
  });
  running.add('graphql', () => graphql.stop());
  await registerBulkInvitesHttp(server, { ground, authenticate });
  await registerBulkInviteResults(server, { ground, authenticate });

  await mountIssuers(server, { issuers, publicUrl, pages, isStopping: () => running.stopping });
  registerAppDoor(server, ground, publicUrl);
  await registerInteractionPages(server, { ground, issuers, sessions: guestSessions, pages });
  await registerPages(server, {
    ...guests,
    account: new AccountService(sessions, new DeparturesService(sessions, reviewAccess)),
    ground,
    renderer,
    publicUrl,
    templatesDirectory: templatesDirectory(),
  });
  const judgeBounce = bounceJudge(ground, metrics);
  await registerBounceHook(server, { secrets: config.mail.bounceHookSecrets, clock, log, judge: judgeBounce });
  const jobParts = { mailer, publicUrl, metrics, mailLimits, saml, sessions, issuers, tracing, judgeBounce };
  const worker = await startWorkerOf(ground, options, jobParts, running);
  running.add('worker', () => worker.stop());
  running.add('mail not opened', () => mailer.giveUp());
  registerHealth(server, { ready: () => readiness(ground, worker, running) });
  await serveMetrics(server, config, metrics, log, running);
  // Last in, first out: stop accepting and drain, then everything that requests need.
  running.add('sockets', () => sockets?.stop());
  running.add('http', () => server.close());
  await server.listen({ host: config.http.host, port });
  const mailboxUrl = await mailer.open({
    ...config.mail,
    publicHost: publicUrl.hostname,
    templatesDirectory: templatesDirectory(),
    log,
    ...(options.mailPace && { pace: options.mailPace }),
  });
  return {
    publicUrl,
    mailboxUrl,
    bootstrapKeyPath,
    ground,
    stop: (notice) => running.stop(notice),
    handOver: () => worker.handOver(),
  };
}

function openProviderClient({ allowPrivateProviders }: Config, log: Log, running: Running): OutboundFetch {
  const outbound = createOutboundClient({ allowPrivateProviders, log });
  running.add('outbound', () => outbound.close());
  return outbound.fetch;
}

/** For what apps name: their public keys, and where they want to be told that somebody signed out. */
function openAppClient({ allowPrivateApps }: Config, log: Log, running: Running): OutboundFetch {
  const outbound = createOutboundClient({ allowPrivateProviders: allowPrivateApps, log });
  running.add('app client', () => outbound.close());
  return outbound.fetch;
}

function openConnectors(
  { allowPrivateProviders }: Config,
  fetch: OutboundFetch,
  clock: Clock,
  publicUrl: URL,
): Pick<ProvingOptions, 'connectorFor' | 'formConnector'> {
  const openIdConnect = createOpenIdConnectConnector({ fetch, allowInsecure: allowPrivateProviders });
  const saml = createSamlConnector({ clock, publicUrl });
  const byKind: Partial<Record<IdentityProviderKind, Connector>> = { OIDC: openIdConnect, SAML: saml };
  return { connectorFor: (kind) => byKind[kind] ?? null, formConnector: saml };
}

interface JobParts {
  mailer: Mailer;
  publicUrl: URL;
  metrics: Metrics;
  mailLimits: MailLimits;
  saml: SamlProviders;
  sessions: SessionsService;
  issuers: Issuers;
  tracing: Tracing | null;
  judgeBounce: ReturnType<typeof bounceJudge>;
}

function bounceJudge(ground: Ground, metrics: Metrics) {
  return async (report: BounceReport): Promise<BounceVerdict> => {
    const verdict = await recordBounce(new RequestContext(ground, systemActor('Bounces')), report);
    if (verdict.outcome === 'RECORDED') metrics.observeMail('bounced');
    return verdict;
  };
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
  { mailer, publicUrl, metrics, mailLimits, saml, sessions, issuers, tracing, judgeBounce }: JobParts,
  running: Running,
): Promise<Workers> {
  const bounceMailbox = config.mail.bounceImapUrl === null ? null : createBounceMailbox(config.mail.bounceImapUrl);
  const tasks = createTasks({
    bounceMailbox,
    judgeBounce,
    context: (task) => new RequestContext(ground, systemActor(task)),
    mailServer: mailer,
    mailConnections: config.mail.maxConnections,
    bulkInvites: new BulkInviteRun(mailLimits, (actor) => new RequestContext(ground, actor), metrics.observeBulkRows),
    fetchLogo: openLogoClient(ground.log, running),
    saml,
    sessions,
    openIdTasks: openIdTasks(issuers),
    forgetOpenIdPayloads: forgetExpiredPayloads,
    publicUrl,
    eventRetentionDays: config.events.retentionDays,
    observeMail: metrics.observeMail,
  });
  const db = ground.orm.em.getConnection().getClient() as Db;
  const sizes = { concurrency: config.worker.concurrency, mailConnections: config.mail.maxConnections };
  return startWorker({
    url: ground.url,
    db,
    lanes: lanesOf(observeTasks(tasks, { tracing, observe: metrics.observeJob }), crontabOf({ bounceMailbox }), sizes),
    log: ground.log,
    ...(heartbeat && { heartbeat }),
  });
}
