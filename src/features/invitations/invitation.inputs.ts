/** What callers send about invitations. */
import { Field, ID, InputType, Int } from 'type-graphql';
import { graphqlEnum, OrderDirectionEnum } from '../../request/graphql-enum.js';
import { DeliveryStatusEnum, InvitationStatusEnum } from './invitation.entity.js';
import {
  DEFAULT_EXPIRES_IN_DAYS,
  type DeliveryStatus,
  type InvitationStatus,
  MAX_EXPIRES_IN_DAYS,
  MIN_EXPIRES_IN_DAYS,
} from './invitation.states.js';

export const expiresInDaysDescription = `${MIN_EXPIRES_IN_DAYS} to ${MAX_EXPIRES_IN_DAYS}; default ${DEFAULT_EXPIRES_IN_DAYS}.`;

@InputType()
export class InviteUserInput {
  @Field(() => ID)
  tenantId!: string;

  @Field(() => String)
  email!: string;

  @Field(() => String, { nullable: true })
  displayName?: string | null;

  @Field(() => [ID], { nullable: true, description: 'Apps the guest may use once they accept.' })
  appIds?: string[] | null;

  @Field(() => [ID], { nullable: true, description: 'Groups the guest joins once they accept.' })
  groupIds?: string[] | null;

  @Field(() => ID, { nullable: true, description: 'Where the guest lands after accepting.' })
  landingAppId?: string | null;

  @Field(() => String, {
    nullable: true,
    description: "A registered address of one of the tenant's apps, instead of its home page.",
  })
  redirectUrl?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'Your own words to the guest: plain text, 5000 characters at most.',
  })
  message?: string | null;

  @Field(() => String, { nullable: true, description: 'Who invites, as the guest is told.' })
  inviterName?: string | null;

  @Field(() => String, { nullable: true, description: "en or ko; default: the user's, else the tenant's." })
  language?: string | null;

  @Field(() => [String], { nullable: true, description: 'Each gets a copy without the link; 10 at most.' })
  ccRecipients?: string[] | null;

  @Field(() => Boolean, { defaultValue: true })
  sendMail!: boolean;

  @Field(() => Int, { nullable: true, description: expiresInDaysDescription })
  expiresInDays?: number | null;

  @Field(() => String, {
    nullable: true,
    description: 'The same key and input gives the same invitation, for 24 hours.',
  })
  idempotencyKey?: string | null;
}

@InputType()
export class InvitationIdInput {
  @Field(() => ID)
  invitationId!: string;
}

@InputType()
export class InvitationFilter {
  @Field(() => [InvitationStatusEnum], { nullable: true })
  status?: InvitationStatus[] | null;

  @Field(() => [DeliveryStatusEnum], { nullable: true })
  delivery?: DeliveryStatus[] | null;

  @Field(() => String, { nullable: true, description: 'At least 3 characters.' })
  emailContains?: string | null;

  @Field(() => ID, { nullable: true })
  bulkInviteId?: string | null;

  @Field(() => ID, { nullable: true, description: 'Granting this app, or landing in it.' })
  appId?: string | null;

  @Field(() => ID, { nullable: true, description: 'Granting this group.' })
  groupId?: string | null;

  @Field(() => ID, { nullable: true })
  externalUserId?: string | null;

  @Field(() => Date, { nullable: true })
  createdAfter?: Date | null;

  @Field(() => Date, { nullable: true })
  createdBefore?: Date | null;

  @Field(() => Date, { nullable: true })
  expiresBefore?: Date | null;
}

const InvitationOrderFieldEnum = graphqlEnum('InvitationOrderField', ['CREATED_AT', 'EMAIL', 'EXPIRES_AT'] as const);

@InputType()
export class InvitationOrder {
  @Field(() => InvitationOrderFieldEnum)
  field!: 'CREATED_AT' | 'EMAIL' | 'EXPIRES_AT';

  @Field(() => OrderDirectionEnum)
  direction!: 'ASC' | 'DESC';
}
