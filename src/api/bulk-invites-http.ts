/**
 * POST /bulk-invites: a CSV file of any size as the body of one request, its options as query parameters, the credential in
 * the Authorization header. Everything that can be refused is refused before the file is read. Owned here: the request and
 * its answer; what an upload is, is `bulk-invites/bulk-invite-upload.service.ts`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { beginUpload } from '../features/bulk-invites/bulk-invite-upload.service.js';
import { type Actor, requirePermission } from '../kernel/actor.js';
import { SECOND } from '../kernel/clock.js';
import {
  RequestError,
  refuse,
  requestErrors,
  UserError,
  type UserErrorCode,
  type UserErrorEntry,
} from '../kernel/errors.js';
import { describeFault } from '../kernel/fault.js';
import { noteInScope } from '../kernel/scope.js';
import { type Ground, RequestContext } from '../request/request-context.js';
import { arrivingBytes, unpackedBytes } from './upload-bytes.js';
import { type QueryParameters, uploadOptions } from './upload-options.js';

export interface BulkInvitesHttpOptions {
  ground: Ground;
  authenticate(authorization: string | undefined): Promise<Actor | null>;
  /** Milliseconds; see below. For tests, which do not wait for the real ones. */
  times?: Partial<UploadTimes>;
}

interface UploadTimes {
  /** Without a byte. */
  idle: number;
  /** What an upload still gets to end by itself when the process stops; within SHUTDOWN_DRAIN_SECONDS. */
  stopping: number;
  /**
   * After an answer that came before the file's end, so long the rest is read and thrown away: a connection that is cut while
   * the client sends can take the answer with it.
   */
  lingering: number;
}

const defaultTimes: UploadTimes = { idle: 60 * SECOND, stopping: 4 * SECOND, lingering: 5 * SECOND };

const PATH = '/bulk-invites';
/** Behind a balancer another process answers at once. */
const RETRY_SECONDS = 5;
const otherMethods = ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
/** The charset of text/csv is UTF-8 (RFC 7111 section 5.1), of which US-ASCII is a part. */
const csvType = /^text\/csv\s*(?:$|;)/i;
const otherCharset = /;\s*charset\s*=\s*"?(?!utf-?8\b|us-ascii\b)/i;

/** Of those not listed: 422, understood but impossible (RFC 9110 section 15.5.21). */
const statuses: Partial<Record<UserErrorCode, number>> = {
  CONFLICT: 409,
  CANCELLED: 409,
  UPLOAD_INCOMPLETE: 400,
};

export async function registerBulkInvitesHttp(server: FastifyInstance, options: BulkInvitesHttpOptions): Promise<void> {
  const times = { ...defaultTimes, ...options.times };
  const stopping = new AbortController();
  continueWhenWanted(server);
  await server.register(async (scope) => {
    // The stream itself, whatever its type: what is wrong with it is said after who sends it is known.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    scope.setErrorHandler((error, request, reply) => answerError(options.ground, error, request, reply));
    scope.addHook('onResponse', async ({ raw }) => discardRest(raw, times.lingering));
    scope.addHook('preClose', async () => {
      setTimeout(() => stopping.abort(interrupted()), times.stopping).unref();
    });
    scope.route({ method: otherMethods, url: PATH, handler: async (_request, reply) => refuseMethod(reply) });
    scope.post(PATH, async (request, reply) => {
      const ctx = await contextOf(options, request);
      const isPacked = checkType(request);
      const upload = await beginUpload(
        ctx,
        uploadOptions(request.query as QueryParameters, headerOf(request, 'idempotency-key')),
      );
      askForBody(request.raw, reply.raw);
      const arriving = arrivingBytes(request.raw, times.idle);
      await upload.receive(isPacked ? unpackedBytes(arriving) : arriving, stopping.signal);
      return reply.code(202).send({ bulkInviteId: upload.bulkInviteId });
    });
  });
}

/** Node would ask every client for its body before anybody has looked at the request's head. */
function continueWhenWanted({ server }: FastifyInstance): void {
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (!isUpload(request)) response.writeContinue();
    server.emit('request', request, response);
  });
}

function isUpload({ method, url }: IncomingMessage): boolean {
  return method === 'POST' && (url === PATH || url?.startsWith(`${PATH}?`) === true);
}

function askForBody(request: IncomingMessage, response: ServerResponse): void {
  if (isWaitingToSend(request)) response.writeContinue();
}

/** RFC 9110 section 10.1.1 */
function isWaitingToSend({ headers }: IncomingMessage): boolean {
  return headers.expect?.toLowerCase() === '100-continue';
}

