/** Operators' roles over GraphQL. */
import {
  Arg,
  Args,
  Ctx,
  createUnionType,
  Field,
  FieldResolver,
  Mutation,
  ObjectType,
  Resolver,
  Root,
} from 'type-graphql';
import type { Row } from '../../database/table.js';
import { typeOfId } from '../../kernel/ids.js';
import { type Answer, answer } from '../../request/answer.js';
import { type Connection, connectionType, PageArgs, readConnection } from '../../request/connection.js';
import { rowById } from '../../request/lookup.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { UserErrorType } from '../../request/user-error.type.js';
import { App } from '../apps/app.entity.js';
import { ExternalUser } from '../external-users/external-user.entity.js';
import { Group } from '../groups/group.entity.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { type RoleAssignmentRow, rolesOfTenant } from './operator-rights.queries.js';
import { RoleAssignment } from './role-assignment.entity.js';
import { AssignRoleInput, RoleAssignmentIdInput } from './roles.inputs.js';
import type { RolesService } from './roles.service.js';

const RoleAssignmentConnection = connectionType('RoleAssignment', () => RoleAssignment);

const RolePrincipal = createUnionType({
  name: 'RolePrincipal',
  description: 'Who bears a role.',
  types: () => [ExternalUser, Group, App] as const,
  resolveType: (principal) => typeOfId(principal.id) ?? undefined,
});

@ObjectType({ simpleResolvers: true })
export class RoleAssignmentPayload {
  @Field(() => RoleAssignment, { nullable: true })
  roleAssignment!: RoleAssignmentRow | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@Resolver(() => Tenant)
export class TenantRolesResolver {
  @FieldResolver(() => RoleAssignmentConnection, { description: 'Who operates the tenant besides API keys.' })
  roleAssignments(
    @Ctx() ctx: RequestContext,
    @Root() tenant: Row<Tenant>,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<RoleAssignmentRow>> {
    return readConnection(ctx, tenant.id, rolesOfTenant(ctx), page);
  }
}

@Resolver(() => RoleAssignment)
export class RolesResolver {
  readonly #roles: RolesService;

  constructor(roles: RolesService) {
    this.#roles = roles;
  }

  @FieldResolver(() => RolePrincipal)
  principal(@Ctx() ctx: RequestContext, @Root() { externalUserId, groupId, appId }: RoleAssignmentRow) {
    if (externalUserId !== null) return rowById(ctx, ExternalUser, externalUserId);
    return groupId !== null ? rowById(ctx, Group, groupId) : rowById(ctx, App, appId as string);
  }

  @Requires('ROLE_WRITE')
  @Mutation(() => RoleAssignmentPayload, { description: 'Nobody gives a role that allows more than they may do.' })
  assignRole(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => AssignRoleInput) input: AssignRoleInput,
  ): Promise<Answer<RoleAssignmentPayload>> {
    return answer(async () => ({
      roleAssignment: await rowById(ctx, RoleAssignment, await this.#roles.assign(ctx, input)),
    }));
  }

  @Requires('ROLE_WRITE')
  @Mutation(() => RoleAssignmentPayload, { description: 'Felt within a second. Answers the assignment as it was.' })
  unassignRole(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => RoleAssignmentIdInput) input: RoleAssignmentIdInput,
  ): Promise<Answer<RoleAssignmentPayload>> {
    return answer(async () => ({ roleAssignment: await this.#roles.unassign(ctx, input.roleAssignmentId) }));
  }
}
