/** Identity providers over GraphQL. */
import { Arg, Args, Ctx, Field, FieldResolver, Mutation, ObjectType, Resolver, Root } from 'type-graphql';
import type { Row } from '../../database/table.js';
import { type Answer, answerWarning } from '../../request/answer.js';
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
import {
  domainsOf,
  type IdentityProviderRow,
  identityProvidersOfTenant,
  type SamlProviderRow,
  samlProviderOf,
} from './identity-providers.queries.js';
import type { IdentityProvidersService } from './identity-providers.service.js';
import { clientKeySetUrl, openIdConnectCallbackUrl } from './openid-connect-addresses.rules.js';
import { OpenIdConnectProvider } from './openid-connect-provider.type.js';
import { samlAcsUrl, samlEntityId } from './saml-addresses.rules.js';
import { SamlProvider } from './saml-provider.entity.js';

const IdentityProviderConnection = connectionType('IdentityProvider', () => IdentityProvider);

/** A provider that was deleted brings along what it had. */
type ShownProvider = IdentityProviderRow & { domains?: string[]; saml?: SamlProviderRow | null };

@ObjectType({ simpleResolvers: true })
export class IdentityProviderPayload {
  @Field(() => IdentityProvider, { nullable: true })
  identityProvider!: ShownProvider | null;

  @Field(() => [String], { description: 'Whom the change leaves outside.' })
  warnings!: string[];

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
  readonly #publicUrl: URL;
  readonly #warningsFor: (ctx: RequestContext, tenantId: string) => Promise<string[]>;

  /** @param warningsFor who is locked out of a tenant as things stand; routing comes after this feature. */
  constructor(
    providers: IdentityProvidersService,
    publicUrl: URL,
    warningsFor: (ctx: RequestContext, tenantId: string) => Promise<string[]>,
  ) {
    this.#providers = providers;
    this.#publicUrl = publicUrl;
    this.#warningsFor = warningsFor;
  }

  @FieldResolver(() => Tenant)
  tenant(@Ctx() ctx: RequestContext, @Root() provider: ShownProvider): Promise<Row<Tenant> | null> {
    return rowById(ctx, Tenant, provider.tenantId);
  }

  @FieldResolver(() => [String], { description: 'In the order given.' })
  domains(@Ctx() ctx: RequestContext, @Root() provider: ShownProvider): Promise<string[]> | string[] {
    return provider.domains ?? domainsOf(ctx, provider.id);
  }

  @FieldResolver(() => OpenIdConnectProvider, { nullable: true, description: 'Null: it is of another kind.' })
  oidc(@Root() provider: ShownProvider): OpenIdConnectProvider | null {
    const { id, kind, preset, clientId, scopes, clientAuthentication, clientPublicKey } = provider;
    if (kind !== 'OIDC' || clientId === null) return null;
    return {
      preset,
      clientId,
      scopes,
      clientAuthentication,
      redirectUri: openIdConnectCallbackUrl(this.#publicUrl, id),
      jwksUrl: clientPublicKey && clientKeySetUrl(this.#publicUrl, id),
    };
  }

  @FieldResolver(() => SamlProvider, { nullable: true, description: 'Null: it is of another kind.' })
  saml(
    @Ctx() ctx: RequestContext,
    @Root() provider: ShownProvider,
  ): Promise<SamlProviderRow | null> | SamlProviderRow | null {
    return provider.saml === undefined ? samlProviderOf(ctx, provider.id) : provider.saml;
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
    return answerWarning(async () => {
      const [domains, saml] = await Promise.all([domainsOf(ctx, id), samlProviderOf(ctx, id)]);
      const provider = await this.#providers.delete(ctx, id);
      const warnings = await this.#warningsFor(ctx, provider.tenantId);
      return { identityProvider: { ...provider, domains, saml }, warnings };
    });
  }

  #answer(ctx: RequestContext, changed: Promise<string>): Promise<Answer<IdentityProviderPayload>> {
    return answerWarning(async () => {
      const identityProvider = await rowById(ctx, IdentityProvider, await changed);
      const warnings = identityProvider ? await this.#warningsFor(ctx, identityProvider.tenantId) : [];
      return { identityProvider, warnings };
    });
  }
}

/** How the provider's administrator sets us up. */
@Resolver(() => SamlProvider)
export class SamlProvidersResolver {
  readonly #publicUrl: URL;

  constructor(publicUrl: URL) {
    this.#publicUrl = publicUrl;
  }

  @FieldResolver(() => String, { description: 'Our entityID towards this provider: the address of our metadata.' })
  serviceProviderMetadataUrl(@Root() { identityProviderId }: SamlProviderRow): string {
    return samlEntityId(this.#publicUrl, identityProviderId);
  }

  @FieldResolver(() => String, { description: 'Where the provider has the browser post its answers.' })
  assertionConsumerServiceUrl(@Root() { identityProviderId }: SamlProviderRow): string {
    return samlAcsUrl(this.#publicUrl, identityProviderId);
  }
}
