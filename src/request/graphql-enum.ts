/** Closed lists of the kernel and the features, published as GraphQL enums under one name each. */
import { registerEnumType } from 'type-graphql';
import { actorKinds, permissions } from '../kernel/actor.js';
import { userErrorCodes } from '../kernel/errors.js';

export function graphqlEnum<T extends string>(name: string, values: readonly T[], description?: string): Record<T, T> {
  const members = Object.fromEntries(values.map((value) => [value, value])) as Record<T, T>;
  registerEnumType(members, { name, ...(description ? { description } : {}) });
  return members;
}

export const PermissionEnum = graphqlEnum(
  'Permission',
  permissions,
  'What a credential may do. Platform permissions (TENANT_CREATE, TENANT_LIST) only on keys of all tenants.',
);
export const ActorKindEnum = graphqlEnum('ActorKind', actorKinds);
export const UserErrorCodeEnum = graphqlEnum('UserErrorCode', userErrorCodes);
export const OrderDirectionEnum = graphqlEnum('OrderDirection', ['ASC', 'DESC'] as const);
