/** What callers send about apps and assignments. */
import { Field, ID, InputType } from 'type-graphql';

@InputType()
export class RegisterAppInput {
  @Field(() => ID)
  tenantId!: string;

  @Field(() => String, { description: 'Unique in the tenant; upper and lower case count as the same.' })
  displayName!: string;

  @Field(() => String, { description: 'Where a guest lands: an https URL.' })
  homePageUrl!: string;

  @Field(() => [String], {
    defaultValue: [],
    description: 'https URLs, compared character by character (RFC 9700 section 2.1).',
  })
  redirectUris!: string[];

  @Field(() => [String], { defaultValue: [], description: 'Each 1 to 64 of A-Z a-z 0-9 . _ : -' })
  roles!: string[];

  @Field(() => Boolean, { defaultValue: true, description: 'Only people assigned to the app may sign in to it.' })
  assignmentRequired!: boolean;
}

@InputType({ description: 'Fields left out stay as they are.' })
export class UpdateAppInput {
  @Field(() => ID)
  appId!: string;

  @Field(() => String, { nullable: true })
  displayName?: string | null;

  @Field(() => String, { nullable: true })
  homePageUrl?: string | null;

  @Field(() => [String], { nullable: true })
  redirectUris?: string[] | null;

  @Field(() => [String], { nullable: true, description: 'A role somebody still has cannot be left out.' })
  roles?: string[] | null;

  @Field(() => Boolean, { nullable: true })
  assignmentRequired?: boolean | null;
}

@InputType()
export class AppIdInput {
  @Field(() => ID)
  appId!: string;
}

@InputType({ description: 'Give exactly one of externalUserId and groupId.' })
export class AssignAppInput {
  @Field(() => ID)
  appId!: string;

  @Field(() => ID, { nullable: true })
  externalUserId?: string | null;

  @Field(() => ID, { nullable: true })
  groupId?: string | null;

  @Field(() => String, { nullable: true, description: 'One of the roles of the app.' })
  role?: string | null;
}

@InputType()
export class UnassignAppInput {
  @Field(() => ID)
  appAssignmentId!: string;
}
