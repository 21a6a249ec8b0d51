/** What a caller can mend, as GraphQL answers it beside the entity. */
import { Field, Int, ObjectType } from 'type-graphql';
import type { UserErrorCode } from '../kernel/errors.js';
import { UserErrorCodeEnum } from './graphql-enum.js';

@ObjectType('UserError', { simpleResolvers: true, description: 'Something the caller can mend.' })
export class UserErrorType {
  @Field(() => [String], { nullable: true, description: 'Path into the input, e.g. ["externalUserIds", "3"].' })
  field!: string[] | null;

  @Field(() => String, { description: 'For people: what is wrong and what to do next.' })
  message!: string;

  @Field(() => UserErrorCodeEnum)
  code!: UserErrorCode;

  @Field(() => Int, { nullable: true })
  retryAfterSeconds!: number | null;
}
