/** What callers send about groups. */
import { Field, ID, InputType } from 'type-graphql';

@InputType()
export class CreateGroupInput {
  @Field(() => ID)
  tenantId!: string;

  @Field(() => String, { description: 'Unique in the tenant; upper and lower case count as the same.' })
  displayName!: string;

  @Field(() => String, { nullable: true })
  description?: string | null;
}

@InputType({ description: 'Fields left out stay as they are; null clears.' })
export class UpdateGroupInput {
  @Field(() => ID)
  groupId!: string;

  @Field(() => String, { nullable: true })
  displayName?: string | null;

  @Field(() => String, { nullable: true })
  description?: string | null;
}

@InputType()
export class GroupIdInput {
  @Field(() => ID)
  groupId!: string;
}

@InputType()
export class GroupMembersInput {
  @Field(() => ID)
  groupId!: string;

  @Field(() => [ID], { description: 'At most 1000. What is right is done, what is wrong is told at its place.' })
  externalUserIds!: string[];
}
