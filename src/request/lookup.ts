/**
 * Lookups by id, batched and scoped: an id of another tenant is as unknown as one never given. `rowById` is for fields
 * (null when unknown), `tenantOf` for commands (NOT_FOUND as a userError).
 */
import type { EntityClass } from '@mikro-orm/core';
import { sql } from 'kysely';
import type { Row } from '../database/table.js';
import { refuse } from '../kernel/errors.js';
import { type IdType, isIdOf } from '../kernel/ids.js';
import { noteInScope } from '../kernel/scope.js';
import type { RequestContext } from './request-context.js';

export function rowById<E extends object>(
  ctx: RequestContext,
  entity: EntityClass<E>,
  id: string,
): Promise<Row<E> | null> {
  return ctx.loader<string, Row<E> | null>(`row ${entity.name}`, (ids) => rowsByIds(ctx, entity, ids)).load(id);
}

/** A row just written needs no reading: `rowById` answers it for the rest of this request. */
export function rememberRow<E extends object>(
  ctx: RequestContext,
  entity: EntityClass<E>,
  row: Row<E> & { id: string },
): void {
  ctx.loader<string, Row<E> | null>(`row ${entity.name}`, (ids) => rowsByIds(ctx, entity, ids)).prime(row.id, row);
}

async function rowsByIds<E extends object>(
  ctx: RequestContext,
  entity: EntityClass<E>,
  ids: readonly string[],
): Promise<(Row<E> | null)[]> {
  const tenantColumn = entity.name === 'Tenant' ? sql`t.id` : sql`t.tenant_id`;
  const { rows } = await sql<Row<E> & { id: string }>`
    select ${ctx.tables.columns(entity, 't')} from ${ctx.tables.name(entity)} t
    where t.id = any(${ids}) and (${ctx.scope}::text is null or ${tenantColumn} = ${ctx.scope})`.execute(ctx.db);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id) ?? null);
}

/**
 * The tenant a command is about, from the id of the thing it names.
 * @throws UserError NOT_FOUND at `field` when the id is malformed, unknown or out of the actor's reach.
 */
export async function tenantOf<E extends object>(
  ctx: RequestContext,
  type: IdType,
  entity: EntityClass<E>,
  id: string,
  field: string,
): Promise<string> {
  const row = isIdOf(type, id) ? ((await rowById(ctx, entity, id)) as { tenantId?: string } | null) : null;
  if (!row?.tenantId) throw refuse('NOT_FOUND', { field: [field] });
  noteInScope({ tenant: row.tenantId });
  return row.tenantId;
}

/** @throws UserError NOT_FOUND at `tenantId` when the actor does not reach this tenant or there is none. */
export async function reachTenant(ctx: RequestContext, tenantId: string): Promise<string> {
  if (ctx.scope === tenantId) return tenantId;
  const exists = ctx.scope === null && (await tenantExists(ctx, tenantId));
  if (!exists) throw refuse('NOT_FOUND', { field: ['tenantId'] });
  noteInScope({ tenant: tenantId });
  return tenantId;
}

async function tenantExists(ctx: RequestContext, tenantId: string): Promise<boolean> {
  const { rows } = await sql`select from tenant where id = ${tenantId}`.execute(ctx.db);
  return rows.length > 0;
}
