/**
 * Default deny, declared where the operation is: `@Requires('GROUP_WRITE')` or, for the few a stranger may call,
 * `@Public()`. `api/authorisation.ts` enforces both and refuses to build a schema with an operation that has neither.
 */
import { Extensions } from 'type-graphql';
import type { Permission } from '../kernel/actor.js';

export type AccessRule = { permission: Permission } | { access: 'public' } | { access: 'authenticated' };

export function Requires(permission: Permission): MethodDecorator & PropertyDecorator {
  return Extensions({ permission } satisfies AccessRule);
}

/** For callers without a credential: the guest's own operations. */
export function Public(): MethodDecorator & PropertyDecorator {
  return Extensions({ access: 'public' } satisfies AccessRule);
}

/** Any valid credential; what it shows is protected by type. */
export function Authenticated(): MethodDecorator & PropertyDecorator {
  return Extensions({ access: 'authenticated' } satisfies AccessRule);
}
