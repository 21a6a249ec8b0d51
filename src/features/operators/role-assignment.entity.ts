/** User, group or app -> a role in the tenant. Exactly one of externalUserId, groupId and appId is set. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Field, ID, ObjectType } from 'type-graphql';
import { idColumn, keyColumn, timeColumn } from '../../database/columns.js';
import { type OperatorRole, operatorRoles } from '../../kernel/actor.js';
import { graphqlEnum } from '../../request/graphql-enum.js';
import { Node } from '../../request/node.js';

export const OperatorRoleEnum = graphqlEnum('OperatorRole', operatorRoles);

@ObjectType({ implements: Node, simpleResolvers: true, description: 'Who operates the tenant, in which role.' })
@Entity({ tableName: 'role_assignment' })
export class RoleAssignment implements Node {
  @Field(() => ID)
  @PrimaryKey(idColumn())
  id!: string;

  @Property(idColumn())
  tenantId!: string;

  @Field(() => OperatorRoleEnum)
  @Property(keyColumn())
  role!: OperatorRole;

  @Property({ ...idColumn(), nullable: true })
  externalUserId!: string | null;

  @Property({ ...idColumn(), nullable: true })
  groupId!: string | null;

  @Property({ ...idColumn(), nullable: true })
  appId!: string | null;

  @Field(() => Date)
  @Property(timeColumn())
  createdAt!: Date;
}
