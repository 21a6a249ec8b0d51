/**
 * What every road into a batch shares, whether its rows come with the call or in a stream of any length: the checks of the
 * batch as a whole, and its first row in the database. Its rows are `stage-rows.ts`.
 */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import type { Tx } from '../../database/transaction.js';
import { UserError } from '../../kernel/errors.js';
import { rowById } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { Validation } from '../../request/validation.js';
import { findTargets } from '../invitations/invitation-targets.queries.js';
import { Tenant } from '../tenants/tenant.entity.js';
import type { BulkErrorPolicy, BulkInviteStatus } from './bulk-invite.entity.js';
import { type BulkInviteDefaults, type BulkInviteSource, checkDefaults } from './bulk-invite-request.js';
import { isStorable } from './stage-rows.js';

/** What is asked of a batch as a whole. */
export interface BatchRequest {
  tenantId: string;
  fileName: string | null;
  defaults: BulkInviteDefaults;
  errorPolicy: BulkErrorPolicy;
  dryRun: boolean;
}

export interface NewBatch {
  source: BulkInviteSource;
  status: BulkInviteStatus;
  /** So far, of a batch that is RECEIVING. */
  totalRows: number;
  warnings: string[];
}

/**
 * @param valid what the caller found wrong already; told together with what is found here.
 * @throws UserError REQUIRED, INVALID, TOO_LONG and what `inviteUser` says of the defaults, at `defaults`.
 */
export async function checkBatch(ctx: RequestContext, request: BatchRequest, valid = new Validation()): Promise<void> {
  const { tenantId, fileName, defaults } = request;
  if (fileName !== null) valid.name(fileName, 'fileName');
  if (!isStorable(defaults))
    valid.add('INVALID', ['defaults'], 'A default holds characters that are no text. Remove them.');
  valid.done();
  const tenant = (await rowById(ctx, Tenant, tenantId)) as Row<Tenant>;
  const errors = checkDefaults(defaults, tenant, await findTargets(ctx.db, tenantId, [defaults]));
  if (errors.length > 0) throw new UserError(errors);
}

export async function storeBatch(
  ctx: RequestContext,
  tx: Tx,
  id: string,
  request: BatchRequest,
  batch: NewBatch,
): Promise<void> {
  const { actor } = ctx;
  await sql`
    insert into bulk_invite (id, tenant_id, created_by_kind, created_by_id, created_by_name, file_name, source, defaults, status,
      dry_run, error_policy, total_rows, processed_rows, invited_rows, rejected_rows, cancelled_rows, warnings, errors, received_at, created_at)
    values (${id}, ${request.tenantId}, ${actor.kind}, ${actor.id}, ${actor.displayName}, ${request.fileName?.trim() ?? null},
      ${batch.source}, ${JSON.stringify(request.defaults)}::jsonb, ${batch.status}, ${request.dryRun}, ${request.errorPolicy},
      ${batch.totalRows}, 0, 0, 0, 0, ${batch.warnings}, '[]',
      ${batch.status === 'RECEIVING' ? sql`now()` : null}, ${ctx.clock.now()})`.execute(tx.db);
}
