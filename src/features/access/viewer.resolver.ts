/** The credential in use, as its holder may see it. */
import { Ctx, Field, FieldResolver, ObjectType, Query, Resolver, Root } from 'type-graphql';
import type { Row } from '../../database/table.js';
import { type Actor, type Permission, permissions } from '../../kernel/actor.js';
import { PermissionEnum } from '../../request/graphql-enum.js';
import { rowById } from '../../request/lookup.js';
import { Authenticated } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { Tenant } from '../tenants/tenant.entity.js';

@ObjectType({ simpleResolvers: true, description: 'The credential in use.' })
export class Viewer {
  @Field(() => String)
  name!: string;

  @Field(() => [PermissionEnum])
  permissions!: Permission[];

  tenantId!: string | null;
}

@Resolver(() => Viewer)
export class ViewerResolver {
  @Authenticated()
  @Query(() => Viewer)
  viewer(@Ctx() { actor }: RequestContext): Viewer {
    return { name: actor.displayName, tenantId: actor.tenantId, permissions: permissionsOf(actor) };
  }

  @FieldResolver(() => Tenant, { nullable: true, description: 'Null: all tenants.' })
  tenant(@Ctx() ctx: RequestContext, @Root() viewer: Viewer): Promise<Row<Tenant> | null> | null {
    return viewer.tenantId === null ? null : rowById(ctx, Tenant, viewer.tenantId);
  }
}

/** In the order of the list, whatever order they were given in. */
function permissionsOf(actor: Actor): Permission[] {
  return permissions.filter((permission) => actor.permissions.has(permission));
}
