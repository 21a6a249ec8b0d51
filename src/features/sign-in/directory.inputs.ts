/** What operators send to reset, delete and restore people. */
import { Field, ID, InputType, Int } from 'type-graphql';

@InputType()
export class ExternalUserIdInput {
  @Field(() => ID)
  externalUserId!: string;
}

@InputType()
export class ResetRedemptionInput {
  @Field(() => ID)
  externalUserId!: string;

  @Field(() => String, { nullable: true, description: 'The new address; default: the present one.' })
  email?: string | null;

  @Field(() => ID, { nullable: true, description: 'Where the guest lands after accepting.' })
  landingAppId?: string | null;

  @Field(() => String, { nullable: true, description: 'Your own words to the guest: plain text.' })
  message?: string | null;

  @Field(() => String, { nullable: true, description: 'Who invites, as the guest is told.' })
  inviterName?: string | null;

  @Field(() => String, { nullable: true })
  language?: string | null;

  @Field(() => Boolean, { defaultValue: true })
  sendMail!: boolean;

  @Field(() => Int, { nullable: true, description: '1 to 90; default 30.' })
  expiresInDays?: number | null;
}
