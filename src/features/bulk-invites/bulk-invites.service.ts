/**
 * Asking for many invitations: the batch is checked as a whole, its rows are staged, and a job is queued, all in one
 * transaction; and what can be asked of a batch afterwards. What becomes of each row is decided by the job (`bulk-invite-run.service.ts`). Reading files is
 * `invite-csv.ts`.
 */
import { sql } from 'kysely';
import { addJob, jobPriority } from '../../database/add-job.js';
import type { Tx } from '../../database/transaction.js';
import { MINUTE } from '../../kernel/clock.js';
import { refuse, UserError } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import { claimIdempotencyKey } from '../../request/idempotency.js';
import { reachTenant, tenantOf } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { Validation } from '../../request/validation.js';
import { BulkInvite, type BulkInviteStatus, isFinished } from './bulk-invite.entity.js';
import { unreachedRows } from './bulk-invite-counts.js';
import { lockBulkInvite } from './bulk-invite-lock.js';
import type { BulkInviteSource } from './bulk-invite-request.js';
import { saveProgress } from './bulk-invite-steps.js';
import type { BulkInviteRecord } from './bulk-invites.queries.js';
import { openInviteCsv } from './invite-csv.js';
import type { InviteRowText } from './invite-csv-columns.js';
import { type StagedRow, stageRows } from './stage-rows.js';
import { type BatchRequest, checkBatch, storeBatch } from './store-batch.js';

export interface NewBulkInvite extends BatchRequest {
  /** Exactly one of `rows` and `csv`. */
  rows: InviteRowText[] | null;
  csv: string | null;
  idempotencyKey: string | null;
}

export const MAX_ROWS_PER_CALL = 10_000;
export const RUN_BULK_INVITE_TASK = 'run_bulk_invite';

export class BulkInvitesService {
  /**
   * @returns the id of the bulk invite, QUEUED.
   * @throws UserError when the batch as a whole cannot be taken: REQUIRED, INVALID, ROW_LIMIT_EXCEEDED, CSV_UNREADABLE.
   */
  async create(ctx: RequestContext, { idempotencyKey, ...request }: NewBulkInvite): Promise<string> {
    const tenantId = await reachTenant(ctx, request.tenantId);
    await checkBatch(ctx, request, checkRoad(request));
    const batch = await readBatch(request);
    const result = { bulkInviteId: newId('BulkInvite') };
    return ctx.transaction(tenantId, async (tx) => {
      const claim = idempotencyKey !== null && { operation: 'bulkInvite', key: idempotencyKey, input: request };
      const earlier = claim ? await claimIdempotencyKey(ctx, tx, claim, result) : null;
      if (earlier) return earlier.bulkInviteId;
      await storeBatch(ctx, tx, result.bulkInviteId, request, {
        ...batch,
        status: 'QUEUED',
        totalRows: batch.rows.length,
      });
      await stageRows(tx, result.bulkInviteId, batch.rows);
      await queueBulkInviteRun(tx, tenantId, result.bulkInviteId);
      return result.bulkInviteId;
    });
  }

  /**
   * What waits is never reached; invitations made before stay. Cancelling what is cancelled changes nothing.
   * @throws UserError NOT_FOUND, or INVALID when it has finished otherwise.
   */
  async cancel(ctx: RequestContext, bulkInviteId: string): Promise<void> {
    const tenantId = await tenantOf(ctx, 'BulkInvite', BulkInvite, bulkInviteId, 'bulkInviteId');
    await ctx.transaction(tenantId, async (tx) => {
      const bulkInvite = await lockBulkInvite(ctx, tx, bulkInviteId);
      if (bulkInvite?.status === 'CANCELLED') return;
      if (!bulkInvite || isFinished(bulkInvite.status)) throw atBulkInvite('It has finished: nothing waits any more.');
      const received = bulkInvite.status === 'RECEIVING' ? await endReceiving(tx, bulkInvite) : bulkInvite;
      const cancelled = { ...received, status: 'CANCELLED' as const, cancelledRows: unreachedRows(received) };
      await saveProgress(tx, cancelled, ctx.clock.now());
    });
  }

