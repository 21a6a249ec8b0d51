/**
 * Who is in a group. Both use cases answer per id: what is right is done, what is wrong is told at its place. Each is one
 * statement for any number of people.
 */
import { sql } from 'kysely';
import type { Db, Tx } from '../../database/transaction.js';
import { type Actor, requirePermission } from '../../kernel/actor.js';
import { refuse, type UserErrorEntry, userErrorEntry } from '../../kernel/errors.js';
import { tenantOf } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import type { ReviewAccess } from '../external-users/access-review.port.js';
import { Group } from './group.entity.js';

export interface MembersChange {
  groupId: string;
  externalUserIds: string[];
}

export interface MembersOutcome {
  groupId: string;
  /** One per id that is of no user of the tenant. */
  userErrors: UserErrorEntry[];
}

const MAX_IDS_PER_CALL = 1000;

export class GroupMembersService {
  readonly #reviewAccess: ReviewAccess;

  constructor(reviewAccess: ReviewAccess) {
    this.#reviewAccess = reviewAccess;
  }

  /** A user who is a member already stays one. */
  add(ctx: RequestContext, change: MembersChange): Promise<MembersOutcome> {
    return changeMembers(ctx, change, async (tx) => {
      await requireRightToFill(ctx, tx.db, [change.groupId]);
      return addMembers(tx, change, ctx.clock.now());
    });
  }

  /** A user who is no member stays none. */
  remove(ctx: RequestContext, change: MembersChange): Promise<MembersOutcome> {
    return changeMembers(ctx, change, async (tx) => {
      const known = await removeMembers(tx, change);
      await this.#reviewAccess(tx, { externalUserIds: [...known] });
      return known;
    });
  }
}

/** Of roles in apps, and of operators' roles. */
const rightsToGrant = ['APP_ASSIGN', 'ROLE_WRITE'] as const;

/**
 * Whoever puts people into a group that bears a role grants that role, and needs the right to.
 * @throws RequestError FORBIDDEN without APP_ASSIGN when one of the groups bears a role.
 */
export async function requireRightToFill(ctx: RequestContext, db: Db, groupIds: readonly string[]): Promise<void> {
  if ((await findGroupsOutOfReach(db, ctx.actor, groupIds)).size === 0) return;
  for (const permission of rightsToGrant) requirePermission(ctx.actor, permission);
}

/** Those of the groups that the actor may not fill, for callers that answer for each. */
export async function findGroupsOutOfReach(db: Db, actor: Actor, groupIds: readonly string[]): Promise<Set<string>> {
  const [mayGrantApps, mayGrantRoles] = rightsToGrant.map((permission) => actor.permissions.has(permission));
  if (groupIds.length === 0 || (mayGrantApps && mayGrantRoles)) return new Set();
  const { rows } = await sql<{ groupId: string }>`
    select group_id as "groupId" from app_assignment
    where not ${mayGrantApps} and group_id = any(${groupIds}) and role is not null
    union
    select group_id from role_assignment where not ${mayGrantRoles} and group_id = any(${groupIds})`.execute(db);
  return new Set(rows.map((row) => row.groupId));
}

async function changeMembers(
  ctx: RequestContext,
  { groupId, externalUserIds }: MembersChange,
  apply: (tx: Tx) => Promise<Set<string>>,
): Promise<MembersOutcome> {
  if (externalUserIds.length > MAX_IDS_PER_CALL) {
    throw refuse('ROW_LIMIT_EXCEEDED', {
      field: ['externalUserIds'],
      message: `Give at most ${MAX_IDS_PER_CALL} ids in one call.`,
    });
  }
  const tenantId = await tenantOf(ctx, 'Group', Group, groupId, 'groupId');
  const known = await ctx.transaction(tenantId, async (tx) => {
    await holdGroup(tx, groupId);
    return apply(tx);
  });
  return { groupId, userErrors: externalUserIds.flatMap((id, index) => (known.has(id) ? [] : [notFoundAt(index)])) };
}

/** Keeps the group from being deleted meanwhile. */
async function holdGroup(tx: Tx, groupId: string): Promise<void> {
  const { rows } = await sql`select from user_group where id = ${groupId} for key share`.execute(tx.db);
  if (rows.length === 0) throw refuse('NOT_FOUND', { field: ['groupId'] });
}

function notFoundAt(index: number): UserErrorEntry {
  return userErrorEntry('NOT_FOUND', { field: ['externalUserIds', String(index)] });
}

/** @returns which of the ids are users of the tenant */
async function addMembers(tx: Tx, { groupId, externalUserIds }: MembersChange, now: Date): Promise<Set<string>> {
  const { rows } = await sql<{ id: string }>`
    with known as (
      select id from external_user where tenant_id = ${tx.tenantId} and id = any(${externalUserIds})
    ), added as (
      insert into group_member (group_id, external_user_id, tenant_id, created_at)
      select ${groupId}, id, ${tx.tenantId}, ${now} from known order by id
      on conflict (group_id, external_user_id) do nothing
    )
    select id from known`.execute(tx.db);
  return new Set(rows.map((row) => row.id));
}

/** @returns which of the ids are users of the tenant */
async function removeMembers(tx: Tx, { groupId, externalUserIds }: MembersChange): Promise<Set<string>> {
  const { rows } = await sql<{ id: string }>`
    with known as (
      select id from external_user where tenant_id = ${tx.tenantId} and id = any(${externalUserIds})
    ), removed as (
      delete from group_member m using known where m.group_id = ${groupId} and m.external_user_id = known.id
    )
    select id from known`.execute(tx.db);
  return new Set(rows.map((row) => row.id));
}
