/**
 * The one place where errors become GraphQL errors, for HTTP and sockets alike. What we threw on purpose keeps its code and
 * text; what GraphQL itself refused keeps its message; everything else is a fault: logged whole, shown as one sentence.
 */
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { RequestError, type RequestErrorCode, requestErrors } from '../kernel/errors.js';
import { describeFault } from '../kernel/fault.js';
import type { Log } from '../kernel/log.js';

/** Apollo's names for what we call BAD_REQUEST or BAD_USER_INPUT. */
const renamed: Record<string, RequestErrorCode> = {
  PERSISTED_QUERY_NOT_FOUND: 'BAD_REQUEST',
  PERSISTED_QUERY_NOT_SUPPORTED: 'BAD_REQUEST',
  OPERATION_RESOLUTION_FAILURE: 'BAD_REQUEST',
};

const isOurs = (code: unknown): code is RequestErrorCode => typeof code === 'string' && code in requestErrors;

export function formatError(log: Log, formatted: GraphQLFormattedError, error: unknown): GraphQLFormattedError {
  const { message, locations, path } = formatted;
  const place = { ...(locations ? { locations } : {}), ...(path ? { path } : {}) };
  const { code, text } = classify(log, formatted, error);
  return { message: text ?? message, ...place, extensions: { code } };
}

function classify(
  log: Log,
  formatted: GraphQLFormattedError,
  error: unknown,
): { code: RequestErrorCode; text?: string } {
  const cause = error instanceof GraphQLError ? (error.originalError ?? error) : error;
  if (cause instanceof RequestError) {
    if (cause.detail) log.info({ code: cause.code, detail: cause.detail }, 'request refused');
    return { code: cause.code, text: cause.message };
  }
  const code = formatted.extensions?.code;
  const known = isOurs(code) ? code : renamed[String(code)];
  if (known && known !== 'INTERNAL_SERVER_ERROR') return { code: known };
  if (cause instanceof GraphQLError && cause.originalError === undefined && code === undefined)
    return { code: 'GRAPHQL_VALIDATION_FAILED' };
  log.error({ error: describeFault(cause), path: formatted.path }, 'request failed');
  return { code: 'INTERNAL_SERVER_ERROR', text: requestErrors.INTERNAL_SERVER_ERROR.text };
}
