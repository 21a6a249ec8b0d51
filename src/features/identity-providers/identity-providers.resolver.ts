/** Identity providers over GraphQL. */
import { Arg, Args, Ctx, Field, FieldResolver, Mutation, ObjectType, Resolver, Root } from 'type-graphql';
import type { Row } from '../../database/table.js';
import { type Answer, answer } from '../../request/answer.js';
import { type Connection, connectionType, PageArgs, readConnection } from '../../request/connection.js';
import { rowById } from '../../request/lookup.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { UserErrorType } from '../../request/user-error.type.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { IdentityProvider } from './identity-provider.entity.js';
import {
  CreateIdentityProviderInput,
  IdentityProviderIdInput,
  UpdateIdentityProviderInput,
} from './identity-provider.inputs.js';
import { domainsOf, type IdentityProviderRow, identityProvidersOfTenant } from './identity-providers.queries.js';
import type { IdentityProvidersService } from './identity-providers.service.js';

const IdentityProviderConnection = connectionType('IdentityProvider', () => IdentityProvider);

/** A provider that was deleted brings the domains it had. */
type ShownProvider = IdentityProviderRow & { domains?: string[] };

@ObjectType({ simpleResolvers: true })
export class IdentityProviderPayload {
  @Field(() => IdentityProvider, { nullable: true })
  identityProvider!: ShownProvider | null;

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[];
}

@Resolver(() => Tenant)
export class TenantIdentityProvidersResolver {
  @FieldResolver(() => IdentityProviderConnection)
  identityProviders(
    @Ctx() ctx: RequestContext,
    @Root() tenant: Row<Tenant>,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<IdentityProviderRow>> {
    return readConnection(ctx, tenant.id, identityProvidersOfTenant(ctx), page);
  }
}

@Resolver(() => IdentityProvider)
export class IdentityProvidersResolver {
  readonly #providers: IdentityProvidersService;

  constructor(providers: IdentityProvidersService) {
    this.#providers = providers;
  }

  @FieldResolver(() => Tenant)
  tenant(@Ctx() ctx: RequestContext, @Root() provider: ShownProvider): Promise<Row<Tenant> | null> {
    return rowById(ctx, Tenant, provider.tenantId);
  }

  @FieldResolver(() => [String], { description: 'In the order given.' })
  domains(@Ctx() ctx: RequestContext, @Root() provider: ShownProvider): Promise<string[]> | string[] {
    return provider.domains ?? domainsOf(ctx, provider.id);
  }

  @Requires('IDENTITY_PROVIDER_WRITE')
  @Mutation(() => IdentityProviderPayload)
  createIdentityProvider(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => CreateIdentityProviderInput) input: CreateIdentityProviderInput,
  ): Promise<Answer<IdentityProviderPayload>> {
    return this.#answer(ctx, this.#providers.create(ctx, input));
  }

  @Requires('IDENTITY_PROVIDER_WRITE')
  @Mutation(() => IdentityProviderPayload)
  updateIdentityProvider(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => UpdateIdentityProviderInput) input: UpdateIdentityProviderInput,
  ): Promise<Answer<IdentityProviderPayload>> {
    return this.#answer(ctx, this.#providers.update(ctx, input));
  }

  @Requires('IDENTITY_PROVIDER_WRITE')
  @Mutation(() => IdentityProviderPayload, { description: 'Answers the provider as it was.' })
  deleteIdentityProvider(
    @Ctx() ctx: RequestContext,
    @Arg('input', () => IdentityProviderIdInput) { identityProviderId: id }: IdentityProviderIdInput,
  ): Promise<Answer<IdentityProviderPayload>> {
    return answer(async () => {
      const domains = await domainsOf(ctx, id);
      return { identityProvider: { ...(await this.#providers.delete(ctx, id)), domains } };
    });
  }

  #answer(ctx: RequestContext, changed: Promise<string>): Promise<Answer<IdentityProviderPayload>> {
    return answer(async () => ({ identityProvider: await rowById(ctx, IdentityProvider, await changed) }));
  }
}
