/** Reads of bulk invites and their rows: plain rows. Numbers of a batch's invitations are `invitation-statistics.queries.ts`. */
import { type RawBuilder, sql } from 'kysely';
import type { Row } from '../../database/table.js';
import { userErrorEntry } from '../../kernel/errors.js';
import { type ListSource, newestFirst } from '../../request/connection.js';
import type { RequestContext } from '../../request/request-context.js';
import { BulkInvite, type BulkInviteStatus } from './bulk-invite.entity.js';
import { countRows } from './bulk-invite-counts.js';
import type { BulkInviteRow, BulkInviteRowOutcome } from './bulk-invite-row.entity.js';

export function bulkInvitesOfTenant(ctx: RequestContext): ListSource {
  return {
    name: 'bulk invites',
    columns: ctx.tables.columns(BulkInvite, 'b'),
    from: sql`from bulk_invite b where b.tenant_id = parent.id`,
    id: sql`b.id`,
    order: newestFirst(sql`b.created_at`),
  };
}

/**
 * In the order of the file; null: of any outcome. Lists of batches in the same status are read together. A batch that has
 * no such rows is not searched for them.
 */
export function rowsOfBulkInvite(bulkInvite: BulkInviteRecord, outcome: BulkInviteRowOutcome | null): ListSource {
  const { status } = bulkInvite;
  const hasSome = countRows(bulkInvite, outcome) > 0;
  return {
    name: `rows of a bulk invite ${status} ${outcome} ${hasSome}`,
    columns: rowColumns,
    from: sql`${rowsFrom(outcome)} where r.bulk_invite_id = parent.id and ${hasSome ? hasOutcome(status, outcome) : sql`false`}`,
    id: sql`r.row_number::text`,
    order: { name: 'ROW', by: sql`r.row_number`, direction: 'ASC', type: 'int' },
  };
}

/** What a finished batch did not reach is what the batch became: a million rows are cancelled by one write. */
const rowColumns = sql`
  r.row_number as "rowNumber", r.email, r.invitation_id as "invitationId",
  case when r.outcome <> 'WAITING' then r.outcome
    when b.status = 'CANCELLED' then 'CANCELLED'
    when b.status = 'FAILED' then 'REJECTED'
    else r.outcome end as outcome,
  case when r.outcome <> 'WAITING' then r.errors
    when b.status = 'CANCELLED' then ${sql.lit(JSON.stringify([userErrorEntry('CANCELLED')]))}::jsonb
    when b.status = 'FAILED' then b.errors
    else '[]'::jsonb end as errors`;

/** Those that were invited are found by their invitations, so that few of many rows are found at once. */
function rowsFrom(outcome: BulkInviteRowOutcome | null): RawBuilder<unknown> {
  const rows = sql`from bulk_invite_row r join bulk_invite b on b.id = r.bulk_invite_id`;
  return outcome === 'INVITED'
    ? sql`${rows} join invitation i on i.bulk_invite_id = r.bulk_invite_id and i.row_number = r.row_number`
    : rows;
}

function hasOutcome(status: BulkInviteStatus, outcome: BulkInviteRowOutcome | null): RawBuilder<unknown> {
  const batch = sql`parent.id`;
  if (outcome === null) return sql`true`;
  if (outcome === 'REJECTED') return isRefused(status, batch);
  return outcome === outcomeOfUnreached(status) ? isUnreached(batch) : sql`r.outcome = ${sql.lit(outcome)}`;
}

/** Of rows `r` of the batch of this id, which is in this status. */
export function isRefused(status: BulkInviteStatus, batch: RawBuilder<unknown>): RawBuilder<unknown> {
  return status === 'FAILED' ? sql`(r.outcome = 'REJECTED' or ${isUnreached(batch)})` : sql`r.outcome = 'REJECTED'`;
}

/** Their place is looked up once, so that rows before it are not read. */
function isUnreached(batch: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(r.outcome = 'WAITING' and r.row_number > (select b.processed_rows from bulk_invite b where b.id = ${batch}))`;
}

function outcomeOfUnreached(status: BulkInviteStatus): BulkInviteRowOutcome | null {
  if (status === 'COMPLETED') return null;
  if (status === 'CANCELLED') return 'CANCELLED';
  return status === 'FAILED' ? 'REJECTED' : 'WAITING';
}

/** The next rows of a batch, whatever became of them, for a reader that goes through all of them. */
export async function readRows(
  ctx: RequestContext,
  bulkInviteId: string,
  after: number,
  count: number,
): Promise<BulkInviteRowRecord[]> {
  const { rows } = await sql<BulkInviteRowRecord>`
    select ${rowColumns} ${rowsFrom(null)} where r.bulk_invite_id = ${bulkInviteId} and r.row_number > ${after}
    order by r.row_number limit ${count}`.execute(ctx.db);
  return rows;
}

export type BulkInviteRecord = Row<BulkInvite>;
export type BulkInviteRowRecord = Pick<
  Row<BulkInviteRow>,
  'rowNumber' | 'email' | 'outcome' | 'errors' | 'invitationId'
>;
