/** A relying party: what guests are invited to. Redirect URIs and home page are the only places a guest is sent to. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Field, ID, ObjectType } from 'type-graphql';
import {
  booleanColumn,
  idColumn,
  keyColumn,
  secretColumn,
  textArrayColumn,
  textColumn,
  timeColumn,
} from '../../database/columns.js';
import { Node } from '../../request/node.js';

@ObjectType({ implements: Node, simpleResolvers: true, description: 'A relying party guests are invited to.' })
@Entity({ tableName: 'app' })
export class App implements Node {
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

  @Field(() => String)
  @Property(keyColumn())
  clientId!: string;

  @Property(secretColumn())
  clientSecretHash!: Buffer;

  /** The secret before the last rotation, valid until `previousSecretExpiresAt`. */
  @Property({ ...secretColumn(), nullable: true })
  previousClientSecretHash!: Buffer | null;

  @Property({ ...timeColumn(), nullable: true, hidden: true })
  previousSecretExpiresAt!: Date | null;

  @Field(() => String, { description: 'Where a guest lands.' })
  @Property(textColumn())
  homePageUrl!: string;

  @Field(() => [String])
  @Property(textArrayColumn())
  redirectUris!: string[];

  @Field(() => Boolean)
  @Property(booleanColumn())
  assignmentRequired!: boolean;

  @Field(() => [String])
  @Property(textArrayColumn())
  roles!: string[];

  @Property(timeColumn())
  createdAt!: Date;
}
