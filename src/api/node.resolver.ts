/** `node` and `nodes`: any object of ours by its id, if the credential may read its kind. Unknown, malformed and foreign ids are null. */
import type { EntityClass } from '@mikro-orm/core';
import { Arg, Ctx, ID, Query, Resolver } from 'type-graphql';
import { ApiKey } from '../features/access/api-key.entity.js';
import { App } from '../features/apps/app.entity.js';
import { AppAssignment } from '../features/apps/app-assignment.entity.js';
import { BulkInvite } from '../features/bulk-invites/bulk-invite.entity.js';
import { ExternalUser } from '../features/external-users/external-user.entity.js';
import { Group } from '../features/groups/group.entity.js';
import { IdentityProvider } from '../features/identity-providers/identity-provider.entity.js';
import { Invitation } from '../features/invitations/invitation.entity.js';
import { RoleAssignment } from '../features/operators/role-assignment.entity.js';
import { Partner } from '../features/partners/partner.entity.js';
import { GuestSession } from '../features/sign-in/session.entity.js';
import { Tenant } from '../features/tenants/tenant.entity.js';
import { requirePermission } from '../kernel/actor.js';
import { RequestError } from '../kernel/errors.js';
import { type IdType, typeOfId } from '../kernel/ids.js';
import { rowById } from '../request/lookup.js';
import { Node } from '../request/node.js';
import { Authenticated } from '../request/permission.js';
import type { RequestContext } from '../request/request-context.js';
import { readPermissionOf } from './authorisation.js';

export const nodeEntities: Partial<Record<IdType, EntityClass<{ id: string }>>> = {
  Tenant,
  ApiKey,
  ExternalUser,
  Group,
  App,
  AppAssignment,
  IdentityProvider,
  Partner,
  Invitation,
  BulkInvite,
  Session: GuestSession,
  RoleAssignment,
};

const MAX_NODES = 100;

@Resolver()
export class NodeResolver {
  @Authenticated()
  @Query(() => Node, { nullable: true })
  node(@Ctx() ctx: RequestContext, @Arg('id', () => ID) id: string): Promise<{ id: string } | null> {
    return loadNode(ctx, id);
  }

  @Authenticated()
  @Query(() => [Node], { nullable: 'items', description: `${MAX_NODES} at most, in the order asked for.` })
  nodes(@Ctx() ctx: RequestContext, @Arg('ids', () => [ID]) ids: string[]): Promise<({ id: string } | null)[]> {
    if (ids.length > MAX_NODES)
      throw new RequestError('BAD_USER_INPUT', { message: `Ask for at most ${MAX_NODES} nodes.` });
    return Promise.all(ids.map((id) => loadNode(ctx, id)));
  }
}

async function loadNode(ctx: RequestContext, id: string): Promise<{ id: string } | null> {
  const type = typeOfId(id);
  const entity = type && nodeEntities[type];
  if (!entity) return null;
  const permission = readPermissionOf(type);
  if (permission) requirePermission(ctx.actor, permission);
  return rowById(ctx, entity, id);
}
