/**
 * What is done with a batch, step by step until it has finished. Each step is part of one short transaction, begun with
 * `lockBulkInvite`, and answers the batch as it is afterwards, with the place to resume from.
 *
 *   rows elsewhere  --copy-->   rows whole             a batch made of the rows another one refused
 *   unchecked       --check-->  checked, or FAILED     REJECT_EVERYTHING
 *   unprocessed     --work-->   COMPLETED              invites; a dry run only says what it would do
 */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { type UserErrorEntry, userErrorEntry } from '../../kernel/errors.js';
import { type BulkInviteStatus, isFinished } from './bulk-invite.entity.js';
import {
  type Chunk,
  foreseeRows,
  inviteRows,
  type RowVerdict,
  rejected,
  type TakenRow,
  takeRows,
  writeVerdicts,
} from './bulk-invite-chunk.js';
import { unreachedRows } from './bulk-invite-counts.js';
import { BULK_INVITE_CHANNEL } from './bulk-invite-progress.js';
import { type BulkInviteRecord, isRefused } from './bulk-invites.queries.js';

/** What rows are decided with; null when whoever asked for the batch may no longer invite. */
export type Means = Pick<Chunk, 'ctx' | 'limits' | 'tenant'> | null;

/** @param count how many rows to take at most */
export function takeStep(tx: Tx, bulkInvite: BulkInviteRecord, means: Means, count: number): Promise<BulkInviteRecord> {
  if (bulkInvite.rowsFromId !== null) return copy(tx, bulkInvite, bulkInvite.rowsFromId, count);
  return isUnchecked(bulkInvite) ? check(tx, bulkInvite, means, count) : work(tx, bulkInvite, means, count);
}

function isUnchecked({ errorPolicy, dryRun, checkedRows, totalRows }: BulkInviteRecord): boolean {
  return errorPolicy === 'REJECT_EVERYTHING' && !dryRun && checkedRows < totalRows;
}

/** In the order they had. What reading them found stays with them; what was decided about them does not. */
async function copy(tx: Tx, bulkInvite: BulkInviteRecord, from: string, count: number): Promise<BulkInviteRecord> {
  const { id, rowsFromPlace } = bulkInvite;
  const { rows: batches } = await sql<{ status: BulkInviteStatus; staged: number }>`
    select b.status, (select coalesce(max(r.row_number), 0) from bulk_invite_row r where r.bulk_invite_id = ${id}) as staged
    from bulk_invite b where b.id = ${from} and b.tenant_id = ${tx.tenantId}`.execute(tx.db);
  const { status = 'COMPLETED', staged = 0 } = batches[0] ?? {};
  const { rows } = await sql<{ copied: number; place: number }>`
    with refused as (
      select r.* from bulk_invite_row r
      where r.bulk_invite_id = ${from} and r.tenant_id = ${tx.tenantId} and r.row_number > ${rowsFromPlace}
        and ${isRefused(status, sql`${from}`)}
      order by r.row_number limit ${count}
    ),
    copied as (
      insert into bulk_invite_row (bulk_invite_id, row_number, tenant_id, email, email_key, input, outcome, errors)
      select ${id}, ${staged}::int + row_number() over (order by row_number), tenant_id, email, email_key, input, 'WAITING',
        case when is_unreadable or outcome = 'WAITING' then errors else '[]' end
      from refused
    )
    select count(*)::int as copied, coalesce(max(row_number), ${rowsFromPlace}::int) as place from refused`.execute(
    tx.db,
  );
  const { copied = 0, place = rowsFromPlace } = rows[0] ?? {};
  const isWhole = copied < count;
  const totalRows = isWhole ? staged + copied : bulkInvite.totalRows;
  return {
    ...bulkInvite,
    status: totalRows === 0 ? 'COMPLETED' : 'RUNNING',
    rowsFromPlace: place,
    rowsFromId: isWhole ? null : from,
    totalRows,
  };
}

