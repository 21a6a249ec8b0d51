/** Answers of the socket, without what only the log may say. graphql-ws bypasses Apollo, so it is done here. */
import { GraphQLError } from 'graphql';
import { requestErrors } from '../../kernel/errors.js';
import type { Ground } from '../../request/request-context.js';
import { formatError } from '../error-format.js';

interface Result {
  data?: unknown;
  errors?: readonly GraphQLError[] | undefined;
}

/** The payload of a `next` message. */
export function published(ground: Ground, { data, errors }: Result): object {
  return errors ? { data: data ?? null, errors: errors.map((error) => masked(ground, error).toJSON()) } : { data };
}

export function masked({ log }: Ground, error: GraphQLError): GraphQLError {
  const { message, extensions } = formatError(log, error.toJSON(), error);
  return new GraphQLError(message, {
    nodes: error.nodes ?? null,
    path: error.path ?? null,
    extensions: extensions ?? null,
  });
}

export function withCode(error: GraphQLError, code: string): GraphQLError {
  return error.extensions.code
    ? error
    : new GraphQLError(error.message, { nodes: error.nodes ?? null, extensions: { code } });
}

export function refusal(code: keyof typeof requestErrors, message?: string): GraphQLError {
  return new GraphQLError(message ?? requestErrors[code].text, { extensions: { code } });
}
