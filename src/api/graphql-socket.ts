/**
 * GraphQL subscriptions over graphql-transport-ws. The socket lives as long as its credential: it closes when the key
 * expires, is revoked or loses rights. Each event is resolved in a context of its own, so that nothing loaded for one
 * event is answered for the next. Queries and mutations are refused here; the limits of HTTP hold.
 */
import type { FastifyInstance } from 'fastify';
import {
  createSourceEventStream,
  type ExecutionArgs,
  execute,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  parse,
  specifiedRules,
  validate,
} from 'graphql';
import { CloseCode, type Context, type SubscribePayload } from 'graphql-ws';
import { makeHandler } from 'graphql-ws/use/@fastify/websocket';
import type { Actor } from '../kernel/actor.js';
import { requestErrors } from '../kernel/errors.js';
import { type Ground, RequestContext } from '../request/request-context.js';
import { formatError } from './error-format.js';
import { checkCost, checkValues, limitRules, MAX_TOKENS } from './limits.js';

export interface SocketOptions {
  schema: GraphQLSchema;
  ground: Ground;
  authenticate(authorization: string | undefined): Promise<Actor | null>;
  current(actor: Actor): Promise<Actor | null>;
  onAccessChange(listener: () => void): () => void;
}

const MAX_PAYLOAD_BYTES = 256 * 1024;
/** Registered with IANA for RFC 6455: clients come back, and find another process or the next start. */
const SERVICE_RESTART = 1012;
const GOODBYE_MILLISECONDS = 1000;
const MAX_SUBSCRIPTIONS_PER_SOCKET = 100;
/** Longest delay setTimeout takes; a key that ends later is checked again then. */
const MAX_TIMER_MILLISECONDS = 2_147_483_647;

interface Extra extends Record<PropertyKey, unknown> {
  actor: Actor;
}

interface OpenSocket {
  actor: Actor;
  close(code: number, reason: string): void;
}

export async function registerGraphqlSocket(
  server: FastifyInstance,
  options: SocketOptions,
): Promise<{ stop(): void; readonly open: number }> {
  const sockets = new Set<OpenSocket>();
  const { default: websocket } = await import('@fastify/websocket');
  await server.register(websocket, { options: { maxPayload: MAX_PAYLOAD_BYTES }, preClose: sayGoodbye });
  const handler = makeHandler<Record<string, unknown>, Extra>({
    schema: options.schema,
    connectionInitWaitTimeout: 10_000,
    onConnect: (connection) => admit(options, sockets, connection as Connection),
    onSubscribe: (connection, _id, payload) => prepare(options, connection as Connection, payload),
    subscribe: (args) => subscribeWithFreshContext(options.ground, args as ExecutionArgs),
    onNext: (_connection, _id, _payload, _args, result) =>
      result.errors
        ? { data: result.data ?? null, errors: result.errors.map((error) => masked(options.ground, error).toJSON()) }
        : undefined,
    onError: (_connection, _id, _payload, errors) =>
      errors.map((error) => masked(options.ground, error as GraphQLError).toJSON()),
    isProd: true,
  });
  await server.register(async (scope) => {
    scope.get('/graphql', { websocket: true }, handler);
  });
  const stopWatching = options.onAccessChange(() => {
    for (const socket of sockets) void recheck(options, socket);
  });
  return {
    stop: stopWatching,
    get open() {
      return sockets.size;
    },
  };
}

/** Part of closing the server. A client that does not answer the close frame is not waited for: ws itself would, 30 seconds. */
function sayGoodbye(this: FastifyInstance, done: () => void): void {
  const { clients } = this.websocketServer;
  for (const client of clients) client.close(SERVICE_RESTART, 'The gateway is stopping');
  setTimeout(() => {
    for (const client of clients) client.terminate();
  }, GOODBYE_MILLISECONDS).unref();
  this.websocketServer.close();
  done();
}

type Connection = Context<
  Record<string, unknown>,
  Extra & { socket: { close(code: number, reason: string): void; once(event: 'close', listener: () => void): void } }
>;

async function admit(options: SocketOptions, sockets: Set<OpenSocket>, connection: Connection): Promise<boolean> {
  const authorization = connection.connectionParams?.authorization ?? connection.connectionParams?.Authorization;
  const { socket } = connection.extra;
  const closed = new AbortController();
  socket.once('close', () => closed.abort());
  const actor = typeof authorization === 'string' ? await options.authenticate(authorization) : null;
  if (!actor || closed.signal.aborted) return false;
  const open: OpenSocket = { actor, close: (code, reason) => socket.close(code, reason) };
  connection.extra.actor = actor;
  sockets.add(open);
  const stopTimer = closeAtExpiry(options, open);
  closed.signal.addEventListener('abort', () => {
    stopTimer();
    sockets.delete(open);
  });
  // The credential may have ended after it was read and before its socket was known here.
  void recheck(options, open);
  return true;
}

