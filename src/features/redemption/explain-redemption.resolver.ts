/** `explainRedemption` over GraphQL: what is found, as the types show it. */
import { Arg, Ctx, FieldResolver, ID, Query, Resolver, Root } from 'type-graphql';
import { rowById } from '../../request/lookup.js';
import { Requires } from '../../request/permission.js';
import type { RequestContext } from '../../request/request-context.js';
import { ExternalUser } from '../external-users/external-user.entity.js';
import type { EntraOrganizations } from '../identity-providers/entra-organizations.service.js';
import { IdentityProvider } from '../identity-providers/identity-provider.entity.js';
import type { RoutedMethod } from '../identity-providers/routing.rules.js';
import { Invitation } from '../invitations/invitation.entity.js';
import { Partner } from '../partners/partner.entity.js';
import { SignInPolicy } from '../partners/policies.type.js';
import { type Explanation, explainRedemption } from './explain-redemption.queries.js';
import { ExplainedMethod, RedemptionExplanation } from './explain-redemption.type.js';

@Resolver(() => RedemptionExplanation)
export class ExplainRedemptionResolver {
  readonly #organizations: EntraOrganizations;

  constructor(organizations: EntraOrganizations) {
    this.#organizations = organizations;
  }

  @Requires('INVITATION_READ')
  @Query(() => RedemptionExplanation, {
    nullable: true,
    description: 'Before inviting: what would happen to this address, and which rule decides. Invites nobody.',
  })
  explainRedemption(
    @Ctx() ctx: RequestContext,
    @Arg('tenantId', () => ID) tenantId: string,
    @Arg('email', () => String) email: string,
  ): Promise<Explanation | null> {
    return explainRedemption(ctx, this.#organizations, tenantId, email);
  }

  @FieldResolver(() => ExternalUser, { nullable: true })
  externalUser(@Ctx() ctx: RequestContext, @Root() { standing }: Explanation) {
    return standing?.externalUserId ? rowById(ctx, ExternalUser, standing.externalUserId) : null;
  }

  @FieldResolver(() => Invitation, { nullable: true })
  openInvitation(@Ctx() ctx: RequestContext, @Root() { standing }: Explanation) {
    return standing?.invitationId ? rowById(ctx, Invitation, standing.invitationId) : null;
  }

  @FieldResolver(() => Partner, { nullable: true })
  partner(@Ctx() ctx: RequestContext, @Root() { partner }: Explanation) {
    return partner && rowById(ctx, Partner, partner.partnerId);
  }

  @FieldResolver(() => SignInPolicy, { nullable: true })
  signInPolicy(@Root() { policy }: Explanation): SignInPolicy | null {
    return policy;
  }

  @FieldResolver(() => [ExplainedMethod])
  methods(@Ctx() ctx: RequestContext, @Root() { methods }: Explanation): Promise<ExplainedMethod[]> {
    return Promise.all(methods.map((method) => shownMethod(ctx, method)));
  }

  @FieldResolver(() => Boolean)
  automaticRedemption(@Root() { partner }: Explanation): boolean {
    return partner?.automaticRedemption ?? false;
  }
}

async function shownMethod(ctx: RequestContext, { method, rule, pattern }: RoutedMethod): Promise<ExplainedMethod> {
  const { kind, displayName, providerId } = method;
  const identityProvider = providerId === null ? null : await rowById(ctx, IdentityProvider, providerId);
  return { kind, displayName, identityProvider, rule, pattern };
}
