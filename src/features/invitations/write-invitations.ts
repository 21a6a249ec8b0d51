/**
 * The statement that makes invitations: users, offers, intended grants, facts, limits and mail jobs at once, for one address
 * or for a chunk of a file. Who may be invited was decided before (`invite.service.ts`); what raced with it is missing from
 * the answer.
 */
import { type RawBuilder, sql } from 'kysely';
import { jobRows, jobSpec } from '../../database/add-job.js';
import type { Row } from '../../database/table.js';
import type { Scope } from '../../database/transaction.js';
import { FEED_CHANNEL } from '../../events/record-events.js';
import { newId } from '../../kernel/ids.js';
import type { RequestContext } from '../../request/request-context.js';
import { userPrincipalName } from '../external-users/user-principal-name.service.js';
import type { Tenant } from '../tenants/tenant.entity.js';
import { Invitation } from './invitation.entity.js';
import { expiryOf } from './invitation.states.js';
import { makeLink } from './invitation-link.service.js';
import { mailJobs } from './invitation-mail-jobs.service.js';
import type { CheckedInvitation } from './invitation-request.rules.js';
import { countMails } from './mail-limits.service.js';

export type InvitingTenant = Pick<Row<Tenant>, 'id' | 'slug' | 'defaultLanguage' | 'ownDomains'>;

export interface ToInvite {
  invitationId: string;
  invitation: CheckedInvitation;
  bulkInviteId: string | null;
  rowNumber: number | null;
  /** Of the request that asked, which may be written together with others; default: the one at hand. */
  traceparent?: string | undefined;
}

/** One row per mail of what came to be: the guest's and each copy. */
function mailsOfInvited(rows: readonly ToInvite[]): RawBuilder<unknown> {
  const mails = rows.flatMap(({ invitationId, invitation: { email, cc } }) =>
    [email, ...cc].map(({ key }) => ({ invitationId, key })),
  );
  return sql`
    select wanted.key
    from unnest(${mails.map((mail) => mail.invitationId)}::text[], ${mails.map((mail) => mail.key)}::text[]) as wanted (id, key)
    join invited on invited.id = wanted.id`;
}

/** Answers what came to be, by id. */
export async function writeInvitations(
  ctx: RequestContext,
  { db }: Scope,
  tenant: InvitingTenant,
  rows: readonly ToInvite[],
): Promise<Map<string, Row<Invitation>>> {
  if (rows.length === 0) return new Map();
  const { rows: written } = await insertion<Row<Invitation>>(
    ctx,
    tenant,
    rows,
    ctx.tables.columns(Invitation, 'invited'),
  ).execute(db);
  return new Map(written.map((invitation) => [invitation.id, invitation]));
}

/** For a chunk of a file, whose invitations nobody reads: the ids of what came to be. */
export async function writeChunk(
  ctx: RequestContext,
  { db }: Scope,
  tenant: InvitingTenant,
  rows: readonly ToInvite[],
): Promise<Set<string>> {
  if (rows.length === 0) return new Set();
  const { rows: written } = await insertion<{ id: string }>(ctx, tenant, rows, sql`invited.id`).execute(db);
  return new Set(written.map(({ id }) => id));
}

/** One statement. Sorted by address, so that writers do not deadlock. */
function insertion<T>(
  ctx: RequestContext,
  tenant: InvitingTenant,
  unsorted: readonly ToInvite[],
  answer: RawBuilder<unknown>,
): RawBuilder<T> {
  const rows = [...unsorted].sort((a, b) => (a.invitation.email.key < b.invitation.email.key ? -1 : 1));
  const now = ctx.clock.now();
  const { actor } = ctx;
  const mailed = rows.filter((row) => row.invitation.sendMail);
  return sql<T>`
    with input as materialized (${inputRows(ctx, tenant, rows, now)}),
    known as (
      select u.id, u.email_key, u.preferred_language from external_user u
      where u.tenant_id = ${tenant.id} and u.email_key = any(${rows.map((row) => row.invitation.email.key)}) and u.state = 'PENDING_ACCEPTANCE' and u.account_enabled
    ),
    made as (
      insert into external_user (id, tenant_id, email, email_key, display_name, user_principal_name, user_type, creation_type,
        state, state_changed_at, account_enabled, created_at)
      select user_id, ${tenant.id}, email, email_key, display_name, user_principal_name, 'GUEST', 'Invitation',
        'PENDING_ACCEPTANCE', ${now}, true, ${now}
      from input order by email_key
      on conflict (tenant_id, email_key) do nothing
      returning id, email_key, preferred_language
    ),
    invited as (
      insert into invitation (id, tenant_id, external_user_id, email, email_key, display_name, status, delivery,
        invited_by_kind, invited_by_id, invited_by_name, inviter_name, bulk_invite_id, row_number, landing_app_id, redirect_url,
        message, language, cc_recipients, link_version, link_hash, send_count, created_at, expires_at, decline_proven)
      select input.id, ${tenant.id}, person.id, input.email, input.email_key, input.display_name, 'PENDING', input.delivery,
        ${actor.kind}, ${actor.id}, ${actor.displayName}, input.inviter_name, input.bulk_invite_id, input.row_number,
        input.landing_app_id, input.redirect_url, input.message,
        coalesce(input.language, person.preferred_language, ${tenant.defaultLanguage}), input.cc_recipients,
        1, input.link_hash, input.send_count, ${now}, input.expires_at, false
      from input join (select * from known union all select * from made) person using (email_key)
      order by input.email_key
      on conflict (tenant_id, email_key) where status = 'PENDING' do nothing
      returning *
    ),
    granted as (
      insert into invitation_grant (invitation_id, position, tenant_id, app_id, group_id)
      select invited.id, wanted.position - 1, ${tenant.id},
        case when wanted.position <= cardinality(input.app_ids) then wanted.id end,
        case when wanted.position > cardinality(input.app_ids) then wanted.id end
      from invited join input on input.id = invited.id
      cross join unnest(input.app_ids || input.group_ids) with ordinality as wanted (id, position)
    ),
    told as (
      insert into event (epoch, tenant_id, type, at, actor_kind, actor_name, invitation_id, external_user_id, bulk_invite_id, app_ids)
      select (select epoch from feed_state), ${tenant.id}, 'INVITED', ${now}, ${actor.kind}, ${actor.displayName},
        invited.id, invited.external_user_id, invited.bulk_invite_id,
        case when input.landing_app_id is null or input.landing_app_id = any(input.app_ids) then input.app_ids
          else input.app_ids || input.landing_app_id end
      from invited join input on input.id = invited.id order by input.email_key
    ),
    ${mailed.length > 0 ? sql`${countMails(tenant.id, mailsOfInvited(mailed), now)}, ${queueMails(mailed)},` : sql``}
    rung as (select pg_notify(${FEED_CHANNEL}, '') ${mailed.length > 0 ? sql`, (select count(*) from queued)` : sql``})
    select ${answer} from invited, rung`;
}