function closeAtExpiry({ ground }: SocketOptions, open: OpenSocket): () => void {
  const { expiresAt } = open.actor;
  if (!expiresAt) return () => undefined;
  const left = () => expiresAt.getTime() - ground.clock.now().getTime();
  let timer: NodeJS.Timeout;
  const check = () => {
    if (left() <= 0) return endCredential(open);
    timer = setTimeout(check, Math.min(left(), MAX_TIMER_MILLISECONDS));
  };
  timer = setTimeout(check, Math.min(Math.max(left(), 0), MAX_TIMER_MILLISECONDS));
  return () => clearTimeout(timer);
}

/** Rights only ever shrink or stay on an open socket: a changed key means a new connection. */
async function recheck({ current, ground }: SocketOptions, open: OpenSocket): Promise<void> {
  try {
    const now = await current(open.actor);
    const same =
      now &&
      now.tenantId === open.actor.tenantId &&
      [...open.actor.permissions].every((permission) => now.permissions.has(permission));
    if (!same) endCredential(open);
  } catch (error) {
    ground.log.warn(
      { error: (error as Error).message },
      'a credential could not be checked again; its socket is closed',
    );
    endCredential(open);
  }
}

/** Clients do not come back by themselves with a credential that was refused. */
function endCredential(open: OpenSocket): void {
  open.close(CloseCode.Forbidden, 'The credential has ended');
}

/** Parses, validates and limits; what it answers is executed, an array of errors refuses the one operation. */
function prepare(
  options: SocketOptions,
  connection: Connection,
  { query, variables, operationName }: SubscribePayload,
): ExecutionArgs | readonly GraphQLError[] {
  const { schema, ground } = options;
  if (Object.keys(connection.subscriptions).length >= MAX_SUBSCRIPTIONS_PER_SOCKET) return [refusal('RATE_LIMITED')];
  try {
    const document = parse(query, { maxTokens: MAX_TOKENS });
    const errors = validate(schema, document, [...specifiedRules, ...limitRules]);
    if (errors.length > 0) return errors.map((error) => withCode(error, 'GRAPHQL_VALIDATION_FAILED'));
    const operation = getOperationAST(document, operationName);
    if (operation?.operation !== 'subscription') {
      return [
        refusal('BAD_REQUEST', 'Only subscriptions run on this socket; send queries and mutations by HTTP POST.'),
      ];
    }
    checkValues(schema, document, operation, variables ?? {});
    checkCost(schema, document, operation, variables ?? {});
    return {
      schema,
      document,
      variableValues: variables ?? {},
      operationName: operationName ?? null,
      contextValue: new RequestContext(ground, connection.extra.actor),
    };
  } catch (error) {
    if (error instanceof GraphQLError) return [withCode(error, 'GRAPHQL_PARSE_FAILED')];
    const { message } = error as Error;
    return [masked(ground, new GraphQLError(message, { originalError: error as Error }))];
  }
}

/**
 * graphql-js keeps one context for the life of a subscription; this gives every event its own. An explicit iterator:
 * around an async generator `return()` would stay pending until the next event.
 */
async function subscribeWithFreshContext(ground: Ground, args: ExecutionArgs) {
  const source = await createSourceEventStream(args);
  if (!(Symbol.asyncIterator in source)) return source;
  const events = (source as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  const { actor } = args.contextValue as RequestContext;
  const respond = async (event: IteratorResult<unknown>) =>
    event.done
      ? event
      : {
          done: false as const,
          value: await execute({ ...args, rootValue: event.value, contextValue: new RequestContext(ground, actor) }),
        };
  return {
    next: async () => respond(await events.next()),
    return: async () => {
      await events.return?.();
      return { done: true as const, value: undefined };
    },
    throw: async (error: unknown) => {
      await events.return?.();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function masked({ log }: Ground, error: GraphQLError): GraphQLError {
  const { message, extensions } = formatError(log, error.toJSON(), error);
  return new GraphQLError(message, {
    nodes: error.nodes ?? null,
    path: error.path ?? null,
    extensions: extensions ?? null,
  });
}

function withCode(error: GraphQLError, code: string): GraphQLError {
  return error.extensions.code
    ? error
    : new GraphQLError(error.message, { nodes: error.nodes ?? null, extensions: { code } });
}

function refusal(code: keyof typeof requestErrors, message?: string): GraphQLError {
  return new GraphQLError(message ?? requestErrors[code].text, { extensions: { code } });
}
