/**
 * What a document may ask for, the same over HTTP and sockets: depth, aliases, tokens, and a cost that counts every object
 * a page could hold, before anything runs. A guest's mutation stands alone in its document.
 */
import { createRequire } from 'node:module';
import { maxAliasesRule } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthRule } from '@escape.tech/graphql-armor-max-depth';
import {
  type DocumentNode,
  GraphQLError,
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  isLeafType,
  Kind,
  type OperationDefinitionNode,
  type TypeNode,
  type ValidationRule,
  visit,
} from 'graphql';
import type { ComplexityEstimator } from 'graphql-query-complexity';
import { RequestError, requestErrors } from '../kernel/errors.js';
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from '../request/connection.js';
import { accessRuleOf } from './authorisation.js';

/** Its ESM build imports `graphql/index.mjs`, a second instance of graphql that refuses our schema; CommonJS shares ours. */
const { getComplexity } = createRequire(import.meta.url)(
  'graphql-query-complexity',
) as typeof import('graphql-query-complexity');

export const MAX_DEPTH = 12;
export const MAX_ALIASES = 30;
export const MAX_TOKENS = 4000;
/** Objects one document may ask for, pages counted whole. */
export const MAX_COST = 20_000;

const tooComplex = (limit: string): { errorMessage: string; propagateOnRejection: false; onReject: [() => never] } => ({
  errorMessage: limit,
  propagateOnRejection: false,
  onReject: [
    () => {
      throw new GraphQLError(`${requestErrors.QUERY_TOO_COMPLEX.text} ${limit}`, {
        extensions: { code: 'QUERY_TOO_COMPLEX' },
      });
    },
  ],
});

/** For `validate`: their verdict is remembered with the document. */
export const limitRules: ValidationRule[] = [
  maxDepthRule({ n: MAX_DEPTH, ignoreIntrospection: true, ...tooComplex(`At most ${MAX_DEPTH} levels.`) }),
  maxAliasesRule({ n: MAX_ALIASES, ...tooComplex(`At most ${MAX_ALIASES} aliases.`) }),
];

/** A page costs what it may hold; a `nodes(ids:)` as many as the limit; a field of scalars nothing. */
const pages: ComplexityEstimator = ({ args, field, childComplexity }) => {
  const type = getNamedType(field.type);
  if (isLeafType(type)) return 0;
  if (type.name.endsWith('Connection')) return 1 + childComplexity * pageSize(args);
  return 1 + childComplexity;
};

function pageSize({ first, last }: Record<string, unknown>): number {
  const size = first ?? last ?? DEFAULT_PAGE_SIZE;
  return typeof size === 'number' ? Math.min(Math.max(size, 1), MAX_PAGE_SIZE) : MAX_PAGE_SIZE;
}

/** Costs of documents whose variables cannot change them. */
const knownCosts = new WeakMap<DocumentNode, number>();

/** @throws RequestError QUERY_TOO_COMPLEX */
export function checkCost(
  schema: GraphQLSchema,
  query: DocumentNode,
  variables: Record<string, unknown>,
  operationName?: string | null,
): void {
  const known = knownCosts.get(query);
  const cost =
    known ??
    getComplexity({ schema, query, variables, estimators: [pages], ...(operationName ? { operationName } : {}) });
  if (known === undefined && isCostFixed(query)) knownCosts.set(query, cost);
  if (cost > MAX_COST)
    throw new RequestError('QUERY_TOO_COMPLEX', {
      message: `${requestErrors.QUERY_TOO_COMPLEX.text} It costs ${cost}, the limit is ${MAX_COST}.`,
    });
}

/** Page sizes and directives take Int and Boolean variables; one operation, so that its name does not matter. */
function isCostFixed({ definitions }: DocumentNode): boolean {
  const operations = definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  const names = operations
    .flatMap((operation) => operation.variableDefinitions ?? [])
    .map(({ type }) => namedType(type));
  return operations.length === 1 && !names.includes('Int') && !names.includes('Boolean');
}

function namedType(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : namedType(type.type);
}

/**
 * A guest's mutation stands alone: a document with many would try many codes in one request.
 * @throws RequestError BAD_REQUEST
 */
export function checkGuestMutationsStandAlone(schema: GraphQLSchema, operation: OperationDefinitionNode): void {
  const fields = operation.operation === 'mutation' ? schema.getMutationType()?.getFields() : undefined;
  if (!fields) return;
  const selected = operation.selectionSet.selections;
  const guests = selected.filter((selection) => {
    if (selection.kind !== Kind.FIELD) return true;
    const rule =
      fields[selection.name.value] && accessRuleOf(fields[selection.name.value] as GraphQLField<unknown, unknown>);
    return rule !== undefined && rule !== null && 'access' in rule;
  });
  if (guests.length > 0 && selected.length > 1) {
    throw new RequestError('BAD_REQUEST', {
      message: "A guest's mutation stands alone in its document, outside of fragments.",
    });
  }
}

/**
 * PostgreSQL stores no NUL in text, so it is refused before it reaches a statement, in variables and in literals.
 * @throws RequestError BAD_USER_INPUT
 */
export function checkText(document: DocumentNode, variables: unknown): void {
  refuseNul(variables);
  // Only an escape can write it in a document.
  if (document.loc?.source.body.includes('\\u')) visit(document, { StringValue: (node) => refuseNul(node.value) });
}

function refuseNul(value: unknown): void {
  if (typeof value === 'string' && value.includes('\0')) {
    throw new RequestError('BAD_USER_INPUT', { message: 'Text must not contain the character U+0000.' });
  }
  if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) refuseNul(inner);
}
