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

/** One statement; answers what came to be, by id. Sorted by address, so that writers do not deadlock. */
export async function writeInvitations(
  ctx: RequestContext,
  { db }: Scope,
  tenant: InvitingTenant,
  unsorted: readonly ToInvite[],
): Promise<Map<string, Row<Invitation>>> {
  if (unsorted.length === 0) return new Map();
  const rows = [...unsorted].sort((a, b) => (a.invitation.email.key < b.invitation.email.key ? -1 : 1));
  const now = ctx.clock.now();
  const { actor } = ctx;
  const mailed = rows.filter((row) => row.invitation.sendMail);
  const { rows: written } = await sql<Row<Invitation>>`
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
        coalesce(input.language, person.preferred_language, ${tenant.defaultLanguage}), input.cc_recipients::text[],
        1, input.link_hash, input.send_count, ${now}, input.expires_at, false
      from input join (select * from known union all select * from made) person using (email_key)
      order by input.email_key
      on conflict (tenant_id, email_key) where status = 'PENDING' do nothing
      returning *
    ),
    granted as (
      insert into invitation_grant (invitation_id, position, tenant_id, app_id, group_id)
      select invited.id, wanted.position, ${tenant.id}, wanted.app_id, wanted.group_id
      from (${grantRows(rows)}) wanted join invited on invited.id = wanted.invitation_id
    ),
    told as (
      insert into event (epoch, tenant_id, type, at, actor_kind, actor_name, invitation_id, external_user_id, bulk_invite_id, app_ids)
      select (select epoch from feed_state), ${tenant.id}, 'INVITED', ${now}, ${actor.kind}, ${actor.displayName},
        invited.id, invited.external_user_id, invited.bulk_invite_id, input.event_app_ids::text[]
      from invited join input on input.id = invited.id order by input.email_key
    ),
    ${mailed.length > 0 ? sql`${countMails(tenant.id, mailsOfInvited(mailed), now)}, ${queueMails(mailed)},` : sql``}
    rung as (select pg_notify(${FEED_CHANNEL}, '') ${mailed.length > 0 ? sql`, (select count(*) from queued)` : sql``})
    select ${ctx.tables.columns(Invitation, 'invited')} from invited, rung`.execute(db);
  return new Map(written.map((invitation) => [invitation.id, invitation]));
}

function inputRows(
  ctx: RequestContext,
  tenant: InvitingTenant,
  rows: readonly ToInvite[],
  now: Date,
): RawBuilder<unknown> {
  const column = <T>(of: (row: ToInvite, invitation: CheckedInvitation) => T): T[] =>
    rows.map((row) => of(row, row.invitation));
  return sql`
    select * from unnest(
      ${column((row) => row.invitationId)}::text[],
      ${column(() => newId('ExternalUser'))}::text[],
      ${column((_, { email }) => email.address)}::text[],
      ${column((_, { email }) => email.key)}::text[],
      ${column((_, { displayName }) => displayName)}::text[],
      ${column((_, { email }) => userPrincipalName(email.key, tenant.slug))}::text[],
      ${column((_, { sendMail }) => (sendMail ? 'QUEUED' : 'SUPPRESSED'))}::text[],
      ${column((_, { sendMail }) => (sendMail ? 1 : 0))}::int[],
      ${column((row) => row.bulkInviteId)}::text[],
      ${column((row) => row.rowNumber)}::int[],
      ${column((_, { landingAppId }) => landingAppId)}::text[],
      ${column((_, { redirectUrl }) => redirectUrl)}::text[],
      ${column((_, { message }) => message)}::text[],
      ${column((_, { language }) => language)}::text[],
      ${column((_, { inviterName }) => inviterName)}::text[],
      ${column((_, { cc }) => arrayLiteral(cc.map((copy) => copy.address)))}::text[],
      ${column((_, invitation) => arrayLiteral(appsOf(invitation)))}::text[],
      ${column((row) => makeLink(ctx.secrets, row.invitationId, 1).hash)}::bytea[],
      ${column((_, { expiresInDays }) => expiryOf(now, expiresInDays).toISOString())}::timestamptz[]
    ) as input (id, user_id, email, email_key, display_name, user_principal_name, delivery, send_count, bulk_invite_id, row_number,
      landing_app_id, redirect_url, message, language, inviter_name, cc_recipients, event_app_ids, link_hash, expires_at)`;
}

function appsOf({ appIds, landingAppId }: CheckedInvitation): string[] {
  return landingAppId && !appIds.includes(landingAppId) ? [...appIds, landingAppId] : appIds;
}

function grantRows(rows: readonly ToInvite[]): RawBuilder<unknown> {
  const grants = rows.flatMap(({ invitationId, invitation: { appIds, groupIds } }) => [
    ...appIds.map((appId, index) => ({ invitationId, position: index, appId, groupId: null })),
    ...groupIds.map((groupId, index) => ({ invitationId, position: appIds.length + index, appId: null, groupId })),
  ]);
  return sql`
    select * from unnest(
      ${grants.map((grant) => grant.invitationId)}::text[], ${grants.map((grant) => grant.position)}::int[],
      ${grants.map((grant) => grant.appId)}::text[], ${grants.map((grant) => grant.groupId)}::text[]
    ) as wanted (invitation_id, position, app_id, group_id)`;
}

/** A PostgreSQL array in text form: rows of arrays of different lengths do not fit a multidimensional array. */
function arrayLiteral(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
}

/** One job for the guest's mail and one for each copy: a refused copy must not repeat the guest's mail. */
function queueMails(rows: readonly ToInvite[]): RawBuilder<unknown> {
  const jobs = rows.flatMap(({ invitationId: id, invitation, bulkInviteId }) =>
    mailJobs(id, 1, invitation.cc.keys(), bulkInviteId !== null).map((job) => ({ ...job, id })),
  );
  return sql`queued as (
    select from graphile_worker.add_jobs(array(
      select ${jobSpec} from ${jobRows(jobs)} job
      join unnest(${jobs.map((job) => job.id)}::text[]) with ordinality as of (invitation_id, position) using (position)
      join invited on invited.id = of.invitation_id
    ))
  )`;
}
