/** What callers send about partners. */
import { Field, ID, InputType } from 'type-graphql';
import { SignInPolicyInput } from './policies.inputs.js';

@InputType()
export class CreatePartnerInput {
  @Field(() => ID)
  tenantId!: string;

  @Field(() => String)
  displayName!: string;

  @Field(() => [String], {
    description: 'fabrikam.example, or *.fabrikam.example for all below it. Each of one partner only.',
  })
  domains!: string[];

  @Field(() => SignInPolicyInput, { nullable: true, description: "Null: the tenant's." })
  signInPolicy?: SignInPolicyInput | null;

  @Field(() => Boolean, { defaultValue: false, description: 'Its people are not asked for consent.' })
  automaticRedemption!: boolean;

  @Field(() => Boolean, { defaultValue: false, description: 'A second factor that its provider reports counts here.' })
  trustsSecondFactor!: boolean;

  @Field(() => Boolean, {
    defaultValue: false,
    description: "Its people are not asked for the tenant's terms of use: their organisation has agreed for them.",
  })
  skipsTermsOfUse!: boolean;

  @Field(() => Boolean, {
    defaultValue: false,
    description:
      'Its people who may invite, invite whom they like; else only addresses of the domains of this partner.',
  })
  invitesAnybody!: boolean;
}

@InputType({ description: 'Fields left out stay as they are.' })
export class UpdatePartnerInput {
  @Field(() => ID)
  partnerId!: string;

  @Field(() => String, { nullable: true })
  displayName?: string | null;

  @Field(() => [String], { nullable: true, description: 'Replaces the list.' })
  domains?: string[] | null;

  @Field(() => SignInPolicyInput, { nullable: true, description: "Null: the tenant's." })
  signInPolicy?: SignInPolicyInput | null;

  @Field(() => Boolean, { nullable: true })
  automaticRedemption?: boolean | null;

  @Field(() => Boolean, { nullable: true })
  trustsSecondFactor?: boolean | null;

  @Field(() => Boolean, { nullable: true })
  skipsTermsOfUse?: boolean | null;

  @Field(() => Boolean, { nullable: true })
  invitesAnybody?: boolean | null;
}

@InputType()
export class PartnerIdInput {
  @Field(() => ID)
  partnerId!: string;
}
