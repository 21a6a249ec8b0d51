/**
 * The one HTTP server: limits, request ids, a scope for logs and traces, and a log line per answer. It knows no routes; pages, health and metrics
 * register theirs (this folder), GraphQL and the OpenID Provider theirs. Logs name route patterns, never URLs, because
 * links and callbacks carry secrets.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { MINUTE, SECOND } from '../kernel/clock.js';
import type { Log } from '../kernel/log.js';
import { inScope, openScope, type Scope } from '../kernel/scope.js';
import { parseTraceparent, type Tracing } from '../kernel/tracing.js';

export interface HttpServerOptions {
  /** CIDRs whose forwarding headers count; none: nobody's. */
  trustedProxies: readonly string[];
  log: Log;
  /** While true each answer is the last of its connection. Default: never. */
  isStopping?: () => boolean;
  /** Default: none. */
  tracing?: Tracing | null;
  /** Told of each answer, for metrics. `route`: the pattern, or `none`. */
  observe?(answer: { method: string; route: string; status: number; seconds: number }): void;
}

declare module 'fastify' {
  interface FastifyRequest {
    scope: Scope;
  }
}

/** Until a request has arrived whole: uploads of any size are streamed, so this is long. */
const REQUEST_TIMEOUT = 15 * MINUTE;
/** A link copied with something behind it still gets the page that says so. */
const MAX_PARAMETER_LENGTH = 1000;
const KEEP_ALIVE_TIMEOUT = 72 * SECOND;
/** The operating system resets connections that wait to be accepted when the server closes: before, newcomers get a 503. */
const LAST_CALL_MILLISECONDS = 100;

export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const { trustedProxies, log, isStopping } = options;
  const server = fastify({
    logger: false,
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    requestTimeout: REQUEST_TIMEOUT,
    routerOptions: { maxParamLength: MAX_PARAMETER_LENGTH },
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
    // An address that cannot be decoded, or is far too long: Fastify's own answer would repeat it.
    frameworkErrors: (_error, _request, reply) => refuseAddress(reply as FastifyReply),
    // A caller's own request id would let it forge log lines; the id of a trace can only be hexadecimal digits.
    requestIdHeader: false,
    genReqId: (request) => parseTraceparent(request.headers.traceparent)?.traceId ?? randomUUID(),
  });
  scopeRequests(server, options.tracing ?? null);
  server.addHook('onSend', async (_request, reply) => {
    if (isStopping?.()) reply.header('connection', 'close');
  });
  server.addHook('preClose', () => wait(LAST_CALL_MILLISECONDS));
  server.addHook('onResponse', async (request, reply) => {
    const { method } = request;
    const { statusCode: status, elapsedTime } = reply;
    const route = routeOf(request);
    inScope(request.scope, () =>
      log.info({ method, route, status, milliseconds: Math.round(elapsedTime) }, 'request answered'),
    );
    options.observe?.({ method, route, status, seconds: elapsedTime / SECOND });
  });
  return server;
}

/**
 * Callbacks, not promises: what follows a hook runs in the scope in which `done` was called. Twice, because the body's
 * parts arrive from outside of it.
 */
function scopeRequests(server: FastifyInstance, tracing: Tracing | null): void {
  server.decorateRequest('scope', null as unknown as Scope);
  server.addHook('onRequest', (request, reply, done) => {
    request.scope = scopeOf(request, reply, tracing);
    inScope(request.scope, done);
  });
  server.addHook('preValidation', (request, _reply, done) => inScope(request.scope, done));
}

function scopeOf(request: FastifyRequest, reply: FastifyReply, tracing: Tracing | null): Scope {
  const { id: requestId, method, headers } = request;
  const route = routeOf(request);
  const operation = `${method} ${route}`;
  const span = tracing?.start(operation, {
    kind: 'server',
    attributes: { 'http.request.method': method, 'http.route': route },
    parent: typeof headers.traceparent === 'string' ? headers.traceparent : undefined,
  });
  if (!span) return openScope({ requestId, operation });
  reply.raw.once('close', () => {
    const { statusCode: status } = reply.raw;
    span.set({ 'http.response.status_code': status });
    if (status >= 500) span.fail(String(status));
    span.end();
  });
  return openScope({ requestId, operation }, span);
}

/** Never the URL, which may be a link. */
function routeOf(request: FastifyRequest): string {
  return request.routeOptions.url ?? 'none';
}

function refuseAddress(reply: FastifyReply): void {
  reply.code(404).header('x-content-type-options', 'nosniff').send('There is nothing at this address.');
}
