/**
 * GraphQL over HTTP: POST /graphql with JSON, one operation a request, the credential in the Authorization header. Cookies
 * are ignored and no page can send such a request by itself (Apollo's CSRF prevention). Subscriptions go over the socket.
 */
import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import { fastifyApolloHandler } from '@as-integrations/fastify';
import type { FastifyInstance } from 'fastify';
import { type DocumentNode, GraphQLError, type GraphQLSchema, type OperationDefinitionNode } from 'graphql';
import { type Actor, stranger } from '../kernel/actor.js';
import { RequestError, requestErrors } from '../kernel/errors.js';
import type { Log } from '../kernel/log.js';
import { networkOf } from '../kernel/network.js';
import { currentSpan, inSpan, noteInScope } from '../kernel/scope.js';
import { type Ground, RequestContext } from '../request/request-context.js';
import { formatError } from './error-format.js';
import { checkCost, checkGuestMutationsStandAlone, checkSize, checkValues, limitRules, MAX_TOKENS } from './limits.js';

export interface GraphqlOptions {
  schema: GraphQLSchema;
  ground: Ground;
  authenticate(authorization: string | undefined): Promise<Actor | null>;
  /** Told of each finished operation, for metrics. */
  observe(operation: { name: string; kind: string; failed: boolean; seconds: number }): void;
}

/** 8 MB: a bulk invite of 10,000 rows as JSON. */
const BODY_LIMIT_BYTES = 8 * 1024 * 1024;

export async function registerGraphqlHttp(
  server: FastifyInstance,
  options: GraphqlOptions,
): Promise<{ stop(): Promise<void> }> {
  const { schema, ground } = options;
  const apollo = new ApolloServer<RequestContext>({
    schema,
    validationRules: limitRules,
    parseOptions: { maxTokens: MAX_TOKENS },
    introspection: true,
    csrfPrevention: true,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    persistedQueries: false,
    formatError: (formatted, error) => formatError(ground.log, formatted, error),
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      limits(schema),
      observation(options),
    ],
    logger: quiet(ground.log),
  });
  await apollo.start();
  const handler = fastifyApolloHandler(apollo, {
    context: async ({ headers, ip }) => contextOf(options, headers.authorization, ip),
  });
  await server.register(async (scope) => {
    scope.setErrorHandler((error, _request, reply) => unreadable(ground.log, error, reply));
    scope.post('/graphql', { bodyLimit: BODY_LIMIT_BYTES }, function (request, reply) {
      return inSpan('GraphQL', {}, async () => handler.call(this, request, reply));
    });
  });
  return { stop: () => apollo.stop() };
}

async function contextOf(
  { ground, authenticate }: GraphqlOptions,
  authorization: string | undefined,
  ip: string,
): Promise<RequestContext> {
  if (authorization === undefined) return new RequestContext(ground, stranger, ground.log, networkOf(ip));
  const actor = await authenticate(authorization);
  if (!actor) throw httpError(new RequestError('UNAUTHENTICATED'));
  const { id, tenantId } = actor;
  noteInScope({ ...(id !== null && { actor: id }), ...(tenantId !== null && { tenant: tenantId }) });
  return new RequestContext(ground, actor);
}

/** With the status that belongs to it; by itself Apollo would answer 500. */
function httpError(originalError: RequestError): GraphQLError {
  const { code, message } = originalError;
  return new GraphQLError(message, {
    originalError,
    extensions: { code, http: { status: requestErrors[code].status } },
  });
}

function limits(schema: GraphQLSchema): ApolloServerPlugin<RequestContext> {
  return {
    requestDidStart: async () => ({
      didResolveOperation: async ({ document, operation, request, contextValue }) => {
        if (operation) check(schema, document, operation, request.variables ?? {}, contextValue.actor);
      },
    }),
  };
}

function check(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Record<string, unknown>,
  actor: Actor,
): void {
  try {
    if (operation.operation === 'subscription') {
      throw new RequestError('BAD_REQUEST', {
        message: 'Subscriptions run on the socket (graphql-transport-ws), at the same path.',
      });
    }
    checkGuestMutationsStandAlone(schema, document, operation);
    checkSize(variables, { isStranger: actor.kind === 'GUEST' });
    checkValues(schema, document, operation, variables);
    checkCost(schema, document, operation, variables);
  } catch (error) {
    throw error instanceof RequestError ? httpError(error) : error;
  }
}

function observation({ observe }: GraphqlOptions): ApolloServerPlugin<RequestContext> {
  return {
    requestDidStart: async () => {
      const began = performance.now();
      return {
        didResolveOperation: async ({ operation }) => {
          if (operation) nameInScope(operation.operation, rootField(operation));
        },
        willSendResponse: async ({ operation, response }) => {
          const result = response.body.kind === 'single' ? response.body.singleResult : response.body.initialResult;
          observe({
            name: rootField(operation),
            kind: operation?.operation ?? 'unreadable',
            failed: (result.errors?.length ?? 0) > 0,
            seconds: (performance.now() - began) / 1000,
          });
        },
      };
    },
  };
}

function nameInScope(kind: string, field: string): void {
  noteInScope({ operation: field });
  const span = currentSpan();
  span?.rename(`${kind} ${field}`);
  span?.set({ 'graphql.operation.type': kind, 'graphql.operation.name': field });
}

/** The schema's own field name: a bounded set, unlike the names clients give. */
function rootField(operation: { selectionSet: { selections: readonly { kind: string }[] } } | undefined): string {
  const first = operation?.selectionSet.selections[0] as { kind: string; name?: { value: string } } | undefined;
  return first?.kind === 'Field' ? (first.name?.value ?? 'unknown') : 'unknown';
}

/** What Fastify refuses before GraphQL sees it: not JSON, too large, another content type. */
function unreadable(
  log: Log,
  error: unknown,
  reply: { code(status: number): { send(body: object): unknown } },
): unknown {
  const status = (error as { statusCode?: number }).statusCode ?? 500;
  const code = status < 500 ? 'BAD_REQUEST' : 'INTERNAL_SERVER_ERROR';
  if (status >= 500) log.error({ error: (error as Error).message }, 'request failed');
  return reply.code(status).send({ errors: [{ message: requestErrors[code].text, extensions: { code } }] });
}

function quiet(log: Log) {
  return {
    debug: () => undefined,
    info: () => undefined,
    warn: (message?: string) => log.warn({}, message ?? ''),
    error: (message?: string) => log.error({}, message ?? ''),
  };
}
