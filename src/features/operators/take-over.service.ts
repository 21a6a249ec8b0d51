/** Who changes how somebody signs in is a step away from being that user, and needs the right to grant what the user has. */
import { sql } from 'kysely';
import type { Db, Tx } from '../../database/transaction.js';
import { requirePermission } from '../../kernel/actor.js';
import type { RequestContext } from '../../request/request-context.js';
import { bearsOperatorRole } from './operator-rights.queries.js';

/** @throws RequestError FORBIDDEN without APP_ASSIGN when the user bears a role of an app, without ROLE_WRITE one of an operator. */
export async function requireRightToTakeOver(
  ctx: RequestContext,
  { db }: Pick<Tx, 'db'>,
  externalUserId: string,
): Promise<void> {
  if (await bearsAppRole(db, externalUserId)) requirePermission(ctx.actor, 'APP_ASSIGN');
  if (await bearsOperatorRole(db, externalUserId)) requirePermission(ctx.actor, 'ROLE_WRITE');
}

/** By themselves or by a group. */
async function bearsAppRole(db: Db, externalUserId: string): Promise<boolean> {
  const { rows } = await sql`
    select from app_assignment where external_user_id = ${externalUserId} and role is not null
    union all
    select from group_member m join app_assignment a on a.group_id = m.group_id
    where m.external_user_id = ${externalUserId} and a.role is not null
    limit 1`.execute(db);
  return rows.length > 0;
}
