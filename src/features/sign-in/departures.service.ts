/**
 * Leaving and coming back: a user who is deleted, by an operator or by themselves, is out at once and can be restored for 30
 * days, with groups, apps and identities; then the user is gone, with their invitations. Facts in the feed stay.
 */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { DAY, later } from '../../kernel/clock.js';
import { refuse } from '../../kernel/errors.js';
import { tenantOf } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import type { ReviewAccess } from '../external-users/access-review.port.js';
import { ExternalUser } from '../external-users/external-user.entity.js';
import { revokePendingOfUser } from '../invitations/invitations.service.js';
import { requireRightOver } from '../operators/right-over-user.service.js';
import type { LiveSession, SessionsService } from './sessions.service.js';

const RESTORABLE_DAYS = 30;
const SWEEP_BATCH = 500;

export class DeparturesService {
  readonly #sessions: SessionsService;
  readonly #reviewAccess: ReviewAccess;

  constructor(sessions: SessionsService, reviewAccess: ReviewAccess) {
    this.#sessions = sessions;
    this.#reviewAccess = reviewAccess;
  }

  /**
   * One who is deleted already stays so since the first time.
   * @throws UserError NOT_FOUND at `externalUserId`.
   * @throws RequestError FORBIDDEN without the rights that the user bears (`requireRightOver`).
   */
  async delete(ctx: RequestContext, externalUserId: string): Promise<void> {
    const tenantId = await tenantOf(ctx, 'ExternalUser', ExternalUser, externalUserId, 'externalUserId');
    await ctx.transaction(tenantId, async (tx) => {
      await requireRightOver(ctx, tx, externalUserId);
      await this.#depart(ctx, tx, externalUserId);
    });
  }

  /** The guest's own doing; `account.service.ts` has asked for a fresh proof. */
  async leave(ctx: RequestContext, { tenantId, externalUserId }: LiveSession): Promise<void> {
    await ctx.transaction(tenantId, (tx) => this.#depart(ctx, tx, externalUserId));
  }

  /** @throws UserError NOT_FOUND at `externalUserId`, CONFLICT when the user is not deleted. */
  async restore(ctx: RequestContext, externalUserId: string): Promise<void> {
    const tenantId = await tenantOf(ctx, 'ExternalUser', ExternalUser, externalUserId, 'externalUserId');
    await ctx.transaction(tenantId, async (tx) => {
      await requireRightOver(ctx, tx, externalUserId);
      const { numAffectedRows } = await sql`
        update external_user set deleted_at = null, account_enabled = true
        where id = ${externalUserId} and deleted_at is not null`.execute(tx.db);
      if (numAffectedRows !== 1n)
        throw refuse('CONFLICT', { field: ['externalUserId'], message: 'This person is not deleted.' });
    });
  }

  /** Invitations are locked before anything else is written, so that their facts stand in the order they happened. */
  async #depart(ctx: RequestContext, tx: Tx, externalUserId: string): Promise<void> {
    await revokePendingOfUser(ctx, tx, externalUserId);
    await sql`
      update external_user set deleted_at = ${ctx.clock.now()}, account_enabled = false
      where id = ${externalUserId} and tenant_id = ${tx.tenantId} and deleted_at is null`.execute(tx.db);
    await this.#sessions.endAllOf(tx, externalUserId, 'ACCOUNT_DELETED');
    await this.#reviewAccess(tx, { externalUserIds: [externalUserId] });
  }
}

/** Those who were not restored in time, over all tenants. */
export async function forgetDeletedUsers(ctx: RequestContext): Promise<void> {
  const before = later(ctx.clock.now(), -RESTORABLE_DAYS * DAY);
  while ((await forgetBatch(ctx, before)) === SWEEP_BATCH) ctx.log.debug({}, 'forgot a batch of deleted users');
}

function forgetBatch(ctx: RequestContext, before: Date): Promise<number> {
  return ctx.transaction(null, async ({ db }) => {
    const { rows } = await sql<{ id: string }>`
      select id from external_user where deleted_at <= ${before}
      order by deleted_at limit ${SWEEP_BATCH} for update skip locked`.execute(db);
    const ids = rows.map(({ id }) => id);
    if (ids.length === 0) return 0;
    await sql`delete from invitation where external_user_id = any(${ids})`.execute(db);
    await sql`delete from external_user where id = any(${ids})`.execute(db);
    return ids.length;
  });
}
