/**
 * Works off a bulk invite: chunk after chunk, each one short transaction that also moves the place to resume from
 * (`bulk-invite-steps.ts`). A process that is killed loses the chunk it was in and nothing else; whoever runs the job next
 * begins where it stopped, and no row is worked off twice. Queued by `bulk-invites.service.ts`, called by the job.
 */
import { isOutage } from '../../database/outage.js';
import type { Actor } from '../../kernel/actor.js';
import { SECOND } from '../../kernel/clock.js';
import { userErrorEntry } from '../../kernel/errors.js';
import { describeFault } from '../../kernel/fault.js';
import { rowById } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import type { MailLimits } from '../invitations/mail-limits.service.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { BulkInvite, isFinished } from './bulk-invite.entity.js';
import { lockBulkInvite } from './bulk-invite-lock.js';
import { failed, saveProgress, takeStep } from './bulk-invite-steps.js';
import { queueBulkInviteRun } from './bulk-invites.service.js';
import { FIRST_CHUNK_ROWS, nextChunkSize } from './chunk-size.js';
import { findInviter } from './inviter.js';
import { ROWS_WORTH_ANALYZING, refreshStatistics } from './planner-statistics.js';

/** So long one batch keeps a worker; then it goes to the back of the queue, so that others have their turn. */
const TURN_MILLISECONDS = 1 * SECOND;

export interface Turn {
  signal?: AbortSignal;
  /** Nobody comes after it. */
  isLastAttempt: boolean;
}

export class BulkInviteRun {
  readonly #limits: MailLimits;
  readonly #contextAs: (actor: Actor) => RequestContext;
  readonly #observe: (outcome: 'invited' | 'rejected', rows: number) => void;

  /** @param contextAs the job acts in the name of whoever asked for the batch. */
  constructor(
    limits: MailLimits,
    contextAs: (actor: Actor) => RequestContext,
    observe: (outcome: 'invited' | 'rejected', rows: number) => void = () => undefined,
  ) {
    this.#limits = limits;
    this.#contextAs = contextAs;
    this.#observe = observe;
  }

  /**
   * One turn of the job. What is left afterwards, or when the process stops, is queued again.
   * @throws what made it fail, for the worker to try again. The last attempt ends the batch as FAILED instead, unless it was
   *   the database that failed: then there will be another (`requeue-lost-work.ts`).
   */
  async takeTurn(ctx: RequestContext, bulkInviteId: string, { signal, isLastAttempt }: Turn): Promise<void> {
    try {
      const turn = { ...(signal && { signal }), milliseconds: TURN_MILLISECONDS };
      if (!(await this.run(ctx, bulkInviteId, turn))) await queueAgain(ctx, bulkInviteId);
    } catch (error) {
      if (signal?.aborted) return queueAgain(ctx, bulkInviteId);
      if (!isLastAttempt || isOutage(error)) throw error;
      ctx.log.error({ bulkInvite: bulkInviteId, error: describeFault(error) }, 'a bulk invite failed for good');
      await giveUp(ctx, bulkInviteId);
    }
  }

  /**
   * Until the batch has finished or the time is up, which is looked at between two chunks.
   * @returns whether there is nothing left to do, also when the batch had finished before, or there is none of this id.
   * @throws the signal's reason between two chunks.
   */
  async run(
    ctx: RequestContext,
    bulkInviteId: string,
    { signal, milliseconds = Number.POSITIVE_INFINITY }: { signal?: AbortSignal; milliseconds?: number } = {},
  ): Promise<boolean> {
    const began = performance.now();
    let size = FIRST_CHUNK_ROWS;
    let taken = 0;
    while (performance.now() - began < milliseconds) {
      signal?.throwIfAborted();
      const startedAt = performance.now();
      if (!(await this.#takeStep(ctx, bulkInviteId, size))) return true;
      const isWorthAnalyzing = taken < ROWS_WORTH_ANALYZING && taken + size >= ROWS_WORTH_ANALYZING;
      taken += size;
      size = nextChunkSize(size, performance.now() - startedAt);
      if (isWorthAnalyzing) await refreshStatistics(ctx.db);
    }
    return false;
  }

  /** @returns whether there is more to do. */
  async #takeStep(ctx: RequestContext, bulkInviteId: string, count: number): Promise<boolean> {
    const known = await rowById(ctx, BulkInvite, bulkInviteId);
    const tenant = known && (await rowById(ctx, Tenant, known.tenantId));
    if (!tenant) return false;
    const moved = await ctx.transaction(tenant.id, async (tx) => {
      const bulkInvite = await lockBulkInvite(ctx, tx, bulkInviteId);
      if (!bulkInvite || isFinished(bulkInvite.status)) return null;
      const inviter = await findInviter(tx, bulkInvite);
      const means = inviter && { ctx: this.#contextAs(inviter), limits: this.#limits, tenant };
      const after = await takeStep(tx, bulkInvite, means, count);
      await saveProgress(tx, after, ctx.clock.now());
      return { before: bulkInvite, after };
    });
    if (!moved) return false;
    const { before, after } = moved;
    this.#observe('invited', after.invitedRows - before.invitedRows);
    this.#observe('rejected', after.rejectedRows - before.rejectedRows);
    return !isFinished(after.status);
  }
}

async function queueAgain(ctx: RequestContext, bulkInviteId: string): Promise<void> {
  const known = await rowById(ctx, BulkInvite, bulkInviteId);
  if (known)
    await ctx.transaction(known.tenantId, (tx) => queueBulkInviteRun(tx, known.tenantId, bulkInviteId, 'again'));
}

async function giveUp(ctx: RequestContext, bulkInviteId: string): Promise<void> {
  const known = await rowById(ctx, BulkInvite, bulkInviteId);
  if (!known) return;
  await ctx.transaction(known.tenantId, async (tx) => {
    const bulkInvite = await lockBulkInvite(ctx, tx, bulkInviteId);
    if (!bulkInvite || isFinished(bulkInvite.status)) return;
    await saveProgress(tx, failed(bulkInvite, workFailed), ctx.clock.now());
  });
}

const workFailed = userErrorEntry('BATCH_REJECTED', {
  message:
    'This batch could not be worked off: something went wrong on our side, again and again. Invitations made before stay. Tell whoever runs the gateway, whose log has the details, then retry the rejected rows.',
});
