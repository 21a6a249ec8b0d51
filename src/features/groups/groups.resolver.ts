/** Groups over GraphQL, with the lists of groups on tenants and external users. */
import { Arg, Args, Ctx, Field, FieldResolver, Mutation, ObjectType, Resolver, Root } from 'type-graphql';
import type { Row } from '../../database/table.js';
import { type Answer, answer } from '../../request/answer.js';
import { type Connection, connectionType, PageArgs, readConnection } from '../../request/connection.js';
import { rowById } from '../../request/lookup.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { UserErrorType } from '../../request/user-error.type.js';
import { ExternalUser, ExternalUserConnection } from '../external-users/external-user.entity.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { Group } from './group.entity.js';
import { CreateGroupInput, GroupIdInput, GroupMembersInput, UpdateGroupInput } from './group.inputs.js';
import type { GroupMembersService, MembersOutcome } from './group-members.service.js';
import { type GroupRow, groupsOfExternalUser, groupsOfTenant, membersOfGroup } from './groups.queries.js';
import type { GroupsService } from './groups.service.js';

const GroupConnection = connectionType('Group', () => Group);

@ObjectType({ simpleResolvers: true })
export class GroupPayload {
  @Field(() => Group, { nullable: true })
  group!: GroupRow | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@Resolver(() => Tenant)
export class TenantGroupsResolver {
  @FieldResolver(() => GroupConnection)
  groups(
    @Ctx() ctx: RequestContext,
    @Root() tenant: Row<Tenant>,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<GroupRow>> {
    return readConnection(ctx, tenant.id, groupsOfTenant(ctx), page);
  }
}

@Resolver(() => ExternalUser)
export class ExternalUserGroupsResolver {
  @FieldResolver(() => GroupConnection)
  groups(
    @Ctx() ctx: RequestContext,
    @Root() user: Row<ExternalUser>,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<GroupRow>> {
    return readConnection(ctx, user.id, groupsOfExternalUser(ctx), page);
  }
}

@Resolver(() => Group)
export class GroupsResolver {
  readonly #groups: GroupsService;
  readonly #members: GroupMembersService;

  constructor(groups: GroupsService, members: GroupMembersService) {
    this.#groups = groups;
    this.#members = members;
  }

  @FieldResolver(() => Tenant)
  tenant(@Ctx() ctx: RequestContext, @Root() group: GroupRow): Promise<Row<Tenant> | null> {
    return rowById(ctx, Tenant, group.tenantId);
  }

  @FieldResolver(() => ExternalUserConnection, {
    description: 'Who is in it now; what open invitations promise is not.',
  })
  members(
    @Ctx() ctx: RequestContext,
    @Root() group: GroupRow,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<Row<ExternalUser>>> {
    return readConnection(ctx, group.id, membersOfGroup(ctx), page);
  }

  @Requires('GROUP_WRITE')
  @Mutation(() => GroupPayload)
  createGroup(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => CreateGroupInput) input: CreateGroupInput,
  ): Promise<Answer<GroupPayload>> {
    return this.#answer(ctx, this.#groups.create(ctx, input));
  }

  @Requires('GROUP_WRITE')
  @Mutation(() => GroupPayload)
  updateGroup(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => UpdateGroupInput) input: UpdateGroupInput,
  ): Promise<Answer<GroupPayload>> {
    return this.#answer(ctx, this.#groups.update(ctx, input));
  }

  @Requires('GROUP_WRITE')
  @Mutation(() => GroupPayload, { description: 'Answers the group as it was.' })
  deleteGroup(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => GroupIdInput) input: GroupIdInput,
  ): Promise<Answer<GroupPayload>> {
    return answer(async () => ({ group: await this.#groups.delete(ctx, input.groupId) }));
  }

  @Requires('GROUP_WRITE')
  @Mutation(() => GroupPayload, { description: 'Needs APP_ASSIGN as well when the group bears an app role.' })
  addGroupMembers(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => GroupMembersInput) input: GroupMembersInput,
  ): Promise<Answer<GroupPayload>> {
    return this.#answerMembers(ctx, this.#members.add(ctx, input));
  }

  @Requires('GROUP_WRITE')
  @Mutation(() => GroupPayload)
  removeGroupMembers(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => GroupMembersInput) input: GroupMembersInput,
  ): Promise<Answer<GroupPayload>> {
    return this.#answerMembers(ctx, this.#members.remove(ctx, input));
  }

  #answer(ctx: RequestContext, changed: Promise<string>): Promise<Answer<GroupPayload>> {
    return answer(async () => ({ group: await rowById(ctx, Group, await changed) }));
  }

  /** Unlike elsewhere, the group and refusals stand side by side. */
  async #answerMembers(ctx: RequestContext, changed: Promise<MembersOutcome>): Promise<Answer<GroupPayload>> {
    const refused: MembersOutcome['userErrors'] = [];
    const payload = await answer<Pick<GroupPayload, 'group'>>(async () => {
      const { groupId, userErrors } = await changed;
      refused.push(...userErrors);
      return { group: await rowById(ctx, Group, groupId) };
    });
    return { ...payload, userErrors: [...payload.userErrors, ...refused] };
  }
}
