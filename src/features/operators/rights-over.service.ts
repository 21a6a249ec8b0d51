/** Taking a user over, or away, takes the rights that the user bears: in apps, and as an operator. */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { requirePermission } from '../../kernel/actor.js';
import type { RequestContext } from '../../request/request-context.js';
import { rolesOfUser } from './operator-rights.queries.js';

/**
 * @throws RequestError FORBIDDEN without APP_ASSIGN when the user bears a role of an app, by themselves or by a group, and
 * without ROLE_WRITE when the user bears an operator's.
 */
export async function requireRightOver(ctx: RequestContext, { db }: Pick<Tx, 'db'>, userId: string): Promise<void> {
  const { rows } = await sql<{ ofApp: boolean; ofOperator: boolean }>`
    select exists (
      select from app_assignment a where a.role is not null and (a.external_user_id = ${userId}
        or a.group_id in (select m.group_id from group_member m where m.external_user_id = ${userId}))
    ) as "ofApp", exists (select from role_assignment r where ${rolesOfUser(sql`${userId}`)}) as "ofOperator"`.execute(
    db,
  );
  if (rows[0]?.ofApp) requirePermission(ctx.actor, 'APP_ASSIGN');
  if (rows[0]?.ofOperator) requirePermission(ctx.actor, 'ROLE_WRITE');
}
