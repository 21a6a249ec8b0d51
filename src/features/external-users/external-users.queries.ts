/**
 * Reads of external users and their identities: plain rows. Filters by group and app look into those features' tables;
 * an id of another tenant filters everything out, because the list is the tenant's own.
 */
import { type RawBuilder, sql } from 'kysely';
import type { Row } from '../../database/table.js';
import { type ListOrder, type ListSource, newestFirst } from '../../request/connection.js';
import type { RequestContext } from '../../request/request-context.js';
import { type AddressSearch, isFound, searchAddresses } from './address-search.queries.js';
import { ExternalUser, type ExternalUserState, type ExternalUserType } from './external-user.entity.js';
import { Identity } from './identity.entity.js';

export type ExternalUserRow = Row<ExternalUser>;
export type IdentityRow = Row<Identity>;

export const externalUserOrderFields = ['CREATED_AT', 'EMAIL'] as const;
export type ExternalUserOrderField = (typeof externalUserOrderFields)[number];

export interface ExternalUserSelection {
  state?: ExternalUserState[] | null;
  userType?: ExternalUserType | null;
  accountEnabled?: boolean | null;
  emailContains?: string | null;
  groupId?: string | null;
  appId?: string | null;
  lastSignInBefore?: Date | null;
  deleted?: boolean | null;
}

export interface ExternalUserOrdering {
  field: ExternalUserOrderField;
  direction: 'ASC' | 'DESC';
}

/** @throws RequestError BAD_USER_INPUT when `emailContains` is too short. */
export async function externalUsersOfTenant(
  ctx: RequestContext,
  tenantId: string,
  filter: ExternalUserSelection = {},
  ordering: ExternalUserOrdering = { field: 'CREATED_AT', direction: 'DESC' },
): Promise<ListSource> {
  const search = filter.emailContains == null ? null : await searchAddresses(ctx, tenantId, filter.emailContains);
  const where = [sql`u.tenant_id = parent.id`, ...conditions(filter, search)];
  return {
    name: `externalUsers ${JSON.stringify([filter, ordering, search && tenantId])}`,
    columns: ctx.tables.columns(ExternalUser, 'u'),
    from: sql`from external_user u where ${sql.join(where, sql` and `)}`,
    id: sql`u.id`,
    order: orderOf(ordering),
  };
}

function orderOf({ field, direction }: ExternalUserOrdering): ListOrder {
  return field === 'EMAIL'
    ? { name: 'EMAIL', by: sql`u.email_key`, direction, type: 'text' }
    : { ...newestFirst(sql`u.created_at`), direction };
}

function conditions(filter: ExternalUserSelection, search: AddressSearch | null): RawBuilder<unknown>[] {
  const { state, userType, accountEnabled, groupId, appId, lastSignInBefore, deleted } = filter;
  const list: (RawBuilder<unknown> | false | null)[] = [
    state != null && sql`u.state = any(${state})`,
    userType != null && sql`u.user_type = ${userType}`,
    accountEnabled != null && sql`u.account_enabled = ${accountEnabled}`,
    search && isFound(search, sql`u.id`),
    groupId != null &&
      sql`exists (select from group_member m where m.group_id = ${groupId} and m.external_user_id = u.id)`,
    appId != null && isAssignedTo(appId),
    lastSignInBefore != null && sql`u.last_sign_in_at < ${lastSignInBefore}`,
    deleted ? sql`u.deleted_at is not null` : sql`u.deleted_at is null`,
  ];
  return list.filter((condition): condition is RawBuilder<unknown> => Boolean(condition));
}

function isAssignedTo(appId: string): RawBuilder<unknown> {
  return sql`exists (
    select from app_assignment a where a.app_id = ${appId} and (
      a.external_user_id = u.id
      or exists (select from group_member m where m.group_id = a.group_id and m.external_user_id = u.id)))`;
}

/** By which the user signs in, the first linked first. */
export function identitiesOf(ctx: RequestContext, externalUserId: string): Promise<IdentityRow[]> {
  return ctx.loader<string, IdentityRow[]>('identities', (ids) => identitiesByUser(ctx, ids)).load(externalUserId);
}

async function identitiesByUser(ctx: RequestContext, ids: readonly string[]): Promise<IdentityRow[][]> {
  const { rows } = await sql<IdentityRow>`
    select ${ctx.tables.columns(Identity, 'i')} from identity i
    where i.external_user_id = any(${ids}) order by i.linked_at, i.id`.execute(ctx.db);
  const byUser = Map.groupBy(rows, (identity) => identity.externalUserId);
  return ids.map((id) => byUser.get(id) ?? []);
}
