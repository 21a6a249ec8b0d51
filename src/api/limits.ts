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
  getVariableValues,
  isLeafType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  type TypeNode,
  type ValidationContext,
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

const MAX_DEPTH = 12;
const MAX_ALIASES = 30;
export const MAX_TOKENS = 4000;
/** Objects one document may ask for, pages counted whole. */
const MAX_COST = 20_000;
/** Twice a whole bulk invite, so that one with too many rows is told so by its own error. */
const MAX_LIST_LENGTH = 20_000;
/** Lists, objects and what is in them: a bulk invite with every field of every row. */
const MAX_VALUES = 250_000;
/** A guest's operation has a handful. */
const MAX_VALUES_OF_STRANGERS = 100;

/** Reported, not thrown: what is thrown inside of `validate` counts as a fault of ours. */
const tooComplex = (limit: string) => ({
  propagateOnRejection: false,
  onReject: [
    (context: ValidationContext | null) => {
      const originalError = new RequestError('QUERY_TOO_COMPLEX', {
        message: `${requestErrors.QUERY_TOO_COMPLEX.text} ${limit}`,
      });
      const extensions = { code: originalError.code };
      context?.reportError(new GraphQLError(originalError.message, { originalError, extensions }));
    },
  ],
});

/** For `validate`: their verdict is remembered with the document. */
export const limitRules: ValidationRule[] = [
  maxDepthRule({ n: MAX_DEPTH, ignoreIntrospection: true, ...tooComplex(`At most ${MAX_DEPTH} levels.`) }),
  maxAliasesRule({ n: MAX_ALIASES, ...tooComplex(`At most ${MAX_ALIASES} aliases.`) }),
];

/** A page costs what it may hold, `nodes(ids:)` what it names, a field of scalars nothing. */
const pages: ComplexityEstimator = ({ args, field, childComplexity }) => {
  const type = getNamedType(field.type);
  if (isLeafType(type)) return 0;
  if (Array.isArray(args.ids)) return args.ids.length * (1 + childComplexity);
  if (type.name.endsWith('Connection')) return 1 + childComplexity * pageSize(args);
  return 1 + childComplexity;
};

function pageSize({ first, last }: Record<string, unknown>): number {
  const size = first ?? last ?? DEFAULT_PAGE_SIZE;
  return typeof size === 'number' ? Math.min(Math.max(size, 1), MAX_PAGE_SIZE) : MAX_PAGE_SIZE;
}

/** Costs of documents whose variables cannot change them. */
const knownCosts = new WeakMap<DocumentNode, number>();

/**
 * Of the one operation that is asked for.
 * @throws RequestError QUERY_TOO_COMPLEX
 */
export function checkCost(
  schema: GraphQLSchema,
  query: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Record<string, unknown>,
): void {
  const known = knownCosts.get(query);
  const cost = known ?? costOf(schema, query, operation, variables);
  if (known === undefined && isCostFixed(query)) knownCosts.set(query, cost);
  if (cost > MAX_COST) throw tooCostly(`It costs ${cost}, the limit is ${MAX_COST}.`);
}

function costOf(
  schema: GraphQLSchema,
  query: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Record<string, unknown>,
): number {
  const operationName = operation.name?.value;
  try {
    return getComplexity({
      schema,
      query,
      variables,
      estimators: [pages],
      ...(operationName ? { operationName } : {}),
    });
  } catch (error) {
    // It gives up, without naming a node, where fragments multiply to more than 10,000 selections.
    if (error instanceof GraphQLError && !error.nodes) throw tooCostly('Use fewer fragments.');
    if (error instanceof GraphQLError) throw new RequestError('BAD_USER_INPUT', { message: error.message });
    throw error;
  }
}

function tooCostly(why: string): RequestError {
  return new RequestError('QUERY_TOO_COMPLEX', { message: `${requestErrors.QUERY_TOO_COMPLEX.text} ${why}` });
}

