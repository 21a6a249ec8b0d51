/**
 * Asking for many invitations: the batch is checked as a whole, its rows are staged, and a job is queued, all in one
 * transaction. What becomes of each row is decided by the job (`bulk-invite-run.service.ts`). Reading files is
 * `invite-csv.ts`.
 */
import { sql } from 'kysely';
import { addJob, jobPriority } from '../../database/add-job.js';
import type { Row } from '../../database/table.js';
import type { Tx } from '../../database/transaction.js';
import { refuse, UserError } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import { claimIdempotencyKey } from '../../request/idempotency.js';
import { reachTenant, rowById } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { Validation } from '../../request/validation.js';
import { findTargets } from '../invitations/invitation-targets.queries.js';
import { Tenant } from '../tenants/tenant.entity.js';
import type { BulkErrorPolicy } from './bulk-invite.entity.js';
import { type BulkInviteDefaults, type BulkInviteSource, checkDefaults } from './bulk-invite-request.js';
import { openInviteCsv } from './invite-csv.js';
import type { InviteRowText } from './invite-csv-columns.js';
import { isStorable, type StagedRow, stageRows } from './stage-rows.js';

export interface NewBulkInvite {
  tenantId: string;
  /** Exactly one of `rows` and `csv`. */
  rows: InviteRowText[] | null;
  csv: string | null;
  fileName: string | null;
  defaults: BulkInviteDefaults;
  errorPolicy: BulkErrorPolicy;
  dryRun: boolean;
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
    await checkBatch(ctx, request);
    const batch = await readBatch(request);
    const result = { bulkInviteId: newId('BulkInvite') };
    return ctx.transaction(tenantId, async (tx) => {
      const claim = idempotencyKey !== null && { operation: 'bulkInvite', key: idempotencyKey, input: request };
      const earlier = claim ? await claimIdempotencyKey(ctx, tx, claim, result) : null;
      if (earlier) return earlier.bulkInviteId;
      await storeBatch(ctx, tx, result.bulkInviteId, request, batch);
      await stageRows(tx, result.bulkInviteId, batch.rows);
      await queueBulkInviteRun(tx, tenantId, result.bulkInviteId);
      return result.bulkInviteId;
    });
  }
}

type BatchRequest = Omit<NewBulkInvite, 'idempotencyKey'>;

async function checkBatch(ctx: RequestContext, { tenantId, ...request }: BatchRequest): Promise<void> {
  const valid = new Validation();
  const { rows, csv, fileName, defaults } = request;
  if (rows === null && csv === null) valid.add('REQUIRED', ['rows'], 'Give either rows or csv.');
  if (rows !== null && csv !== null) valid.add('INVALID', ['csv'], 'Give either rows or csv, not both.');
  if (fileName !== null) valid.name(fileName, 'fileName');
  if (request.dryRun) valid.add('INVALID', ['dryRun'], 'A dry run is not available yet. Leave dryRun out.');
  if (request.errorPolicy !== 'IGNORE_FAILED') {
    valid.add('INVALID', ['errorPolicy'], 'Only IGNORE_FAILED is available yet. Leave errorPolicy out.');
  }
  if (!isStorable(defaults))
    valid.add('INVALID', ['defaults'], 'A default holds characters that are no text. Remove them.');
  valid.done();
  const tenant = (await rowById(ctx, Tenant, tenantId)) as Row<Tenant>;
  const errors = checkDefaults(defaults, tenant, await findTargets(ctx.db, tenantId, [defaults]));
  if (errors.length > 0) throw new UserError(errors);
}

interface Batch {
  source: BulkInviteSource;
  rows: StagedRow[];
  warnings: string[];
}

async function readBatch({ rows, csv }: BatchRequest): Promise<Batch> {
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

async function storeBatch(ctx: RequestContext, tx: Tx, id: string, request: BatchRequest, batch: Batch): Promise<void> {
  const { actor } = ctx;
  await sql`
    insert into bulk_invite (id, tenant_id, created_by_kind, created_by_id, created_by_name, file_name, source, defaults, status,
      dry_run, error_policy, total_rows, processed_rows, invited_rows, rejected_rows, cancelled_rows, warnings, errors, created_at)
    values (${id}, ${request.tenantId}, ${actor.kind}, ${actor.id}, ${actor.displayName}, ${request.fileName?.trim() ?? null},
      ${batch.source}, ${JSON.stringify(request.defaults)}::jsonb, 'QUEUED', ${request.dryRun}, ${request.errorPolicy},
      ${batch.rows.length}, 0, 0, 0, 0, ${batch.warnings}, '[]', ${ctx.clock.now()})`.execute(tx.db);
}

/** One batch of a tenant at a time: two would compete for the same addresses. */
export async function queueBulkInviteRun(tx: Tx, tenantId: string, bulkInviteId: string): Promise<void> {
  await addJob(
    tx,
    RUN_BULK_INVITE_TASK,
    { bulkInviteId },
    {
      queueName: `bulk/${tenantId}`,
      jobKey: `bulk-invite/${bulkInviteId}`,
      priority: jobPriority.bulkWork,
    },
  );
}
