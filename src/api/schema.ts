/** The GraphQL surface on one page: every resolver of the product, built once per process and guarded. */
import 'reflect-metadata';
import type { GraphQLSchema } from 'graphql';
import { GraphQLDateTime } from 'graphql-scalars';
import { buildSchema } from 'type-graphql';
import { authorise } from './authorisation.js';

/** Resolvers by class, with what they were constructed with. */
export async function buildApiSchema(resolvers: readonly object[]): Promise<GraphQLSchema> {
  const instances = new Map(resolvers.map((resolver) => [resolver.constructor, resolver]));
  const schema = await buildSchema({
    resolvers: [...instances.keys()] as [() => void],
    container: { get: (type: object) => instances.get(type as () => void) },
    scalarsMap: [{ type: Date, scalar: GraphQLDateTime }],
    pubSub: unusedPubSub,
    validate: false,
  });
  return authorise(schema);
}

/** type-graphql asks for one as soon as there is a subscription; ours all bring their own source of events. */
const unusedPubSub = {
  publish(): never {
    throw new Error('Events are published by writing them to the feed.');
  },
  subscribe(): never {
    throw new Error('Subscriptions read the feed.');
  },
};
