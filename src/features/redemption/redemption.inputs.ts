/** What a guest's script sends: the link's token once, then the handle. */
import { Field, ID, InputType } from 'type-graphql';

@InputType()
export class BeginRedemptionInput {
  @Field(() => String, { description: 'The last part of the link.' })
  token!: string;
}

@InputType()
export class RedemptionIdInput {
  @Field(() => ID)
  redemptionId!: string;
}

@InputType()
export class RedeemInvitationInput {
  @Field(() => ID)
  redemptionId!: string;

  @Field(() => String, { nullable: true, description: 'Needed unless the status is PROVEN.' })
  passcode?: string | null;

  @Field(() => Boolean, { description: 'Whether the guest agrees to what consentVersion stands for.' })
  consent!: boolean;

  @Field(() => String, { description: 'As answered; another one means that the terms changed.' })
  consentVersion!: string;
}
