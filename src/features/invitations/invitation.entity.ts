/**
 * The offer to one address. Status and delivery never mix: what became of the offer, and what became of its mail. A
 * PENDING row past `expiresAt` reads as EXPIRED at once; the sweeper makes it an event. One PENDING per address and
 * tenant is held by a partial unique index.
 */
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Field, ID, Int, ObjectType } from 'type-graphql';
import {
  booleanColumn,
  idColumn,
  integerColumn,
  keyColumn,
  secretColumn,
  textArrayColumn,
  textColumn,
  timeColumn,
} from '../../database/columns.js';
import type { ActorKind } from '../../kernel/actor.js';
import { graphqlEnum } from '../../request/graphql-enum.js';
import { Node } from '../../request/node.js';
import { type IdentityProviderKind, IdentityProviderKindEnum } from '../external-users/identity.entity.js';
import {
  type DeliveryStatus,
  deliveryStatuses,
  type InvitationStatus,
  invitationStatuses,
} from './invitation.states.js';

export const InvitationStatusEnum = graphqlEnum('InvitationStatus', invitationStatuses);
export const DeliveryStatusEnum = graphqlEnum('DeliveryStatus', deliveryStatuses);

@ObjectType({ implements: Node, simpleResolvers: true, description: 'The offer to one address.' })
@Entity({ tableName: 'invitation' })
export class Invitation implements Node {
  @Field(() => ID)
  @PrimaryKey(idColumn())
  id!: string;

  @Property(idColumn())
  tenantId!: string;

  @Property(idColumn())
  externalUserId!: string;

  @Field(() => String)
  @Property(textColumn())
  email!: string;

  @Property(keyColumn())
  emailKey!: string;

  @Field(() => String, { nullable: true })
  @Property({ ...textColumn(), nullable: true })
  displayName!: string | null;

  @Field(() => InvitationStatusEnum)
  @Property(textColumn())
  status!: InvitationStatus;

  @Field(() => DeliveryStatusEnum)
  @Property(textColumn())
  delivery!: DeliveryStatus;

  @Field(() => String, { nullable: true, description: 'Why the mail FAILED or BOUNCED, in our words.' })
  @Property({ ...textColumn(), nullable: true })
  deliveryError!: string | null;

  @Property(textColumn())
  invitedByKind!: ActorKind;

  @Property({ ...idColumn(), nullable: true })
  invitedById!: string | null;

  @Property(textColumn())
  invitedByName!: string;

  @Field(() => String, {
    nullable: true,
    description: 'Whom the guest is told the invitation comes from, when the inviter said so.',
  })
  @Property({ ...textColumn(), nullable: true })
  inviterName!: string | null;

  @Property({ ...idColumn(), nullable: true })
  bulkInviteId!: string | null;

  @Field(() => Int, { nullable: true })
  @Property({ ...integerColumn(), nullable: true })
  rowNumber!: number | null;

  @Property({ ...idColumn(), nullable: true })
  landingAppId!: string | null;

  /** A registered address of the landing app other than its home page; null: the home page. */
  @Property({ ...textColumn(), nullable: true })
  redirectUrl!: string | null;

  @Field(() => String, { nullable: true, description: "The inviter's words, plain text." })
  @Property({ ...textColumn(), nullable: true })
  message!: string | null;

  @Field(() => String)
  @Property(textColumn())
  language!: string;

  @Field(() => [String])
  @Property(textArrayColumn())
  ccRecipients!: string[];

  /** Counts the links made so far; only the newest opens anything. */
  @Property(integerColumn())
  linkVersion!: number;

  @Property(secretColumn())
  linkHash!: Buffer;

  @Field(() => Int, { description: 'How often a mail was asked for: the first one and every resend.' })
  @Property(integerColumn())
  sendCount!: number;

  @Field(() => Date)
  @Property(timeColumn())
  createdAt!: Date;

  @Field(() => Date)
  @Property(timeColumn())
  expiresAt!: Date;

  @Field(() => Date, { nullable: true })
  @Property({ ...timeColumn(), nullable: true })
  sentAt!: Date | null;

  @Field(() => Date, { nullable: true })
  @Property({ ...timeColumn(), nullable: true })
  lastSentAt!: Date | null;

  @Field(() => Date, { nullable: true })
  @Property({ ...timeColumn(), nullable: true })
  startedAt!: Date | null;

  @Property({ ...timeColumn(), nullable: true })
  provenAt!: Date | null;

  @Property({ ...timeColumn(), nullable: true })
  consentedAt!: Date | null;

  @Field(() => Date, { nullable: true })
  @Property({ ...timeColumn(), nullable: true })
  redeemedAt!: Date | null;

  @Field(() => Date, { nullable: true })
  @Property({ ...timeColumn(), nullable: true })
  declinedAt!: Date | null;

  /** Whether the address was proven before declining; an unproven decline can be undone by the same link. */
  @Property(booleanColumn())
  declineProven!: boolean;

  @Field(() => Date, { nullable: true })
  @Property({ ...timeColumn(), nullable: true })
  revokedAt!: Date | null;

  @Field(() => Date, { nullable: true })
  @Property({ ...timeColumn(), nullable: true })
  expiredAt!: Date | null;

  @Field(() => IdentityProviderKindEnum, { nullable: true, description: 'How it was redeemed.' })
  @Property({ ...textColumn(), nullable: true })
  identityProviderKind!: IdentityProviderKind | null;
}
