/** What a person or an app may do as an operator, now: the roles of the user, of their groups, or of the app. */
import { type RawBuilder, sql } from 'kysely';
import type { Row } from '../../database/table.js';
import type { Db } from '../../database/transaction.js';
import { type OperatorRole, type Permission, rolePermissions } from '../../kernel/actor.js';
import { type ListSource, newestFirst } from '../../request/connection.js';
import type { RequestContext } from '../../request/request-context.js';
import { RoleAssignment } from './role-assignment.entity.js';

export type RoleAssignmentRow = Row<RoleAssignment>;

export function rolesOfTenant(ctx: RequestContext): ListSource {
  return {
    name: 'role assignments',
    columns: ctx.tables.columns(RoleAssignment, 'r'),
    from: sql`from role_assignment r where r.tenant_id = parent.id`,
    id: sql`r.id`,
    order: newestFirst(sql`r.created_at`),
  };
}

export interface OperatorRights {
  displayName: string;
  permissions: Set<Permission>;
}

/** Null: there is no such enabled user or app in the tenant, or no role for it. `id` is a user's or an app's. */
export async function findOperatorRights(db: Db, tenantId: string, id: string): Promise<OperatorRights | null> {
  const { rows } = await sql<{ displayName: string; roles: OperatorRole[] }>`
    select coalesce(u.display_name, u.email) as "displayName",
      array(select distinct role from role_assignment r where r.tenant_id = u.tenant_id and ${rolesOfUser(sql`u.id`)}) as roles
    from external_user u
    where u.tenant_id = ${tenantId} and u.id = ${id} and u.account_enabled and u.state = 'ACCEPTED'
    union all
    select a.display_name, array(select distinct role from role_assignment r where r.app_id = a.id) as roles
    from app a where a.tenant_id = ${tenantId} and a.id = ${id} and a.enabled and a.api_access`.execute(db);
  const [found] = rows;
  if (!found || found.roles.length === 0) return null;
  const { displayName, roles } = found;
  return { displayName, permissions: new Set(roles.flatMap((role) => rolePermissions[role])) };
}

/** Whoever takes over such a user operates the tenant. */
export async function bearsOperatorRole(db: Db, userId: string): Promise<boolean> {
  const { rows } = await sql`select from role_assignment r where ${rolesOfUser(sql`${userId}`)} limit 1`.execute(db);
  return rows.length > 0;
}

/** Of a user's or an app's id, as a condition: roles are worth something to nobody else. */
export function isOperatorEnabled(id: RawBuilder<unknown>): RawBuilder<boolean> {
  return sql<boolean>`(
    exists (select from external_user who where who.id = ${id} and who.account_enabled and who.state = 'ACCEPTED')
    or exists (select from app what where what.id = ${id} and what.enabled and what.api_access))`;
}

/** A condition on `role_assignment r`. */
export function rolesOfUser(userId: RawBuilder<unknown>): RawBuilder<boolean> {
  return sql<boolean>`(r.external_user_id = ${userId}
    or r.group_id in (select m.group_id from group_member m where m.external_user_id = ${userId}))`;
}
