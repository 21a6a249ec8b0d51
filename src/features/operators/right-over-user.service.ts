/**
 * Whoever takes away how a person signs in is a step away from being that person, and so needs the right to give what they
 * have: an app's roles, the operation of the tenant.
 */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { requirePermission } from '../../kernel/actor.js';
import type { RequestContext } from '../../request/request-context.js';
import { bearsOperatorRole } from './operator-rights.queries.js';

/** @throws RequestError FORBIDDEN without APP_ASSIGN over who bears a role of an app, without ROLE_WRITE over an operator. */
export async function requireRightOver(
  ctx: RequestContext,
  { db }: Pick<Tx, 'db'>,
  externalUserId: string,
): Promise<void> {
  if (await bearsAppRole(db, externalUserId)) requirePermission(ctx.actor, 'APP_ASSIGN');
  if (await bearsOperatorRole(db, externalUserId)) requirePermission(ctx.actor, 'ROLE_WRITE');
}

/** By themselves or by a group. */
async function bearsAppRole(db: Tx['db'], externalUserId: string): Promise<boolean> {
  const { rows } = await sql`
    select from app_assignment where external_user_id = ${externalUserId} and role is not null
    union all
    select from group_member m join app_assignment a on a.group_id = m.group_id
    where m.external_user_id = ${externalUserId} and a.role is not null
    limit 1`.execute(db);
  return rows.length > 0;
}
