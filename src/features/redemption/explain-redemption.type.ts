/** How `explainRedemption` answers: what would happen to an address, and by which rule. */
import { Field, ObjectType } from 'type-graphql';
import { graphqlEnum } from '../../request/graphql-enum.js';
import { UserErrorType } from '../../request/user-error.type.js';
import { ExternalUser } from '../external-users/external-user.entity.js';
import { type IdentityProviderKind, IdentityProviderKindEnum } from '../external-users/identity.entity.js';
import { IdentityProvider } from '../identity-providers/identity-provider.entity.js';
import { type RoutingRule, routingRules } from '../identity-providers/routing.rules.js';
import { Invitation } from '../invitations/invitation.entity.js';
import { Partner } from '../partners/partner.entity.js';
import { DomainRuleEnum, SignInPolicy } from '../partners/policies.type.js';
import type { DomainRule } from '../tenants/domain-policy.rules.js';
import { type RedemptionWarningCode, redemptionWarningCodes } from './redemption-warnings.queries.js';

const RoutingRuleEnum = graphqlEnum(
  'RoutingRule',
  routingRules,
  'DOMAIN, WILDCARD: a provider has the domain. CONSUMER_DOMAIN: a social provider hosts it. ENTRA_ORGANIZATION: it was discovered there. NO_PROVIDER: none is entitled. FALLBACK: the policy offers it besides.',
);
const RedemptionWarningCodeEnum = graphqlEnum('RedemptionWarningCode', redemptionWarningCodes);

@ObjectType({ simpleResolvers: true })
export class DomainDecision {
  @Field(() => Boolean)
  allowed!: boolean;

  @Field(() => DomainRuleEnum, { description: "The tenant's domain policy." })
  rule!: DomainRule;

  @Field(() => String, {
    nullable: true,
    description: 'The listed domain that decided; null: none covers the address.',
  })
  pattern!: string | null;
}

@ObjectType({ simpleResolvers: true })
export class ExplainedMethod {
  @Field(() => IdentityProviderKindEnum)
  kind!: IdentityProviderKind;

  @Field(() => String)
  displayName!: string;

  @Field(() => IdentityProvider, { nullable: true, description: "Null: the gateway's own." })
  identityProvider!: object | null;

  @Field(() => RoutingRuleEnum)
  rule!: RoutingRule;

  @Field(() => String, { nullable: true, description: 'The domain that decided.' })
  pattern!: string | null;
}

@ObjectType({ simpleResolvers: true })
export class RedemptionWarning {
  @Field(() => RedemptionWarningCodeEnum)
  code!: RedemptionWarningCode;

  @Field(() => String)
  message!: string;
}

@ObjectType({ description: 'What would happen to an address, and which rule decides.' })
export class RedemptionExplanation {
  @Field(() => String, { nullable: true, description: 'In its normal form; null: this is no address.' })
  address!: string | null;

  @Field(() => UserErrorType, {
    nullable: true,
    description: 'Why inviteUser would refuse you the address now; null: it would not, limits on mails aside.',
  })
  inviteRefusal!: UserErrorType | null;

  @Field(() => DomainDecision, { nullable: true })
  domain!: DomainDecision | null;

  @Field(() => ExternalUser, { nullable: true, description: 'Who has the address already.' })
  externalUser!: object | null;

  @Field(() => Invitation, { nullable: true, description: 'Open now.' })
  openInvitation!: object | null;

  @Field(() => Partner, { nullable: true, description: 'Whose rules hold for the domain.' })
  partner!: object | null;

  @Field(() => SignInPolicy, { nullable: true, description: "The partner's, or the tenant's." })
  signInPolicy!: SignInPolicy | null;

  @Field(() => [ExplainedMethod], { description: 'By what the address could be proven now, in order.' })
  methods!: ExplainedMethod[];

  @Field(() => Boolean, { description: 'Proving the address accepts, without a question.' })
  automaticRedemption!: boolean;

  @Field(() => [RedemptionWarning])
  warnings!: RedemptionWarning[];
}
