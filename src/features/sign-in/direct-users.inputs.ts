/** What callers send to add somebody without an invitation. */
import { Field, ID, InputType } from 'type-graphql';

@InputType()
export class AddExternalUserInput {
  @Field(() => ID)
  tenantId!: string;

  @Field(() => String)
  email!: string;

  @Field(() => String, { nullable: true })
  displayName?: string | null;

  @Field(() => [ID], { nullable: true, description: 'Apps the person may use once they have signed in.' })
  appIds?: string[] | null;

  @Field(() => [ID], { nullable: true, description: 'Groups the person belongs to.' })
  groupIds?: string[] | null;

  @Field(() => String, { nullable: true, description: 'Preferred language: en or ko.' })
  language?: string | null;

  @Field(() => String, { nullable: true, description: 'The same key and input gives the same user, for 24 hours.' })
  idempotencyKey?: string | null;
}
