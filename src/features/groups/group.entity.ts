/** A named set of external users; members are real only after acceptance. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Field, ID, ObjectType } from 'type-graphql';
import { idColumn, keyColumn, textColumn, timeColumn } from '../../database/columns.js';
import { Node } from '../../request/node.js';

@ObjectType({ implements: Node, simpleResolvers: true, description: 'A named set of external users.' })
@Entity({ tableName: 'user_group' })
export class Group implements Node {
  @Field(() => ID)
  @PrimaryKey(idColumn())
  id!: string;

  @Property(idColumn())
  tenantId!: string;

  @Field(() => String)
  @Property(textColumn())
  displayName!: string;

  /** Unique per tenant: `nameKey(displayName)`. */
  @Property(keyColumn())
  nameKey!: string;

  @Field(() => String, { nullable: true })
  @Property({ ...textColumn(), nullable: true })
  description!: string | null;

  @Property(timeColumn())
  createdAt!: Date;
}
