/** The built schema as tests walk it: every operation with its rule, and a document that calls it with values of the right types. */
import {
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  isRequiredArgument,
  isRequiredInputField,
} from 'graphql';
import { buildApiSchema } from '../../src/api/schema.js';
import { createResolvers, type ResolverParts } from '../../src/resolvers.js';

export type OperationKind = 'query' | 'mutation' | 'subscription';

export interface Operation {
  kind: OperationKind;
  name: string;
  field: GraphQLField<unknown, unknown>;
}

/** Nothing is resolved with it, so its parts stay unbuilt. */
export function buildTestSchema(): Promise<GraphQLSchema> {
  return buildApiSchema(createResolvers({ publicUrl: new URL('http://localhost') } as ResolverParts));
}

export function operationsOf(schema: GraphQLSchema): Operation[] {
  const roots = {
    query: schema.getQueryType(),
    mutation: schema.getMutationType(),
    subscription: schema.getSubscriptionType(),
  };
  return Object.entries(roots).flatMap(([kind, root]) =>
    Object.values(root?.getFields() ?? {}).map((field) => ({ kind: kind as OperationKind, name: field.name, field })),
  );
}

/** Calls an operation with the least it takes: made-up values of the right types. */
export function sampleDocument({ kind, name, field }: Operation): string {
  const args = field.args.filter(isRequiredArgument).map((arg) => `${arg.name}: ${sampleLiteral(arg.type)}`);
  const selection = isLeafType(getNamedType(field.type)) ? '' : ' { __typename }';
  return `${kind} { ${name}${args.length > 0 ? `(${args.join(', ')})` : ''}${selection} }`;
}

function sampleLiteral(type: GraphQLInputType): string {
  if (isNonNullType(type)) return sampleLiteral(type.ofType);
  if (isListType(type)) return `[${sampleLiteral(type.ofType)}]`;
  if (isEnumType(type)) return type.getValues()[0]?.name as string;
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields()).filter(isRequiredInputField);
    return `{ ${fields.map((field) => `${field.name}: ${sampleLiteral(field.type)}`).join(', ')} }`;
  }
  const samples: Record<string, string> = { Int: '1', Float: '1', Boolean: 'true', DateTime: '"2026-01-01T00:00:00Z"' };
  return samples[type.name] ?? '"sample"';
}
