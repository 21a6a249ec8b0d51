/**
 * What a guest is shown over GraphQL: types of their own, never Tenant, App or Invitation, which would open the tenant to
 * whoever holds a link. Pure mapping from the service's view.
 */
import { Field, ID, Int, ObjectType } from 'type-graphql';
import { maskEmailAddress } from '../../kernel/email-address.js';
import { graphqlEnum } from '../../request/graphql-enum.js';
import { type IdentityProviderKind, IdentityProviderKindEnum } from '../external-users/identity.entity.js';
import { type RedemptionStatus, redemptionStatuses } from '../proving/flow.entity.js';
import { Branding } from '../tenants/tenant.entity.js';
import { termsHtml } from '../terms/terms-markdown.rules.js';
import { consentVersionOf, type FlowView, type ShownTerms } from './redemption.service.js';

const RedemptionStatusEnum = graphqlEnum('RedemptionStatus', redemptionStatuses);

@ObjectType({ simpleResolvers: true })
export class RedemptionTenant {
  @Field(() => String)
  displayName!: string;

  @Field(() => Branding)
  branding!: Branding;
}

@ObjectType({ simpleResolvers: true })
export class RedemptionApp {
  @Field(() => String)
  displayName!: string;
}

@ObjectType({ simpleResolvers: true })
export class RedemptionMethod {
  @Field(() => IdentityProviderKindEnum)
  kind!: IdentityProviderKind;

  @Field(() => String)
  displayName!: string;

  @Field(() => String, {
    nullable: true,
    description: 'A page of ours where a browser starts; answered by beginRedemption.',
  })
  continueUrl!: string | null;
}

@ObjectType({ simpleResolvers: true, description: 'Terms of use that the consent covers.' })
export class RedemptionTerms {
  @Field(() => Int)
  version!: number;

  @Field(() => String)
  language!: string;

  @Field(() => String)
  markdown!: string;

  @Field(() => String, { description: 'Without HTML of the text itself; links to https only.' })
  html!: string;
}

@ObjectType({
  simpleResolvers: true,
  description: "A guest's way through an invitation. Its id is a bearer handle for 30 minutes.",
})
export class Redemption {
  @Field(() => ID)
  id!: string;

  @Field(() => RedemptionStatusEnum)
  status!: RedemptionStatus;

  @Field(() => RedemptionTenant)
  tenant!: RedemptionTenant;

  @Field(() => RedemptionApp, { nullable: true })
  landingApp!: RedemptionApp | null;

  @Field(() => String)
  maskedEmail!: string;

  @Field(() => String, { nullable: true })
  inviterName!: string | null;

  @Field(() => String, { nullable: true, description: "The inviter's words, plain text." })
  message!: string | null;

  @Field(() => String)
  language!: string;

  @Field(() => [RedemptionMethod], { description: 'By what the address can be proven now.' })
  methods!: RedemptionMethod[];

  @Field(() => Boolean)
  consentRequired!: boolean;

  @Field(() => String)
  consentVersion!: string;

  @Field(() => RedemptionTerms, {
    nullable: true,
    description: 'To be shown before the consent. Null: the tenant has published none, or nothing is asked any more.',
  })
  terms!: RedemptionTerms | null;

  @Field(() => Date)
  expiresAt!: Date;

  @Field(() => String, { nullable: true, description: 'Where to go once REDEEMED.' })
  landingUrl!: string | null;
}

/**
 * @param continueUrl of the methods that need a browser.
 * @param terms to be agreed to.
 */
export function redemptionOf(
  handle: string,
  { flow, offer, methods }: FlowView,
  continueUrl: string | null,
  terms: ShownTerms | null,
): Redemption {
  return {
    id: handle,
    status: flow.status,
    tenant: { displayName: offer.tenantName, branding: offer },
    landingApp: offer.appName === null ? null : { displayName: offer.appName },
    maskedEmail: maskEmailAddress(offer.email),
    inviterName: offer.inviterName,
    message: offer.message,
    language: offer.language,
    methods: methods.map(({ kind, displayName }) => ({
      kind,
      displayName,
      continueUrl: kind === 'EMAIL_PASSCODE' ? null : continueUrl,
    })),
    consentRequired: !offer.isAutomatic && (flow.status === 'STARTED' || flow.status === 'PROVEN'),
    consentVersion: consentVersionOf(offer),
    terms: terms && { ...terms, html: termsHtml(terms.markdown) },
    expiresAt: flow.expiresAt,
    landingUrl: flow.status === 'REDEEMED' ? offer.landingUrl : null,
  };
}
