/** Tenants over GraphQL. Lists and dashboards of a tenant are fields added by the features they belong to. */
import { Arg, Args, Ctx, Field, FieldResolver, ID, Mutation, ObjectType, Query, Resolver, Root } from 'type-graphql';
import { RequestError } from '../../kernel/errors.js';
import { type Answer, answer } from '../../request/answer.js';
import { type Connection, connectionType, PageArgs, readConnection } from '../../request/connection.js';
import { rowById } from '../../request/lookup.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { UserErrorType } from '../../request/user-error.type.js';
import { Branding, Tenant } from './tenant.entity.js';
import { CreateTenantInput, UpdateTenantBrandingInput, UpdateTenantInput } from './tenant.inputs.js';
import { EVERY_TENANT, type TenantRow, tenantBySlug, tenantsSource } from './tenants.queries.js';
import type { TenantsService } from './tenants.service.js';

const TenantConnection = connectionType('Tenant', () => Tenant);

@ObjectType({ simpleResolvers: true })
export class TenantPayload {
  @Field(() => Tenant, { nullable: true })
  tenant!: TenantRow | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@Resolver(() => Tenant)
export class TenantsResolver {
  readonly #tenants: TenantsService;

  constructor(tenants: TenantsService) {
    this.#tenants = tenants;
  }

  @Requires('TENANT_READ')
  @Query(() => Tenant, { nullable: true, description: 'By exactly one of id and slug.' })
  async tenant(
    @Ctx() ctx: RequestContext,
    @Arg('id', () => ID, { nullable: true }) id?: string,
    @Arg('slug', () => String, { nullable: true }) slug?: string,
  ): Promise<TenantRow | null> {
    if ((id == null) === (slug == null))
      throw new RequestError('BAD_USER_INPUT', { message: 'Give either id or slug.' });
    return id != null ? rowById(ctx, Tenant, id) : tenantBySlug(ctx, slug as string);
  }

  @Requires('TENANT_LIST')
  @Query(() => TenantConnection)
  tenants(@Ctx() ctx: RequestContext, @Args(() => PageArgs) page: PageArgs): Promise<Connection<TenantRow>> {
    return readConnection(ctx, EVERY_TENANT, tenantsSource(ctx), page);
  }

  @FieldResolver(() => Branding)
  branding(@Root() tenant: TenantRow): Branding {
    return tenant;
  }

  @Requires('TENANT_CREATE')
  @Mutation(() => TenantPayload)
  createTenant(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => CreateTenantInput) input: CreateTenantInput,
  ): Promise<Answer<TenantPayload>> {
    return this.#answer(ctx, this.#tenants.create(ctx, input));
  }

  @Requires('TENANT_WRITE')
  @Mutation(() => TenantPayload)
  updateTenant(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => UpdateTenantInput) input: UpdateTenantInput,
  ): Promise<Answer<TenantPayload>> {
    return this.#answer(ctx, this.#tenants.update(ctx, input));
  }

  @Requires('TENANT_WRITE')
  @Mutation(() => TenantPayload)
  updateTenantBranding(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => UpdateTenantBrandingInput) input: UpdateTenantBrandingInput,
  ): Promise<Answer<TenantPayload>> {
    return this.#answer(ctx, this.#tenants.updateBranding(ctx, input));
  }

  #answer(ctx: RequestContext, changed: Promise<string>): Promise<Answer<TenantPayload>> {
    return answer(async () => ({ tenant: await rowById(ctx, Tenant, await changed) }));
  }
}