/** Writes nothing but refusals: the first invitation is made when every row was found good. */
async function check(tx: Tx, bulkInvite: BulkInviteRecord, means: Means, count: number): Promise<BulkInviteRecord> {
  const rows = await takeRows(tx, bulkInvite.id, bulkInvite.checkedRows, count);
  const { verdicts, mails } = means
    ? await foreseeRows({ ...means, tx, bulkInvite, rows })
    : { verdicts: withoutInviter(rows), mails: 0 };
  const refused = verdicts.filter(isRejected);
  await writeVerdicts(tx, bulkInvite.id, refused);
  const checked: BulkInviteRecord = {
    ...bulkInvite,
    status: 'RUNNING',
    checkedRows: bulkInvite.checkedRows + rows.length,
    checkedMails: bulkInvite.checkedMails + mails,
    rejectedRows: bulkInvite.rejectedRows + refused.length,
  };
  const isGood = isUnchecked(checked) || checked.rejectedRows === 0;
  return isGood ? checked : failed(checked, batchRejected(checked));
}

async function work(tx: Tx, bulkInvite: BulkInviteRecord, means: Means, count: number): Promise<BulkInviteRecord> {
  const rows = await takeRows(tx, bulkInvite.id, bulkInvite.processedRows, count);
  const { verdicts, mails } = await decide(tx, bulkInvite, means, rows);
  await writeVerdicts(tx, bulkInvite.id, verdicts);
  const processedRows = bulkInvite.processedRows + rows.length;
  return {
    ...bulkInvite,
    status: processedRows === bulkInvite.totalRows ? 'COMPLETED' : 'RUNNING',
    processedRows,
    checkedMails: bulkInvite.checkedMails + mails,
    invitedRows: bulkInvite.invitedRows + verdicts.filter(({ outcome }) => outcome === 'INVITED').length,
    rejectedRows: bulkInvite.rejectedRows + verdicts.filter(isRejected).length,
  };
}

async function decide(
  tx: Tx,
  bulkInvite: BulkInviteRecord,
  means: Means,
  rows: TakenRow[],
): Promise<{ verdicts: RowVerdict[]; mails: number }> {
  if (!means) return { verdicts: withoutInviter(rows), mails: 0 };
  const chunk = { ...means, tx, bulkInvite, rows };
  return bulkInvite.dryRun ? foreseeRows(chunk) : { verdicts: await inviteRows(chunk), mails: 0 };
}

const inviterGone = userErrorEntry('INVITER_NOT_AUTHORIZED', {
  message: 'The key that asked for this batch was revoked or may no longer invite. Send the rest with another key.',
});

function withoutInviter(rows: readonly TakenRow[]): RowVerdict[] {
  return rows.map(({ rowNumber }) => rejected(rowNumber, [inviterGone]));
}

function isRejected({ outcome }: RowVerdict): boolean {
  return outcome === 'REJECTED';
}

function batchRejected({ rejectedRows, totalRows }: BulkInviteRecord): UserErrorEntry {
  const number = new Intl.NumberFormat('en');
  return userErrorEntry('BATCH_REJECTED', {
    message: `${number.format(rejectedRows)} of ${number.format(totalRows)} rows were refused, so nothing was done. Correct them and send the batch again.`,
  });
}

/** Rows it did not reach are REJECTED for the same reason; invitations made before stay. */
export function failed(bulkInvite: BulkInviteRecord, error: UserErrorEntry): BulkInviteRecord {
  const rejectedRows = bulkInvite.rejectedRows + unreachedRows(bulkInvite);
  return { ...bulkInvite, status: 'FAILED', errors: [error], rejectedRows };
}

/** In the transaction of what was done up to this place; rings. */
export async function saveProgress(tx: Tx, bulkInvite: BulkInviteRecord, now: Date): Promise<void> {
  const { id, status, startedAt, finishedAt } = bulkInvite;
  await sql`
    with moved as (
      update bulk_invite set status = ${status}, total_rows = ${bulkInvite.totalRows}, checked_rows = ${bulkInvite.checkedRows},
        checked_mails = ${bulkInvite.checkedMails}, processed_rows = ${bulkInvite.processedRows},
        invited_rows = ${bulkInvite.invitedRows}, rejected_rows = ${bulkInvite.rejectedRows},
        cancelled_rows = ${bulkInvite.cancelledRows}, rows_from_id = ${bulkInvite.rowsFromId},
        rows_from_place = ${bulkInvite.rowsFromPlace}, errors = ${JSON.stringify(bulkInvite.errors)}::jsonb,
        started_at = ${startedAt ?? now}, finished_at = ${isFinished(status) ? (finishedAt ?? now) : null}
      where id = ${id}
    )
    select pg_notify(${BULK_INVITE_CHANNEL}, ${id})`.execute(tx.db);
}
