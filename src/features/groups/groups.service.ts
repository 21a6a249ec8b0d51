/** Use cases of groups: create, change, delete. Who is in them is `group-members.service.ts`. */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import { isUniqueViolation } from '../../database/transaction.js';
import { refuse, type UserError } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import { nameKey } from '../../kernel/names.js';
import { reachTenant, rowById, tenantOf } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { Validation } from '../../request/validation.js';
import type { ReviewAccess } from '../external-users/access-review.port.js';
import { Group } from './group.entity.js';

export interface NewGroup {
  tenantId: string;
  displayName: string;
  description?: string | null;
}

export interface GroupChange {
  groupId: string;
  displayName?: string | null;
  description?: string | null;
}

const MAX_DESCRIPTION_LENGTH = 1000;

export class GroupsService {
  readonly #reviewAccess: ReviewAccess;

  constructor(reviewAccess: ReviewAccess) {
    this.#reviewAccess = reviewAccess;
  }

  async create(ctx: RequestContext, input: NewGroup): Promise<string> {
    const tenantId = await reachTenant(ctx, input.tenantId);
    const valid = new Validation();
    const group = {
      ...checkName(valid, input.displayName),
      description: valid.text(input.description, MAX_DESCRIPTION_LENGTH, 'description'),
    };
    valid.done();
    const id = newId('Group');
    await refusingTakenName(
      ctx.transaction(tenantId, async ({ em }) => {
        em.create(Group, { id, tenantId, ...group, createdAt: ctx.clock.now() });
      }),
    );
    return id;
  }

  async update(ctx: RequestContext, input: GroupChange): Promise<string> {
    const { groupId: id, displayName, description } = input;
    const tenantId = await tenantOf(ctx, 'Group', Group, id, 'groupId');
    const valid = new Validation();
    const change = {
      ...(displayName != null && checkName(valid, displayName)),
      ...(description !== undefined && { description: valid.text(description, MAX_DESCRIPTION_LENGTH, 'description') }),
    };
    valid.done();
    await refusingTakenName(
      ctx.transaction(tenantId, async ({ em }) => {
        Object.assign(await em.findOneOrFail(Group, { id }, { failHandler: unknownGroup }), change);
      }),
    );
    return id;
  }

  /** Memberships, assignments and what open invitations promise of it go with it. @returns the group as it was */
  async delete(ctx: RequestContext, groupId: string): Promise<Row<Group>> {
    const tenantId = await tenantOf(ctx, 'Group', Group, groupId, 'groupId');
    const group = await rowById(ctx, Group, groupId);
    if (!group) throw unknownGroup();
    await ctx.transaction(tenantId, async (tx) => {
      const { rows } = await sql<{ appId: string }>`
        select distinct app_id as "appId" from app_assignment where group_id = ${groupId}`.execute(tx.db);
      await sql`delete from user_group where tenant_id = ${tenantId} and id = ${groupId}`.execute(tx.db);
      await this.#reviewAccess(tx, { appIds: rows.map((row) => row.appId) });
    });
    return group;
  }
}

function checkName(valid: Validation, name: string): Pick<Group, 'displayName' | 'nameKey'> {
  const displayName = valid.name(name, 'displayName');
  return { displayName, nameKey: nameKey(displayName) };
}

/** Also when it was deleted a moment ago. */
function unknownGroup(): UserError {
  return refuse('NOT_FOUND', { field: ['groupId'] });
}

async function refusingTakenName(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    throw isUniqueViolation(error) ? refuse('TAKEN', { field: ['displayName'] }) : error;
  }
}
