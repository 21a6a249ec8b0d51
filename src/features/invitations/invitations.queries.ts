/** Reads of invitations: plain rows, filtered and ordered by index. PENDING in a filter means pending and not run out. */
import { type RawBuilder, sql } from 'kysely';
import type { Row } from '../../database/table.js';
import type { ListOrder, ListSource } from '../../request/connection.js';
import { newestFirst } from '../../request/connection.js';
import type { RequestContext } from '../../request/request-context.js';
import { App } from '../apps/app.entity.js';
import { type AddressSearch, isFound, searchAddresses } from '../external-users/address-search.queries.js';
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

/** A filter as SQL, its search made. */
export interface InvitationSelection {
  /** The same for the same invitations. */
  name: string;
  /** `and …` for every part, over an invitation called `i`. */
  conditions: RawBuilder<unknown>;
}

export const everyInvitation: InvitationSelection = { name: '', conditions: sql`` };

/** @throws RequestError BAD_USER_INPUT when `emailContains` is too short. */
export async function selectInvitations(
  ctx: RequestContext,
  tenantId: string,
  filter: InvitationCriteria | null,
): Promise<InvitationSelection> {
  if (!filter) return everyInvitation;
  const search = filter.emailContains == null ? null : await searchAddresses(ctx, tenantId, filter.emailContains);
  return {
    name: JSON.stringify([filter, search && tenantId]),
    conditions: conditionsOf(filter, search, ctx.clock.now()),
  };
}

export async function invitationsOfTenant(
  ctx: RequestContext,
  tenantId: string,
  filter: InvitationCriteria | null,
  order: InvitationOrdering | null,
): Promise<ListSource> {
  const selection = await selectInvitations(ctx, tenantId, filter);
  return {
    ...invitationsSource(ctx, sql`i.tenant_id = parent.id`, selection),
    name: `tenant.invitations ${selection.name} ${JSON.stringify(order)}`,
    ...(order ? { order: orderBy(order) } : {}),
  };
}

export function invitationsOfUser(ctx: RequestContext): ListSource {
  const ofUser = invitationsSource(ctx, sql`i.external_user_id = parent.id`, everyInvitation);
  return { ...ofUser, name: 'externalUser.invitations' };
}

function invitationsSource(
  ctx: RequestContext,
  scope: RawBuilder<unknown>,
  { conditions }: InvitationSelection,
): Omit<ListSource, 'name'> {
  return {
    columns: ctx.tables.columns(Invitation, 'i'),
    from: sql`from invitation i where ${scope} ${conditions}`,
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

function conditionsOf(filter: InvitationCriteria, search: AddressSearch | null, now: Date): RawBuilder<unknown> {
  const conditions = [
    filter.status && statusCondition(filter.status, now),
    filter.delivery && sql`i.delivery = any(${filter.delivery})`,
    search && isFound(search, sql`i.external_user_id`),
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
