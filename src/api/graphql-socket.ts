/**
 * GraphQL subscriptions over graphql-transport-ws, the protocol by graphql-ws. Queries and mutations are refused here; the
 * limits of HTTP hold. How long a socket lives is `socket/open-sockets.ts`, how a subscription runs, alone and with others,
 * `socket/subscription.ts`.
 */
import type { FastifyInstance } from 'fastify';
import { type ExecutionArgs, GraphQLError, type GraphQLSchema, getOperationAST } from 'graphql';
import type { Context, SubscribePayload } from 'graphql-ws';
import { makeHandler } from 'graphql-ws/use/@fastify/websocket';
import type { Actor } from '../kernel/actor.js';
import type { Tracing } from '../kernel/tracing.js';
import { type Ground, RequestContext } from '../request/request-context.js';
import { checkCost, checkValues } from './limits.js';
import { KnownDocuments, resumeVariables } from './socket/known-documents.js';
import { type ClosableSocket, type CredentialSource, OpenSockets } from './socket/open-sockets.js';
import { type GroupSocket, SharedSubscriptions } from './socket/shared-subscriptions.js';
import { masked, published, refusal, withCode } from './socket/socket-errors.js';
import { type PreparedSubscription, subscribe } from './socket/subscription.js';

export interface SocketOptions extends CredentialSource {
  schema: GraphQLSchema;
  ground: Ground;
  /** Null: off. */
  tracing: Tracing | null;
  /** In this process. */
  maxSocketsPerCredential: number;
  onAccessChange(listener: () => void): () => void;
}

const MAX_PAYLOAD_BYTES = 256 * 1024;
/** Registered with IANA for RFC 6455: clients come back, and find another process or the next start. */
const SERVICE_RESTART = 1012;
const GOODBYE_MILLISECONDS = 1000;
const MAX_SUBSCRIPTIONS_PER_SOCKET = 100;

interface Extra extends Record<PropertyKey, unknown> {
  actor: Actor;
}

type Connection = Context<Record<string, unknown>, Extra & { socket: ClosableSocket & GroupSocket }>;

export async function registerGraphqlSocket(
  server: FastifyInstance,
  options: SocketOptions,
): Promise<{ stop(): void; readonly open: number }> {
  const { schema, ground, tracing } = options;
  const sockets = new OpenSockets(ground, options, options.maxSocketsPerCredential);
  const documents = new KnownDocuments(schema);
  const groups = new SharedSubscriptions(ground.log);
  const { default: websocket } = await import('@fastify/websocket');
  await server.register(websocket, { options: { maxPayload: MAX_PAYLOAD_BYTES }, preClose: sayGoodbye });
  const handler = makeHandler<Record<string, unknown>, Extra>({
    schema,
    connectionInitWaitTimeout: 10_000,
    onConnect: (connection) => admit(sockets, connection as Connection),
    onSubscribe: (connection, id, payload) => prepare(options, documents, connection as Connection, id, payload),
    subscribe: (args) => subscribe({ ground, groups, tracing }, args as PreparedSubscription),
    onNext: (_connection, _id, _payload, _args, result) => published(ground, result),
    onError: (_connection, _id, _payload, errors) =>
      errors.map((error) => masked(ground, error as GraphQLError).toJSON()),
    isProd: true,
  });
  await server.register(async (scope) => {
    scope.get('/graphql', { websocket: true }, handler);
  });
  const stopWatching = options.onAccessChange(() => sockets.recheckAll());
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

async function admit(sockets: OpenSockets, { connectionParams, extra }: Connection): Promise<boolean> {
  const actor = await sockets.admit(extra.socket, connectionParams?.authorization ?? connectionParams?.Authorization);
  if (actor) extra.actor = actor;
  return actor !== null;
}

/** Parses, validates and limits; what it answers is executed, an array of errors refuses the one operation. */
function prepare(
  { schema, ground }: SocketOptions,
  documents: KnownDocuments,
  { extra: { actor, socket }, subscriptions }: Connection,
  id: string,
  payload: SubscribePayload,
): PreparedSubscription | readonly GraphQLError[] {
  if (Object.keys(subscriptions).length >= MAX_SUBSCRIPTIONS_PER_SOCKET) return [refusal('RATE_LIMITED')];
  try {
    const document = documents.read(payload.query);
    if (!('kind' in document)) return document.map((error) => withCode(error, 'GRAPHQL_VALIDATION_FAILED'));
    const operation = getOperationAST(document, payload.operationName);
    if (operation?.operation !== 'subscription') {
      return [
        refusal('BAD_REQUEST', 'Only subscriptions run on this socket; send queries and mutations by HTTP POST.'),
      ];
    }
    const variableValues = payload.variables ?? {};
    checkValues(schema, document, operation, variableValues);
    checkCost(schema, document, operation, variableValues);
    const args = { schema, document, variableValues, operationName: payload.operationName ?? null };
    const shareKey = shareKeyOf(actor, payload.query, args);
    return { ...args, contextValue: new RequestContext(ground, actor), id, socket, shareKey };
  } catch (error) {
    if (error instanceof GraphQLError) return [withCode(error, 'GRAPHQL_PARSE_FAILED')];
    const { message } = error as Error;
    return [masked(ground, new GraphQLError(message, { originalError: error as Error }))];
  }
}

/** What an answer depends on. Where a subscription resumes is no part of it: it is replayed alone. */
function shareKeyOf(
  { kind, tenantId, permissions }: Actor,
  query: string,
  { document, operationName, variableValues }: Pick<ExecutionArgs, 'document' | 'operationName' | 'variableValues'>,
): string {
  const resume = new Set(resumeVariables(document, operationName ?? null));
  const variables = Object.entries(variableValues ?? {})
    .filter(([name]) => !resume.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([kind, tenantId, [...permissions].sort(), operationName, variables, query]);
}
