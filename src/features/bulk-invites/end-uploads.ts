/**
 * How an upload ends that was not whole: its batch is FAILED, its key free, its rows taken out again. By itself, or by the
 * sweeper when its process was killed. Receiving is `bulk-invite-upload.service.ts`.
 */
import { type RawBuilder, sql } from 'kysely';
import { addJobs, jobPriority } from '../../database/add-job.js';
import type { Tx } from '../../database/transaction.js';
import { type UserErrorEntry, userErrorEntry } from '../../kernel/errors.js';
import { releaseIdempotencyKey } from '../../request/idempotency.js';
import type { RequestContext } from '../../request/request-context.js';
import { BULK_INVITE_CHANNEL } from './bulk-invite-progress.js';

export const UPLOAD_OPERATION = 'uploadBulkInvite';
export const REMOVE_STAGED_ROWS_TASK = 'remove_staged_rows';

/** Without a sign of life an upload is taken for dead: several are missed by a process that is busy or paused. */
export const SILENT_SECONDS = 60;
/** Rows deleted in one transaction. */
const REMOVED_ROWS = 5000;

/** Ends the uploads that nobody receives any more: their process was killed, or lost the database. */
export async function endSilentUploads(ctx: RequestContext): Promise<void> {
  const ended = await ctx.transaction(null, (tx) => endUploads(ctx, tx, isSilent, cutOff()));
  if (ended > 0) ctx.log.warn({ uploads: ended }, 'uploads fell silent and were ended');
}

export const isSilent = sql`received_at < now() - make_interval(secs => ${SILENT_SECONDS})`;

/** @returns how many of those that are RECEIVING are FAILED now. */
export async function endUploads(
  ctx: RequestContext,
  tx: Tx,
  which: RawBuilder<unknown>,
  errors: UserErrorEntry[],
): Promise<number> {
  const { rows } = await sql<{ id: string; tenantId: string; createdById: string | null }>`
    with ended as (
      update bulk_invite set status = 'FAILED', total_rows = 0, errors = ${JSON.stringify(errors)}::jsonb,
        finished_at = ${ctx.clock.now()}
      where status = 'RECEIVING' and ${which} returning id, tenant_id as "tenantId", created_by_id as "createdById"
    )
    select *, pg_notify(${BULK_INVITE_CHANNEL}, id) from ended`.execute(tx.db);
  for (const { id, tenantId, createdById } of rows) await releaseUploadKey({ ...tx, tenantId }, id, createdById);
  await addJobs(
    tx,
    rows.map(({ id }) => ({
      task: REMOVE_STAGED_ROWS_TASK,
      payload: { bulkInviteId: id },
      jobKey: `remove-staged-rows/${id}`,
      priority: jobPriority.bulkMail,
    })),
  );
  return rows.length;
}

export function releaseUploadKey(tx: Tx, bulkInviteId: string, actorId: string | null): Promise<void> {
  return releaseIdempotencyKey(tx, { actorId, operation: UPLOAD_OPERATION, result: { bulkInviteId } });
}

export async function isReceiving(tx: Tx, id: string): Promise<boolean> {
  const { rows } = await sql`select from bulk_invite where id = ${id} and status = 'RECEIVING'`.execute(tx.db);
  return rows.length > 0;
}

/**
 * Takes the rows of an upload that FAILED out again, batch by batch.
 * @throws the signal's reason between two batches: the job is to be run again.
 */
export async function removeStagedRows(ctx: RequestContext, bulkInviteId: string, signal?: AbortSignal): Promise<void> {
  for (let removed = REMOVED_ROWS; removed === REMOVED_ROWS; ) {
    signal?.throwIfAborted();
    removed = await ctx.transaction(null, async ({ db }) => {
      const { rows } = await sql<{ removed: number }>`
        with batch as (
          select r.row_number from bulk_invite_row r join bulk_invite b on b.id = r.bulk_invite_id
          where b.id = ${bulkInviteId} and b.status = 'FAILED' and b.total_rows = 0
          order by r.row_number limit ${REMOVED_ROWS}
        ),
        gone as (
          delete from bulk_invite_row r using batch
          where r.bulk_invite_id = ${bulkInviteId} and r.row_number = batch.row_number
        )
        select count(*)::int as removed from batch`.execute(db);
      return rows[0]?.removed ?? 0;
    });
  }
}

export function cutOff(): UserErrorEntry[] {
  return [userErrorEntry('UPLOAD_INCOMPLETE', { field: ['file'] })];
}
