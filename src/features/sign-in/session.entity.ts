/**
 * A guest signed in at the gateway in one browser. The browser's cookie holds the token, this table its hash. It ends by
 * being ended, by not being used, or by its time; whoever asks looks here, so that an end is felt everywhere at once.
 */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Field, ID, ObjectType } from 'type-graphql';
import { idColumn, keyColumn, secretColumn, textArrayColumn, textColumn, timeColumn } from '../../database/columns.js';
import { connectionType } from '../../request/connection.js';
import { Node } from '../../request/node.js';

export const sessionEndReasons = [
  'SIGNED_OUT',
  /** By an operator, or by the guest in another browser. */
  'ENDED',
  /** Somebody signed in anew in the same browser. */
  'REPLACED',
  'ACCOUNT_DISABLED',
  'ACCOUNT_DELETED',
  /** The identity it was opened with is no longer the user's. */
  'IDENTITY_UNLINKED',
  'REDEMPTION_RESET',
  'SECOND_FACTOR_RESET',
  'PASSWORD_CHANGED',
] as const;
export type SessionEndReason = (typeof sessionEndReasons)[number];

@ObjectType('Session', {
  implements: Node,
  simpleResolvers: true,
  description: 'A guest signed in at the gateway in one browser.',
})
@Entity({ tableName: 'guest_session' })
export class GuestSession implements Node {
  @Field(() => ID)
  @PrimaryKey(idColumn())
  id!: string;

  @Property(idColumn())
  tenantId!: string;

  @Property(idColumn())
  externalUserId!: string;

  /** By which the person signed in; null: it was unlinked since. */
  @Property({ ...idColumn(), nullable: true })
  identityId!: string | null;

  /** The address that the sign-in proved; null: none, the identity was known. */
  @Property({ ...keyColumn(), nullable: true })
  provenEmailKey!: string | null;

  @Property(secretColumn())
  tokenHash!: Buffer;

  @Field(() => Date, { description: 'When the person last showed who they are.' })
  @Property(timeColumn())
  authenticatedAt!: Date;

  @Field(() => [String], { description: 'How, in the words of RFC 8176; `fed`: by another provider.' })
  @Property(textArrayColumn())
  amr!: string[];

  @Field(() => Date, { nullable: true })
  @Property({ ...timeColumn(), nullable: true })
  secondFactorAt!: Date | null;

  @Field(() => String, { nullable: true, description: 'Such as `Firefox on Windows`, as the browser says.' })
  @Property({ ...textColumn(), nullable: true })
  device!: string | null;

  @Field(() => Date)
  @Property(timeColumn())
  createdAt!: Date;

  @Field(() => Date, { description: 'To the minute.' })
  @Property(timeColumn())
  lastSeenAt!: Date;

  @Field(() => Date, { description: 'The end of its time; it ends before when it is not used.' })
  @Property(timeColumn())
  expiresAt!: Date;

  @Field(() => Date, { nullable: true })
  @Property({ ...timeColumn(), nullable: true })
  endedAt!: Date | null;

  @Field(() => String, { nullable: true, description: sessionEndReasons.join(', ') })
  @Property({ ...textColumn(), nullable: true })
  endReason!: SessionEndReason | null;
}

export const SessionConnection = connectionType('Session', () => GuestSession);
