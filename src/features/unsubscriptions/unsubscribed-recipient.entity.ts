/** An address whose owner wants no more invitations of a tenant. It outlives the user and every invitation. */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Field, ObjectType } from 'type-graphql';
import { idColumn, keyColumn, textColumn, timeColumn } from '../../database/columns.js';

@ObjectType({
  simpleResolvers: true,
  description: 'Somebody who has asked not to be invited by this tenant any more. Only they can take it back.',
})
@Entity({ tableName: 'unsubscribed_recipient' })
export class UnsubscribedRecipient {
  @PrimaryKey(idColumn())
  tenantId!: string;

  @PrimaryKey(keyColumn())
  emailKey!: string;

  @Field(() => String)
  @Property(textColumn())
  email!: string;

  @Field(() => Date)
  @Property(timeColumn())
  unsubscribedAt!: Date;
}
