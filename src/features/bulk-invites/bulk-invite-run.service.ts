/**
 * Works off a bulk invite: chunk after chunk, each one short transaction that also moves `processedRows`. A process that is
 * killed loses the chunk it was in and nothing else; whoever runs the job next begins where it stopped, and no row is
 * worked off twice. Queued by `bulk-invites.service.ts`, called by the job.
 */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import type { Tx } from '../../database/transaction.js';
import type { Actor } from '../../kernel/actor.js';
import { userErrorEntry } from '../../kernel/errors.js';
import { rowById } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import type { MailLimits } from '../invitations/mail-limits.service.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { BulkInvite, isFinished } from './bulk-invite.entity.js';
import { advance, inviteRows, type RowVerdict, rejected, takeRows, writeVerdicts } from './bulk-invite-chunk.js';
import type { BulkInviteRecord } from './bulk-invites.queries.js';
import { FIRST_CHUNK_ROWS, nextChunkSize } from './chunk-size.js';
import { findInviter } from './inviter.js';
import { ROWS_WORTH_ANALYZING, refreshStatistics } from './planner-statistics.js';

export class BulkInviteRun {
  readonly #limits: MailLimits;
  readonly #contextAs: (actor: Actor) => RequestContext;

  /** @param contextAs the job acts in the name of whoever asked for the batch. */
  constructor(limits: MailLimits, contextAs: (actor: Actor) => RequestContext) {
    this.#limits = limits;
    this.#contextAs = contextAs;
  }

  /**
   * Returns when the batch has finished, also when it had before, or when there is none of this id.
   * @throws the signal's reason between two chunks: the job is to be run again.
   */
  async run(ctx: RequestContext, bulkInviteId: string, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    let size = FIRST_CHUNK_ROWS;
    let taken = 0;
    for (;;) {
      signal?.throwIfAborted();
      const startedAt = performance.now();
      if (!(await this.#workOffChunk(ctx, bulkInviteId, size))) return;
      const isWorthAnalyzing = taken < ROWS_WORTH_ANALYZING && taken + size >= ROWS_WORTH_ANALYZING;
      taken += size;
      size = nextChunkSize(size, performance.now() - startedAt);
      if (isWorthAnalyzing) await refreshStatistics(ctx.db);
    }
  }

  /** @returns whether there is more to do. */
  async #workOffChunk(ctx: RequestContext, bulkInviteId: string, count: number): Promise<boolean> {
    const known = await rowById(ctx, BulkInvite, bulkInviteId);
    const tenant = known && (await rowById(ctx, Tenant, known.tenantId));
    if (!tenant) return false;
    return ctx.transaction(tenant.id, async (tx) => {
      const bulkInvite = await lockBulkInvite(ctx, tx, bulkInviteId);
      if (!bulkInvite || isFinished(bulkInvite.status)) return false;
      const verdicts = await this.#decide(tx, tenant, bulkInvite, count);
      await writeVerdicts(tx, bulkInviteId, verdicts);
      await advance(tx, bulkInvite, verdicts, ctx.clock.now());
      return bulkInvite.processedRows + verdicts.length < bulkInvite.totalRows;
    });
  }

  async #decide(tx: Tx, tenant: Row<Tenant>, bulkInvite: BulkInviteRecord, count: number): Promise<RowVerdict[]> {
    const rows = await takeRows(tx, bulkInvite, count);
    const inviter = await findInviter(tx, bulkInvite);
    if (!inviter) return rows.map(({ rowNumber }) => rejected(rowNumber, [inviterGone]));
    return inviteRows(this.#contextAs(inviter), tx, this.#limits, tenant, bulkInvite, rows);
  }
}

const inviterGone = userErrorEntry('INVITER_NOT_AUTHORIZED', {
  message: 'The key that asked for this batch was revoked or may no longer invite. Send the rest with another key.',
});

/**
 * One at a time, over all processes. Not the row's own lock: that would give the transaction its place in the feed before
 * the invitations it changes are locked. The row is read by a statement after it, which sees what the last holder wrote.
 */
async function lockBulkInvite(ctx: RequestContext, tx: Tx, id: string): Promise<BulkInviteRecord | null> {
  await sql`select pg_advisory_xact_lock(hashtext('bulk_invite'), hashtext(${id}))`.execute(tx.db);
  const { rows } = await sql<BulkInviteRecord>`
    select ${ctx.tables.columns(BulkInvite, 'b')} from bulk_invite b where b.id = ${id} and b.tenant_id = ${tx.tenantId}`.execute(
    tx.db,
  );
  return rows[0] ?? null;
}