  /**
   * The REJECTED rows of a finished batch once more, as a new one of the caller's. The job copies them: they may be a million.
   * @returns the id of the new bulk invite, QUEUED.
   * @throws UserError NOT_FOUND, or INVALID when it has not finished or no row was REJECTED.
   */
  async retry(ctx: RequestContext, bulkInviteId: string): Promise<string> {
    const tenantId = await tenantOf(ctx, 'BulkInvite', BulkInvite, bulkInviteId, 'bulkInviteId');
    return ctx.transaction(tenantId, async (tx) => {
      const refused = await lockBulkInvite(ctx, tx, bulkInviteId);
      if (!refused || !isFinished(refused.status))
        throw atBulkInvite('It is still being worked off. Wait until it has finished, or cancel it.');
      if (refused.rejectedRows === 0) throw atBulkInvite('No row of it was rejected: there is nothing to retry.');
      const id = newId('BulkInvite');
      await storeBatch(ctx, tx, id, refused, {
        source: refused.source,
        status: 'QUEUED',
        totalRows: refused.rejectedRows,
        warnings: [],
      });
      await sql`update bulk_invite set rows_from_id = ${bulkInviteId} where id = ${id}`.execute(tx.db);
      await queueBulkInviteRun(tx, tenantId, id);
      return id;
    });
  }
}

function atBulkInvite(message: string): UserError {
  return refuse('INVALID', { field: ['bulkInviteId'], message });
}

/** The row is locked, so that no more rows come; those that came are counted. */
async function endReceiving(tx: Tx, bulkInvite: BulkInviteRecord): Promise<BulkInviteRecord> {
  await sql`select from bulk_invite where id = ${bulkInvite.id} for update`.execute(tx.db);
  const { rows } = await sql<{ status: BulkInviteStatus; totalRows: number }>`
    select b.status, (select coalesce(max(r.row_number), 0) from bulk_invite_row r where r.bulk_invite_id = b.id) as "totalRows"
    from bulk_invite b where b.id = ${bulkInvite.id}`.execute(tx.db);
  if (isFinished(rows[0]?.status ?? 'FAILED')) throw atBulkInvite('It has finished: nothing waits any more.');
  return { ...bulkInvite, ...rows[0] };
}

type CallRequest = Omit<NewBulkInvite, 'idempotencyKey'>;

function checkRoad({ rows, csv }: CallRequest): Validation {
  const valid = new Validation();
  if (rows === null && csv === null) valid.add('REQUIRED', ['rows'], 'Give either rows or csv.');
  if (rows !== null && csv !== null) valid.add('INVALID', ['csv'], 'Give either rows or csv, not both.');
  return valid;
}

interface Batch {
  source: BulkInviteSource;
  rows: StagedRow[];
  warnings: string[];
}

async function readBatch({ rows, csv }: CallRequest): Promise<Batch> {
  const batch = csv === null ? batchOfRows(rows ?? []) : await batchOfCsv(csv).catch(atCsv);
  const field = [csv === null ? 'rows' : 'csv'];
  if (batch.rows.length === 0) throw refuse('REQUIRED', { field, message: 'There are no rows. Give at least one.' });
  if (batch.rows.length > MAX_ROWS_PER_CALL) throw refuse('ROW_LIMIT_EXCEEDED', { field });
  return batch;
}

function batchOfRows(rows: InviteRowText[]): Batch {
  return {
    source: 'ROWS',
    warnings: [],
    rows: rows.map((input, index) => ({ rowNumber: index + 1, input, errors: [] })),
  };
}

/** Stops one row beyond the limit. */
async function batchOfCsv(text: string): Promise<Batch> {
  const csv = await openInviteCsv(text);
  const rows: StagedRow[] = [];
  for await (const row of csv.rows) {
    rows.push(row);
    if (rows.length > MAX_ROWS_PER_CALL) break;
  }
  return { source: 'CSV', rows, warnings: csv.warnings };
}

function atCsv(error: unknown): never {
  if (!(error instanceof UserError)) throw error;
  throw new UserError(
    error.entries.map((entry) => ({ ...entry, field: ['csv'] })),
    error.detail,
  );
}

/** A batch nobody has worked on yet counts as waiting for so long already: ten rows overtake a million that had their turn. */
const HEAD_START = 1 * MINUTE;
/** With the worker's back-off half an hour; each turn of a batch begins anew. */
const MAX_ATTEMPTS = 8;

/** One batch of a tenant at a time: two would compete for the same addresses. */
export async function queueBulkInviteRun(
  tx: Tx,
  tenantId: string,
  bulkInviteId: string,
  turn: 'first' | 'again' = 'first',
): Promise<void> {
  await addJob(
    tx,
    RUN_BULK_INVITE_TASK,
    { bulkInviteId },
    {
      queueName: `bulk/${tenantId}`,
      jobKey: `bulk-invite/${bulkInviteId}`,
      priority: jobPriority.bulkWork,
      headStart: turn === 'first' ? HEAD_START : 0,
      maxAttempts: MAX_ATTEMPTS,
    },
  );
}
