/** What callers send about bulk invites, and how it becomes the words the use cases speak. */
import { Field, ID, InputType, Int } from 'type-graphql';
import { expiresInDaysDescription } from '../invitations/invitation.inputs.js';
import { type BulkErrorPolicy, BulkErrorPolicyEnum } from './bulk-invite.entity.js';
import type { BulkInviteDefaults } from './bulk-invite-request.js';
import { MAX_ROWS_PER_CALL, type NewBulkInvite } from './bulk-invites.service.js';
import type { InviteRowText } from './invite-csv-columns.js';

@InputType({ description: 'One person to invite. What is left out or empty is taken from the defaults.' })
export class InviteRowInput {
  @Field(() => String, { nullable: true, description: 'A row without an address is REJECTED.' })
  email?: string | null;

  @Field(() => String, { nullable: true })
  displayName?: string | null;

  @Field(() => [ID], { nullable: true, description: 'Ids or exact names; replace the default list.' })
  appIds?: string[] | null;

  @Field(() => [ID], { nullable: true, description: 'Ids or exact names; replace the default list.' })
  groupIds?: string[] | null;

  @Field(() => ID, { nullable: true, description: 'Id or exact name; replaces the default landing app and redirect.' })
  landingAppId?: string | null;

  @Field(() => String, {
    nullable: true,
    description: "A registered address of one of the tenant's apps; replaces the default landing app and redirect.",
  })
  redirectUrl?: string | null;

  @Field(() => String, { nullable: true })
  message?: string | null;

  @Field(() => String, { nullable: true })
  language?: string | null;

  @Field(() => [String], { nullable: true })
  ccRecipients?: string[] | null;

  @Field(() => Boolean, { nullable: true })
  sendMail?: boolean | null;

  @Field(() => Int, { nullable: true, description: expiresInDaysDescription })
  expiresInDays?: number | null;
}

@InputType({ description: 'For rows that do not say otherwise. Checked before anything is stored.' })
export class BulkInviteDefaultsInput {
  @Field(() => [ID], { nullable: true, description: 'Ids or exact names.' })
  appIds?: string[] | null;

  @Field(() => [ID], { nullable: true, description: 'Ids or exact names.' })
  groupIds?: string[] | null;

  @Field(() => ID, { nullable: true, description: 'Id or exact name.' })
  landingAppId?: string | null;

  @Field(() => String, { nullable: true, description: "A registered address of one of the tenant's apps." })
  redirectUrl?: string | null;

  @Field(() => String, { nullable: true })
  message?: string | null;

  @Field(() => String, { nullable: true, description: 'Who invites, as the guests are told.' })
  inviterName?: string | null;

  @Field(() => String, { nullable: true })
  language?: string | null;

  @Field(() => Boolean, { defaultValue: true })
  sendMail!: boolean;

  @Field(() => Int, { nullable: true, description: expiresInDaysDescription })
  expiresInDays?: number | null;
}

@InputType({ description: `Exactly one of rows and csv, with at most ${MAX_ROWS_PER_CALL} rows.` })
export class BulkInviteInput {
  @Field(() => ID)
  tenantId!: string;

  @Field(() => [InviteRowInput], { nullable: true })
  rows?: InviteRowInput[] | null;

  @Field(() => String, { nullable: true, description: 'The text of a CSV file with a header row.' })
  csv?: string | null;

  @Field(() => String, { nullable: true, description: 'For people, to recognise the batch by.' })
  fileName?: string | null;

  @Field(() => BulkInviteDefaultsInput, { nullable: true })
  defaults?: BulkInviteDefaultsInput | null;

  @Field(() => BulkErrorPolicyEnum, {
    defaultValue: 'IGNORE_FAILED',
    description: 'REJECT_EVERYTHING: all rows are checked first, and one bad row refuses the batch.',
  })
  errorPolicy!: BulkErrorPolicy;

  @Field(() => Boolean, {
    defaultValue: false,
    description: 'Every check, and nobody is invited: rows end VALID or REJECTED.',
  })
  dryRun!: boolean;

  @Field(() => String, {
    nullable: true,
    description: 'The same key and input gives the same bulk invite, for 24 hours.',
  })
  idempotencyKey?: string | null;
}

@InputType()
export class BulkInviteIdInput {
  @Field(() => ID)
  bulkInviteId!: string;
}

export function newBulkInvite(input: BulkInviteInput): NewBulkInvite {
  return {
    tenantId: input.tenantId,
    rows: input.rows?.map(rowOf) ?? null,
    csv: input.csv ?? null,
    fileName: input.fileName ?? null,
    defaults: defaultsOf(input.defaults ?? null),
    errorPolicy: input.errorPolicy,
    dryRun: input.dryRun,
    idempotencyKey: input.idempotencyKey ?? null,
  };
}

function rowOf(row: InviteRowInput): InviteRowText {
  return {
    email: given(row.email),
    displayName: given(row.displayName),
    apps: row.appIds ?? [],
    groups: row.groupIds ?? [],
    landingApp: given(row.landingAppId),
    redirectUrl: given(row.redirectUrl),
    message: given(row.message),
    language: given(row.language),
    cc: row.ccRecipients ?? [],
    sendMail: row.sendMail ?? null,
    expiresInDays: row.expiresInDays ?? null,
  };
}

function defaultsOf(defaults: BulkInviteDefaultsInput | null): BulkInviteDefaults {
  return {
    apps: defaults?.appIds ?? [],
    groups: defaults?.groupIds ?? [],
    landingApp: given(defaults?.landingAppId),
    redirectUrl: given(defaults?.redirectUrl),
    message: given(defaults?.message),
    language: given(defaults?.language),
    sendMail: defaults?.sendMail ?? true,
    expiresInDays: defaults?.expiresInDays ?? null,
    inviterName: given(defaults?.inviterName),
  };
}

function given(text: string | null | undefined): string | null {
  return text?.trim() ? text : null;
}
