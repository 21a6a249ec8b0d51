/** What callers send about external users. */
import { Field, ID, InputType } from 'type-graphql';
import { graphqlEnum, OrderDirectionEnum } from '../../request/graphql-enum.js';
import {
  type ExternalUserState,
  ExternalUserStateEnum,
  type ExternalUserType,
  ExternalUserTypeEnum,
} from './external-user.entity.js';
import { type ExternalUserOrderField, externalUserOrderFields } from './external-users.queries.js';

const ExternalUserOrderFieldEnum = graphqlEnum('ExternalUserOrderField', externalUserOrderFields);

@InputType()
export class ExternalUserFilter {
  @Field(() => [ExternalUserStateEnum], { nullable: true })
  state?: ExternalUserState[] | null;

  @Field(() => ExternalUserTypeEnum, { nullable: true })
  userType?: ExternalUserType | null;

  @Field(() => Boolean, { nullable: true })
  accountEnabled?: boolean | null;

  @Field(() => String, { nullable: true, description: 'Part of the address: at least 3 characters, in any case.' })
  emailContains?: string | null;

  @Field(() => ID, { nullable: true })
  groupId?: string | null;

  @Field(() => ID, { nullable: true, description: 'Assigned to this app, directly or by a group.' })
  appId?: string | null;

  @Field(() => Date, { nullable: true, description: 'Has signed in, but not since.' })
  lastSignInBefore?: Date | null;

  @Field(() => Boolean, { nullable: true, description: 'Those who were deleted, instead of those who were not.' })
  deleted?: boolean | null;
}

@InputType()
export class ExternalUserOrder {
  @Field(() => ExternalUserOrderFieldEnum)
  field!: ExternalUserOrderField;

  @Field(() => OrderDirectionEnum)
  direction!: 'ASC' | 'DESC';
}

@InputType({ description: 'Fields left out stay as they are; null clears.' })
export class UpdateExternalUserInput {
  @Field(() => ID)
  externalUserId!: string;

  @Field(() => Boolean, { nullable: true })
  accountEnabled?: boolean | null;

  @Field(() => String, { nullable: true })
  displayName?: string | null;

  @Field(() => String, { nullable: true })
  preferredLanguage?: string | null;
}
