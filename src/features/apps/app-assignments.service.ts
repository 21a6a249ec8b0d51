/**
 * Use cases of assignments: a user or a group gets an app, with one of its roles or none. What invitations promise becomes
 * an assignment when it is accepted; that is the redemption's business.
 */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { refuse } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import { rowById, tenantOf } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import type { ReviewAccess } from '../external-users/access-review.port.js';
import { ExternalUser } from '../external-users/external-user.entity.js';
import { Group } from '../groups/group.entity.js';
import { App } from './app.entity.js';
import { AppAssignment } from './app-assignment.entity.js';

export interface AssignmentRequest {
  appId: string;
  externalUserId?: string | null;
  groupId?: string | null;
  role?: string | null;
}

type Principal = Pick<AppAssignment, 'externalUserId' | 'groupId'>;

export class AppAssignmentsService {
  readonly #reviewAccess: ReviewAccess;

  constructor(reviewAccess: ReviewAccess) {
    this.#reviewAccess = reviewAccess;
  }

  /** The same assignment again is the one there is. */
  async assign(ctx: RequestContext, input: AssignmentRequest): Promise<string> {
    const tenantId = await tenantOf(ctx, 'App', App, input.appId, 'appId');
    const principal = await principalOf(ctx, input, tenantId);
    return ctx.transaction(tenantId, async (tx) => {
      await holdPrincipal(tx, principal);
      await holdAppWithRole(tx, input.appId, input.role ?? null);
      return insertAssignment(tx, input.appId, principal, input.role ?? null, ctx.clock.now());
    });
  }

  /** @returns the id of the app */
  async unassign(ctx: RequestContext, appAssignmentId: string): Promise<string> {
    const tenantId = await tenantOf(ctx, 'AppAssignment', AppAssignment, appAssignmentId, 'appAssignmentId');
    const assignment = await rowById(ctx, AppAssignment, appAssignmentId);
    if (!assignment) throw refuse('NOT_FOUND', { field: ['appAssignmentId'] });
    await ctx.transaction(tenantId, async (tx) => {
      await sql`delete from app_assignment where tenant_id = ${tenantId} and id = ${appAssignmentId}`.execute(tx.db);
      await this.#reviewAccess(tx, { appIds: [assignment.appId] });
    });
    return assignment.appId;
  }
}

async function principalOf(ctx: RequestContext, input: AssignmentRequest, tenantId: string): Promise<Principal> {
  const { externalUserId = null, groupId = null } = input;
  if ((externalUserId === null) === (groupId === null)) {
    throw refuse('INVALID', { field: ['externalUserId'], message: 'Give exactly one of externalUserId and groupId.' });
  }
  const owner =
    externalUserId !== null
      ? await tenantOf(ctx, 'ExternalUser', ExternalUser, externalUserId, 'externalUserId')
      : await tenantOf(ctx, 'Group', Group, groupId as string, 'groupId');
  if (owner !== tenantId) throw unknownPrincipal({ externalUserId, groupId });
  return { externalUserId, groupId };
}

/** Keeps the group from being deleted meanwhile; users are never deleted. */
async function holdPrincipal(tx: Tx, principal: Principal): Promise<void> {
  if (principal.groupId === null) return;
  const { rows } = await sql`select from user_group where id = ${principal.groupId} for key share`.execute(tx.db);
  if (rows.length === 0) throw unknownPrincipal(principal);
}

function unknownPrincipal({ groupId }: Principal): Error {
  return refuse('NOT_FOUND', { field: [groupId === null ? 'externalUserId' : 'groupId'] });
}

/** Keeps the app and its roles as they are until the assignment stands. */
async function holdAppWithRole(tx: Tx, appId: string, role: string | null): Promise<void> {
  const { rows } = await sql<{ roles: string[] }>`select roles from app where id = ${appId} for share`.execute(tx.db);
  const [app] = rows;
  if (!app) throw refuse('NOT_FOUND', { field: ['appId'] });
  if (role === null || app.roles.includes(role)) return;
  const known = app.roles.length > 0 ? `Use one of: ${app.roles.join(', ')}.` : 'This app has no roles; leave it out.';
  throw refuse('INVALID', { field: ['role'], message: known });
}

async function insertAssignment(
  tx: Tx,
  appId: string,
  principal: Principal,
  role: string | null,
  now: Date,
): Promise<string> {
  const { externalUserId, groupId } = principal;
  await sql`
    insert into app_assignment (id, tenant_id, app_id, external_user_id, group_id, role, created_at)
    values (${newId('AppAssignment')}, ${tx.tenantId}, ${appId}, ${externalUserId}, ${groupId}, ${role}, ${now})
    on conflict (app_id, external_user_id, group_id, role) do nothing`.execute(tx.db);
  const { rows } = await sql<{ id: string }>`
    select id from app_assignment
    where app_id = ${appId} and external_user_id is not distinct from ${externalUserId}
      and group_id is not distinct from ${groupId} and role is not distinct from ${role}`.execute(tx.db);
  const [assignment] = rows;
  if (!assignment) throw refuse('CONFLICT');
  return assignment.id;
}
