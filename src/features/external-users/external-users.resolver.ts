/** External users over GraphQL. Groups, apps and invitations of a user are fields added by those features. */
import { Arg, Args, Ctx, Field, FieldResolver, Mutation, ObjectType, Resolver, Root } from 'type-graphql';
import type { Row } from '../../database/table.js';
import { type Answer, answer } from '../../request/answer.js';
import { type Connection, PageArgs, readConnection } from '../../request/connection.js';
import { rowById } from '../../request/lookup.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { UserErrorType } from '../../request/user-error.type.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { ExternalUser, ExternalUserConnection } from './external-user.entity.js';
import { ExternalUserFilter, ExternalUserOrder, UpdateExternalUserInput } from './external-user.inputs.js';
import {
  type ExternalUserRow,
  externalUsersOfTenant,
  type IdentityRow,
  identitiesOf,
} from './external-users.queries.js';
import type { ExternalUsersService } from './external-users.service.js';
import { Identity } from './identity.entity.js';

@ObjectType({ simpleResolvers: true })
export class ExternalUserPayload {
  @Field(() => ExternalUser, { nullable: true })
  externalUser!: ExternalUserRow | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@Resolver(() => Tenant)
export class TenantExternalUsersResolver {
  @FieldResolver(() => ExternalUserConnection)
  async externalUsers(
    @Ctx() ctx: RequestContext,
    @Root() tenant: Row<Tenant>,
    @Args(() => PageArgs) page: PageArgs,
    @Arg('filter', () => ExternalUserFilter, { nullable: true }) filter?: ExternalUserFilter | null,
    @Arg('orderBy', () => ExternalUserOrder, { nullable: true }) orderBy?: ExternalUserOrder | null,
  ): Promise<Connection<ExternalUserRow>> {
    return readConnection(
      ctx,
      tenant.id,
      await externalUsersOfTenant(ctx, tenant.id, filter ?? undefined, orderBy ?? undefined),
      page,
    );
  }
}

@Resolver(() => ExternalUser)
export class ExternalUsersResolver {
  readonly #externalUsers: ExternalUsersService;

  constructor(externalUsers: ExternalUsersService) {
    this.#externalUsers = externalUsers;
  }

  @FieldResolver(() => Tenant)
  tenant(@Ctx() ctx: RequestContext, @Root() user: ExternalUserRow): Promise<Row<Tenant> | null> {
    return rowById(ctx, Tenant, user.tenantId);
  }

  @FieldResolver(() => [Identity])
  identities(@Ctx() ctx: RequestContext, @Root() user: ExternalUserRow): Promise<IdentityRow[]> {
    return identitiesOf(ctx, user.id);
  }

  @Requires('EXTERNAL_USER_WRITE')
  @Mutation(() => ExternalUserPayload)
  updateExternalUser(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => UpdateExternalUserInput) input: UpdateExternalUserInput,
  ): Promise<Answer<ExternalUserPayload>> {
    return answer(async () => ({
      externalUser: await rowById(ctx, ExternalUser, await this.#externalUsers.update(ctx, input)),
    }));
  }
}