/** Page sizes, directives and `nodes(ids:)` take Int, Boolean and list variables; one operation, so that its name does not matter. */
function isCostFixed({ definitions }: DocumentNode): boolean {
  const operations = definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  const types = operations.flatMap((operation) => operation.variableDefinitions ?? []).map(({ type }) => type);
  return operations.length === 1 && !types.some((type) => isList(type) || ['Int', 'Boolean'].includes(namedType(type)));
}

function isList(type: TypeNode): boolean {
  return type.kind === Kind.LIST_TYPE || (type.kind === Kind.NON_NULL_TYPE && isList(type.type));
}

function namedType(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : namedType(type.type);
}

/**
 * A guest's mutation stands alone: a document with many would try many codes in one request.
 * @throws RequestError BAD_REQUEST
 */
export function checkGuestMutationsStandAlone(
  schema: GraphQLSchema,
  document: DocumentNode,
  { operation, selectionSet }: OperationDefinitionNode,
): void {
  const fields = operation === 'mutation' ? schema.getMutationType()?.getFields() : undefined;
  if (!fields) return;
  const selected = rootFields(document, selectionSet);
  if (selected.length > 1 && selected.some((name) => isGuests(fields[name]))) {
    throw new RequestError('BAD_REQUEST', { message: "A guest's mutation stands alone in its document." });
  }
}

function isGuests(field: GraphQLField<unknown, unknown> | undefined): boolean {
  const rule = field && accessRuleOf(field);
  return Boolean(rule && 'access' in rule);
}

/** Names of the fields selected, each spread of a fragment followed once. */
function rootFields(document: DocumentNode, selectionSet: SelectionSetNode, seen = new Set<string>()): string[] {
  const follow = (selection: SelectionNode): string[] => {
    if (selection.kind === Kind.FIELD) return [selection.name.value];
    if (selection.kind === Kind.INLINE_FRAGMENT) return rootFields(document, selection.selectionSet, seen);
    const { value: name } = selection.name;
    if (seen.has(name)) return [];
    seen.add(name);
    return document.definitions
      .filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION && definition.name.value === name)
      .flatMap((fragment) =>
        'selectionSet' in fragment && fragment.selectionSet ? rootFields(document, fragment.selectionSet, seen) : [],
      );
  };
  return selectionSet.selections.flatMap(follow);
}

/**
 * Before anything looks at them: values cost time by their number, and what one caller sends holds up all others.
 * @throws RequestError QUERY_TOO_COMPLEX
 */
export function checkSize(variables: Record<string, unknown>, { isStranger }: { isStranger: boolean }): void {
  const most = isStranger ? MAX_VALUES_OF_STRANGERS : MAX_VALUES;
  const waiting: unknown[] = [variables];
  for (let seen = 0; waiting.length > 0; seen++) {
    if (seen > most) throw tooCostly(`At most ${most} values in variables.`);
    const value = waiting.pop();
    if (Array.isArray(value) && value.length > MAX_LIST_LENGTH)
      throw tooCostly(`At most ${MAX_LIST_LENGTH} entries in a list.`);
    if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) waiting.push(inner);
  }
}

/**
 * Variables fit their types, and text is what PostgreSQL can store: without NUL and without halves of a surrogate pair,
 * in variables and in literals. Only what the operation declares is looked at, so nesting ends where the schema's does.
 * @throws RequestError BAD_USER_INPUT
 */
export function checkValues(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Record<string, unknown>,
): void {
  const { coerced, errors } = getVariableValues(schema, operation.variableDefinitions ?? [], variables, {
    maxErrors: 10,
  });
  if (errors?.[0]) throw new RequestError('BAD_USER_INPUT', { message: errors[0].message });
  refuseUnstorable(coerced);
  // Only an escape can write it in a document.
  if (document.loc?.source.body.includes('\\u'))
    visit(document, { StringValue: (node) => refuseUnstorable(node.value) });
}

function refuseUnstorable(value: unknown): void {
  if (typeof value === 'string' && (value.includes('\0') || !value.isWellFormed())) {
    throw new RequestError('BAD_USER_INPUT', { message: 'Text must be Unicode without the character U+0000.' });
  }
  if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) refuseUnstorable(inner);
}
