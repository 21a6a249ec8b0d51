/**
 * GET /bulk-invites/<id>/results.csv: what became of every row, streamed as fast as the client reads. It opens with an API key
 * in the Authorization header, or as `resultsUrl` gave it: signed for this file and for an hour.
 */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isSignedFor, openResults } from '../features/bulk-invites/bulk-invite-results.service.js';
import { type Actor, requirePermission, systemActor } from '../kernel/actor.js';
import { RequestError, requestErrors } from '../kernel/errors.js';
import { describeFault } from '../kernel/fault.js';
import { type Ground, RequestContext } from '../request/request-context.js';

export interface BulkInviteResultsOptions {
  ground: Ground;
  authenticate(authorization: string | undefined): Promise<Actor | null>;
}

type ResultsRequest = FastifyRequest<{ Params: { id: string }; Querystring: Record<string, unknown> }>;

export async function registerBulkInviteResults(
  server: FastifyInstance,
  options: BulkInviteResultsOptions,
): Promise<void> {
  await server.register(async (scope) => {
    scope.setErrorHandler((error, _request, reply) => answerError(options.ground, error, reply));
    scope.get('/bulk-invites/:id/results.csv', { exposeHeadRoute: false }, async (request: ResultsRequest, reply) => {
      const { id } = request.params;
      const ctx = new RequestContext(options.ground, await readerOf(options, request));
      const results = await openResults(ctx, id);
      if (!results) throw new RequestError('NOT_FOUND');
      return reply
        .headers({
          'content-type': 'text/csv; charset=utf-8; header=present',
          'content-disposition': `attachment; filename="${id}-results.csv"`,
          'cache-control': 'no-store',
          'x-content-type-options': 'nosniff',
        })
        .send(Readable.from(results));
    });
  });
}

/** A signature, where there is one, stands for itself: which part of it is wrong is nobody's business. */
async function readerOf(
  { ground, authenticate }: BulkInviteResultsOptions,
  { params: { id }, query, headers: { authorization } }: ResultsRequest,
): Promise<Actor> {
  if (authorization === undefined && query.signature !== undefined) {
    const reader = systemActor('Results file');
    if (isSignedFor(new RequestContext(ground, reader), id, query)) return reader;
    throw new RequestError('FORBIDDEN', {
      message: 'This address is not valid, or no longer. Ask for a new resultsUrl.',
    });
  }
  const actor = await authenticate(authorization);
  if (!actor) throw new RequestError('UNAUTHENTICATED');
  requirePermission(actor, 'INVITATION_READ');
  return actor;
}

function answerError(ground: Ground, error: unknown, reply: FastifyReply): unknown {
  const { code, message } = error instanceof RequestError ? error : new RequestError('INTERNAL_SERVER_ERROR');
  if (code === 'INTERNAL_SERVER_ERROR') ground.log.error({ error: describeFault(error) }, 'request failed');
  if (code === 'UNAUTHENTICATED') reply.header('www-authenticate', 'Bearer');
  return reply.code(requestErrors[code].status).send({ errors: [{ code, field: null, message }] });
}
