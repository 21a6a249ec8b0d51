/** The credential of scripts and admin UIs. The secret is shown once; the table holds its hash. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Field, ID, ObjectType } from 'type-graphql';
import { idColumn, secretColumn, textArrayColumn, textColumn, timeColumn } from '../../database/columns.js';
import type { Permission } from '../../kernel/actor.js';
import { PermissionEnum } from '../../request/graphql-enum.js';
import { Node } from '../../request/node.js';

@ObjectType({
  implements: Node,
  simpleResolvers: true,
  description: 'A credential for the API, of one tenant or of all.',
})
@Entity({ tableName: 'api_key' })
export class ApiKey implements Node {
  @Field(() => ID)
  @PrimaryKey(idColumn())
  id!: string;

  /** Null: all tenants. */
  @Property({ ...idColumn(), nullable: true })
  tenantId!: string | null;

  @Field(() => String)
  @Property(textColumn())
  name!: string;

  @Field(() => String, { description: 'First characters of the key, to recognise it by.' })
  @Property(textColumn())
  prefix!: string;

  @Property(secretColumn())
  secretHash!: Buffer;

  @Field(() => [PermissionEnum])
  @Property(textArrayColumn())
  permissions!: Permission[];

  @Field(() => Date)
  @Property(timeColumn())
  createdAt!: Date;

  @Field(() => Date, { nullable: true })
  @Property({ ...timeColumn(), nullable: true })
  expiresAt!: Date | null;

  @Field(() => Date, { nullable: true, description: 'Written at most once a minute.' })
  @Property({ ...timeColumn(), nullable: true })
  lastUsedAt!: Date | null;

  @Field(() => Date, { nullable: true })
  @Property({ ...timeColumn(), nullable: true })
  revokedAt!: Date | null;
}
