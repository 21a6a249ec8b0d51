/** Reads of invitations: plain rows, filtered and ordered by index. PENDING in a filter means pending and not run out. */
import { type RawBuilder, sql } from 'kysely';
import type { Row } from '../../database/table.js';
import { RequestError } from '../../kernel/errors.js';
import type { ListOrder, ListSource } from '../../request/connection.js';
import { newestFirst } from '../../request/connection.js';
import type { RequestContext } from '../../request/request-context.js';
import { App } from '../apps/app.entity.js';
import { Group } from '../groups/group.entity.js';
import { Invitation } from './invitation.entity.js';
import type { DeliveryStatus, InvitationStatus } from './invitation.states.js';

export type InvitationRow = Row<Invitation>;

/** Parts that are absent or null do not narrow. */
export interface InvitationCriteria {
  status?: InvitationStatus[] | null;
  delivery?: DeliveryStatus[] | null;
  emailContains?: string | null;
  bulkInviteId?: string | null;
  appId?: string | null;
  groupId?: string | null;
  externalUserId?: string | null;
  createdAfter?: Date | null;
  createdBefore?: Date | null;
  expiresBefore?: Date | null;
}

export interface InvitationOrdering {
  field: 'CREATED_AT' | 'EMAIL' | 'EXPIRES_AT';
  direction: 'ASC' | 'DESC';
}

const MIN_SEARCH_LENGTH = 3;

export function invitationsOfTenant(
  ctx: RequestContext,
  filter: InvitationCriteria | null,
  order: InvitationOrdering | null,
): ListSource {
  return {
    ...invitationsSource(ctx, sql`i.tenant_id = parent.id`, filter),
    name: `tenant.invitations ${JSON.stringify([filter, order])}`,
    ...(order ? { order: orderBy(order) } : {}),
  };
}

export function invitationsOfUser(ctx: RequestContext): ListSource {
  return { ...invitationsSource(ctx, sql`i.external_user_id = parent.id`, null), name: 'externalUser.invitations' };
}

function invitationsSource(
  ctx: RequestContext,
  scope: RawBuilder<unknown>,
  filter: InvitationCriteria | null,
): Omit<ListSource, 'name'> {
  return {
    columns: ctx.tables.columns(Invitation, 'i'),
    from: sql`from invitation i where ${scope} ${invitationConditions(filter, ctx.clock.now())}`,
    id: sql`i.id`,
    order: newestFirst(sql`i.created_at`),
  };
}

function orderBy({ field, direction }: InvitationOrdering): ListOrder {
  if (field === 'EMAIL') return { name: field, by: sql`i.email_key`, direction, type: 'text' };
  return {
    name: field,
    by: field === 'CREATED_AT' ? sql`i.created_at` : sql`i.expires_at`,
    direction,
    type: 'timestamptz',
  };
}

/** `and …` for every part of a filter, over an invitation called `i`. */
export function invitationConditions(filter: InvitationCriteria | null, now: Date): RawBuilder<unknown> {
  if (!filter) return sql``;
  const conditions = [
    filter.status && statusCondition(filter.status, now),
    filter.delivery && sql`i.delivery = any(${filter.delivery})`,
    filter.emailContains != null && emailCondition(filter.emailContains),
    filter.bulkInviteId && sql`i.bulk_invite_id = ${filter.bulkInviteId}`,
    filter.externalUserId && sql`i.external_user_id = ${filter.externalUserId}`,
    filter.appId &&
      sql`(i.landing_app_id = ${filter.appId}
        or exists (select from invitation_grant g where g.app_id = ${filter.appId} and g.invitation_id = i.id))`,
    filter.groupId &&
      sql`exists (select from invitation_grant g where g.group_id = ${filter.groupId} and g.invitation_id = i.id)`,
    filter.createdAfter && sql`i.created_at > ${filter.createdAfter}`,
    filter.createdBefore && sql`i.created_at < ${filter.createdBefore}`,
    filter.expiresBefore && sql`i.expires_at < ${filter.expiresBefore}`,
  ].filter((condition): condition is RawBuilder<unknown> => Boolean(condition));
  return conditions.length > 0 ? sql`and ${sql.join(conditions, sql` and `)}` : sql``;
}

function statusCondition(statuses: readonly InvitationStatus[], now: Date): RawBuilder<unknown> {
  if (statuses.length === 0) return sql`false`;
  return sql`(${sql.join(
    statuses.map((status) => {
      if (status === 'PENDING') return sql`(i.status = 'PENDING' and i.expires_at > ${now})`;
      if (status === 'EXPIRED') return sql`(i.status = 'EXPIRED' or (i.status = 'PENDING' and i.expires_at <= ${now}))`;
      return sql`i.status = ${status}`;
    }),
    sql` or `,
  )})`;
}

/** By the trigram index of the users' addresses: an invitation's address is its user's at that time. */
function emailCondition(text: string): RawBuilder<unknown> {
  const wanted = text.trim().toLowerCase();
  if (wanted.length < MIN_SEARCH_LENGTH) {
    throw new RequestError('BAD_USER_INPUT', {
      message: `emailContains needs at least ${MIN_SEARCH_LENGTH} characters.`,
    });
  }
  const pattern = `%${wanted.replace(/[\\%_]/g, '\\$&')}%`;
  return sql`i.external_user_id in (
    select u.id from external_user u where u.tenant_id = i.tenant_id and u.email_key collate "default" like ${pattern})`;
}

/** Apps each invitation grants, in the inviter's order; one statement for any number of invitations. */
export function appsGranted(ctx: RequestContext, invitationId: string): Promise<Row<App>[]> {
  return ctx
    .loader('invitation.apps', (ids: readonly string[]) => grantedRows<Row<App>>(ctx, ids, App, sql`g.app_id`))
    .load(invitationId);
}

export function groupsGranted(ctx: RequestContext, invitationId: string): Promise<Row<Group>[]> {
  return ctx
    .loader('invitation.groups', (ids: readonly string[]) => grantedRows<Row<Group>>(ctx, ids, Group, sql`g.group_id`))
    .load(invitationId);
}

async function grantedRows<T>(
  ctx: RequestContext,
  invitationIds: readonly string[],
  entity: typeof App | typeof Group,
  target: RawBuilder<unknown>,
): Promise<T[][]> {
  const { rows } = await sql<T & { invitationId: string }>`
    select ${ctx.tables.columns(entity, 't')}, g.invitation_id as "invitationId"
    from invitation_grant g join ${ctx.tables.name(entity)} t on t.id = ${target}
    where g.invitation_id = any(${invitationIds}) order by g.invitation_id, g.position`.execute(ctx.db);
  const byInvitation = Map.groupBy(rows, (row) => row.invitationId);
  return invitationIds.map((id) => byInvitation.get(id) ?? []);
}