/** Without who wants no more invitations. As one document: PostgreSQL takes it apart faster than the driver could quote an array for each column. */
function inputRows(
  ctx: RequestContext,
  tenant: InvitingTenant,
  rows: readonly ToInvite[],
  now: Date,
): RawBuilder<unknown> {
  return sql`
    select id, user_id, email, email_key, display_name, user_principal_name, delivery, send_count, bulk_invite_id, row_number,
      landing_app_id, redirect_url, message, language, inviter_name, cc_recipients, app_ids, group_ids,
      decode(link_hash, 'base64') as link_hash, expires_at
    from jsonb_to_recordset(${JSON.stringify(rows.map((row) => inputRow(ctx, tenant, row, now)))}::jsonb) as input (
      id text, user_id text, email text, email_key text, display_name text, user_principal_name text, delivery text,
      send_count int, bulk_invite_id text, row_number int, landing_app_id text, redirect_url text, message text,
      language text, inviter_name text, cc_recipients text[], app_ids text[], group_ids text[], link_hash text,
      expires_at timestamptz)
    where not exists (
      select from unsubscribed_recipient r where r.tenant_id = ${tenant.id} and r.email_key = input.email_key)`;
}

/** What is null stays out of the document. */
function inputRow(ctx: RequestContext, tenant: InvitingTenant, row: ToInvite, now: Date): object {
  const { invitationId, invitation, bulkInviteId, rowNumber } = row;
  const { email, sendMail } = invitation;
  return {
    id: invitationId,
    user_id: newId('ExternalUser'),
    email: email.address,
    email_key: email.key,
    display_name: invitation.displayName ?? undefined,
    user_principal_name: userPrincipalName(email.key, tenant.slug),
    delivery: sendMail ? 'QUEUED' : 'SUPPRESSED',
    send_count: sendMail ? 1 : 0,
    bulk_invite_id: bulkInviteId ?? undefined,
    row_number: rowNumber ?? undefined,
    landing_app_id: invitation.landingAppId ?? undefined,
    redirect_url: invitation.redirectUrl ?? undefined,
    message: invitation.message ?? undefined,
    language: invitation.language ?? undefined,
    inviter_name: invitation.inviterName ?? undefined,
    cc_recipients: invitation.cc.map((copy) => copy.address),
    app_ids: invitation.appIds,
    group_ids: invitation.groupIds,
    link_hash: makeLink(ctx.secrets, invitationId, 1).hash.toString('base64'),
    expires_at: expiryOf(now, invitation.expiresInDays),
  };
}

/** The mails of a batch's first rows count as single ones: ten people do not wait behind another tenant's hundred thousand. */
const ROWS_SENT_AS_SINGLE = 100;

/** One job for the guest's mail and one for each copy: a refused copy must not repeat the guest's mail. */
function queueMails(rows: readonly ToInvite[]): RawBuilder<unknown> {
  const jobs = rows.flatMap(({ invitationId: id, invitation, rowNumber, traceparent }) => {
    const bulk = rowNumber !== null && rowNumber > ROWS_SENT_AS_SINGLE;
    return mailJobs(id, 1, invitation.cc.keys(), bulk).map((job) => ({ ...job, id, traceparent }));
  });
  return sql`queued as (
    select from graphile_worker.add_jobs(array(
      select ${jobSpec} from ${jobRows(jobs)} job
      join unnest(${jobs.map((job) => job.id)}::text[]) with ordinality as of (invitation_id, position) using (position)
      join invited on invited.id = of.invitation_id
    ))
  )`;
}
