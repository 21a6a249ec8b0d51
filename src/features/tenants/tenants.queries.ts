/** Reads of tenants: plain rows, scoped to what the actor reaches. */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import { type ListSource, newestFirst } from '../../request/connection.js';
import { rowById } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { Tenant } from './tenant.entity.js';

export type TenantRow = Row<Tenant>;

/** The connection of all tenants hangs on nothing: its one parent is this id. */
export const EVERY_TENANT = 'every-tenant';

export function tenantsSource(ctx: RequestContext): ListSource {
  return {
    name: 'tenants',
    columns: ctx.tables.columns(Tenant, 't'),
    from: sql`from tenant t where ${ctx.scope}::text is null or t.id = ${ctx.scope}`,
    id: sql`t.id`,
    order: newestFirst(sql`t.created_at`),
  };
}

export async function tenantBySlug(ctx: RequestContext, slug: string): Promise<TenantRow | null> {
  const { rows } = await sql<{ id: string }>`select id from tenant where slug = ${slug}`.execute(ctx.db);
  return rows[0] ? rowById(ctx, Tenant, rows[0].id) : null;
}