async function contextOf(
  { ground, authenticate }: BulkInvitesHttpOptions,
  request: FastifyRequest,
): Promise<RequestContext> {
  const actor = await authenticate(request.headers.authorization);
  if (!actor) throw new RequestError('UNAUTHENTICATED');
  requirePermission(actor, 'INVITATION_WRITE');
  const { id, tenantId } = actor;
  noteInScope({ ...(id !== null && { actor: id }), ...(tenantId !== null && { tenant: tenantId }) });
  return new RequestContext(ground, actor);
}

class UnsupportedMediaType extends RequestError {}

/** @returns whether the file is packed. */
function checkType(request: FastifyRequest): boolean {
  const type = headerOf(request, 'content-type') ?? '';
  if (!csvType.test(type) || otherCharset.test(type)) {
    throw unsupportedType();
  }
  const encoding = (headerOf(request, 'content-encoding') ?? 'identity').toLowerCase();
  if (encoding === 'identity') return false;
  // RFC 9110 section 8.4.1.3
  if (encoding === 'gzip' || encoding === 'x-gzip') return true;
  throw new UnsupportedMediaType('BAD_REQUEST', { message: 'Send the file packed by gzip, or as it is.' });
}

function unsupportedType(): UnsupportedMediaType {
  return new UnsupportedMediaType('BAD_REQUEST', { message: 'Send the file as Content-Type: text/csv, in UTF-8.' });
}

function headerOf(request: FastifyRequest, name: string): string | undefined {
  return [request.headers[name] ?? []].flat()[0];
}

function refuseMethod(reply: FastifyReply): FastifyReply {
  const message = 'Send the file with POST.';
  return reply
    .code(405)
    .header('allow', 'POST')
    .send(answerOf([requestEntry('BAD_REQUEST', message)]));
}

function answerError(ground: Ground, error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  // Nothing is on its way yet, and now nothing will be.
  if (isWaitingToSend(request.raw) && !request.raw.readableDidRead) reply.header('connection', 'close');
  if (error instanceof UserError) return answerRefusal(error, reply);
  if (error instanceof RequestError) return answerRequestError(error, reply);
  if ((error as { statusCode?: number }).statusCode === 415) return answerRequestError(unsupportedType(), reply);
  ground.log.error({ error: describeFault(error) }, 'upload failed');
  const { status, text } = requestErrors.INTERNAL_SERVER_ERROR;
  return reply.code(status).send(answerOf([requestEntry('INTERNAL_SERVER_ERROR', text)]));
}

function answerRefusal(error: UserError, reply: FastifyReply): FastifyReply {
  const entries = error.entries.map(atParameter);
  const waiting = entries[0]?.retryAfterSeconds ?? null;
  if (waiting !== null) reply.header('retry-after', waiting);
  return reply.code(statusOf(error)).send(answerOf(entries));
}

function statusOf(error: UserError): number {
  const [first] = error.entries;
  // The tenant is what the address is about; an app that is not found is an option among others.
  if (first?.code === 'NOT_FOUND' && first.field?.[0] === 'tenantId') return 404;
  if (first?.code === 'UPLOAD_INCOMPLETE' && first.retryAfterSeconds !== null) return 503;
  return statuses[error.code] ?? 422;
}

function answerRequestError(error: RequestError, reply: FastifyReply): FastifyReply {
  if (error.code === 'UNAUTHENTICATED') reply.header('www-authenticate', 'Bearer');
  if (error instanceof UnsupportedMediaType) reply.header('accept-encoding', 'gzip');
  const status = error instanceof UnsupportedMediaType ? 415 : requestErrors[error.code].status;
  return reply.code(status).send(answerOf([requestEntry(error.code, error.message)]));
}

/** `code` is one of `UserErrorCode` or of the codes of top-level errors. */
type AnsweredError = Omit<UserErrorEntry, 'code'> & { code: string };

function answerOf(errors: AnsweredError[]): { errors: AnsweredError[] } {
  return { errors };
}

function requestEntry(code: string, message: string): AnsweredError {
  return { field: null, message, code, retryAfterSeconds: null };
}

/** Defaults stand among the other parameters here. */
function atParameter(entry: UserErrorEntry): UserErrorEntry {
  return entry.field?.[0] === 'defaults' ? { ...entry, field: entry.field.slice(1) } : entry;
}

function interrupted(): UserError {
  const message = 'The gateway is stopping before the file was whole. Send it again, with the same key.';
  return refuse('UPLOAD_INCOMPLETE', { field: ['file'], message, retryAfterSeconds: RETRY_SECONDS });
}

function discardRest(request: IncomingMessage, milliseconds: number): void {
  if (request.complete) return;
  request.resume();
  setTimeout(() => request.complete || request.destroy(), milliseconds).unref();
}
