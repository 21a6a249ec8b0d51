/** Use cases of operators' roles. What a role allows is `kernel/actor.ts`; whose token it is, `openid-provider/`. */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { type OperatorRole, requirePermission, rolePermissions } from '../../kernel/actor.js';
import { refuse } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import { reachTenant, rowById, tenantOf } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { ringAccessChanged } from '../access/access-channel.service.js';
import { App } from '../apps/app.entity.js';
import { ExternalUser } from '../external-users/external-user.entity.js';
import { Group } from '../groups/group.entity.js';
import type { RoleAssignmentRow } from './operator-rights.queries.js';
import { RoleAssignment } from './role-assignment.entity.js';

export interface RoleRequest {
  tenantId: string;
  role: OperatorRole;
  externalUserId?: string | null;
  groupId?: string | null;
  appId?: string | null;
}

export class RolesService {
  /** The same again is the one there is. Nobody gives more than they have. @throws RequestError FORBIDDEN */
  async assign(ctx: RequestContext, input: RoleRequest): Promise<string> {
    const tenantId = await reachTenant(ctx, input.tenantId);
    for (const permission of rolePermissions[input.role]) requirePermission(ctx.actor, permission);
    await checkBearer(ctx, input, tenantId);
    const { role, externalUserId = null, groupId = null, appId = null } = input;
    return ctx.transaction(tenantId, async (tx) => {
      await sql`
        insert into role_assignment (id, tenant_id, role, external_user_id, group_id, app_id, created_at)
        values (${newId('RoleAssignment')}, ${tenantId}, ${role}, ${externalUserId}, ${groupId}, ${appId}, ${ctx.clock.now()})
        on conflict (tenant_id, external_user_id, group_id, app_id, role) do nothing`.execute(tx.db);
      await ringAccessChanged(tx);
      return idOf(tx, { role, externalUserId, groupId, appId });
    });
  }

  /** @returns the assignment as it was */
  async unassign(ctx: RequestContext, id: string): Promise<RoleAssignmentRow> {
    const tenantId = await tenantOf(ctx, 'RoleAssignment', RoleAssignment, id, 'roleAssignmentId');
    const assignment = await rowById(ctx, RoleAssignment, id);
    if (!assignment) throw refuse('NOT_FOUND', { field: ['roleAssignmentId'] });
    await ctx.transaction(tenantId, async (tx) => {
      await sql`delete from role_assignment where tenant_id = ${tenantId} and id = ${id}`.execute(tx.db);
      await ringAccessChanged(tx);
    });
    return assignment;
  }
}

async function checkBearer(ctx: RequestContext, input: RoleRequest, tenantId: string): Promise<void> {
  const { externalUserId = null, groupId = null, appId = null } = input;
  if ([externalUserId, groupId, appId].filter((id) => id !== null).length !== 1) {
    const message = 'Give exactly one of externalUserId, groupId and appId.';
    throw refuse('INVALID', { field: ['externalUserId'], message });
  }
  const owner =
    (externalUserId !== null &&
      (await tenantOf(ctx, 'ExternalUser', ExternalUser, externalUserId, 'externalUserId'))) ||
    (groupId !== null && (await tenantOf(ctx, 'Group', Group, groupId, 'groupId'))) ||
    (await tenantOf(ctx, 'App', App, appId as string, 'appId'));
  const field = externalUserId !== null ? 'externalUserId' : groupId !== null ? 'groupId' : 'appId';
  if (owner !== tenantId) throw refuse('NOT_FOUND', { field: [field] });
}

type Bearer = Pick<RoleAssignment, 'role' | 'externalUserId' | 'groupId' | 'appId'>;

async function idOf(tx: Tx, { role, externalUserId, groupId, appId }: Bearer): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    select id from role_assignment
    where tenant_id = ${tx.tenantId} and role = ${role} and external_user_id is not distinct from ${externalUserId}
      and group_id is not distinct from ${groupId} and app_id is not distinct from ${appId}`.execute(tx.db);
  const [assignment] = rows;
  if (!assignment) throw refuse('CONFLICT');
  return assignment.id;
}
