/**
 * The one HTTP server: limits, request ids, and a log line per answer. It knows no routes; pages, health and metrics
 * register theirs (this folder), GraphQL and the OpenID Provider theirs. Logs name route patterns, never URLs, because
 * links and callbacks carry secrets.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { MINUTE, SECOND } from '../kernel/clock.js';
import type { Log } from '../kernel/log.js';

export interface HttpServerOptions {
  /** CIDRs whose forwarding headers count; none: nobody's. */
  trustedProxies: readonly string[];
  log: Log;
  /** While true each answer is the last of its connection. Default: never. */
  isStopping?: () => boolean;
}

/** Until a request has arrived whole: uploads of any size are streamed, so this is long. */
const REQUEST_TIMEOUT = 15 * MINUTE;
/** A link copied with something behind it still gets the page that says so. */
const MAX_PARAMETER_LENGTH = 1000;
const KEEP_ALIVE_TIMEOUT = 72 * SECOND;
/** The operating system resets connections that wait to be accepted when the server closes: before, newcomers get a 503. */
const LAST_CALL_MILLISECONDS = 100;

export function createHttpServer({ trustedProxies, log, isStopping }: HttpServerOptions): FastifyInstance {
  const server = fastify({
    logger: false,
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    requestTimeout: REQUEST_TIMEOUT,
    routerOptions: { maxParamLength: MAX_PARAMETER_LENGTH },
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
    // An address that cannot be decoded, or is far too long: Fastify's own answer would repeat it.
    frameworkErrors: (_error, _request, reply) => refuseAddress(reply as FastifyReply),
    // A caller's own request id would let it forge log lines.
    requestIdHeader: false,
    genReqId: () => randomUUID(),
  });
  server.addHook('onSend', async (_request, reply) => {
    if (isStopping?.()) reply.header('connection', 'close');
  });
  server.addHook('preClose', () => wait(LAST_CALL_MILLISECONDS));
  server.addHook('onResponse', async (request, reply) => {
    const { id: requestId, method, routeOptions } = request;
    const answer = { status: reply.statusCode, milliseconds: Math.round(reply.elapsedTime) };
    log.info({ requestId, method, route: routeOptions.url ?? 'none', ...answer }, 'request answered');
  });
  return server;
}

function refuseAddress(reply: FastifyReply): void {
  reply.code(404).header('x-content-type-options', 'nosniff').send('There is nothing at this address.');
}
