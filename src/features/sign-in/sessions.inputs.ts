/** What callers send about sessions. */
import { Field, ID, InputType } from 'type-graphql';

@InputType()
export class SessionIdInput {
  @Field(() => ID)
  sessionId!: string;
}

@InputType()
export class EndSessionsInput {
  @Field(() => ID)
  externalUserId!: string;
}
