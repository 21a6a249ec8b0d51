/** What callers send about roles. */
import { Field, ID, InputType } from 'type-graphql';
import type { OperatorRole } from '../../kernel/actor.js';
import { OperatorRoleEnum } from './role-assignment.entity.js';

@InputType({ description: 'Give exactly one of externalUserId, groupId and appId.' })
export class AssignRoleInput {
  @Field(() => ID)
  tenantId!: string;

  @Field(() => OperatorRoleEnum)
  role!: OperatorRole;

  @Field(() => ID, { nullable: true })
  externalUserId?: string | null;

  @Field(() => ID, { nullable: true })
  groupId?: string | null;

  @Field(() => ID, { nullable: true, description: 'An app that acts for itself, by client credentials.' })
  appId?: string | null;
}

@InputType()
export class RoleAssignmentIdInput {
  @Field(() => ID)
  roleAssignmentId!: string;
}
