/** User or group -> app, with a role. Exactly one of externalUserId and groupId is set. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Field, ID, ObjectType } from 'type-graphql';
import { idColumn, keyColumn, timeColumn } from '../../database/columns.js';
import { Node } from '../../request/node.js';

@ObjectType({ implements: Node, simpleResolvers: true, description: 'Who may use an app, in which role.' })
@Entity({ tableName: 'app_assignment' })
export class AppAssignment implements Node {
  @Field(() => ID)
  @PrimaryKey(idColumn())
  id!: string;

  @Property(idColumn())
  tenantId!: string;

  @Property(idColumn())
  appId!: string;

  @Property({ ...idColumn(), nullable: true })
  externalUserId!: string | null;

  @Property({ ...idColumn(), nullable: true })
  groupId!: string | null;

  @Field(() => String, { nullable: true })
  @Property({ ...keyColumn(), nullable: true })
  role!: string | null;

  @Property(timeColumn())
  createdAt!: Date;
}
