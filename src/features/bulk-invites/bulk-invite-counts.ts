/** How many rows of a batch are what, from the numbers the batch keeps, pure: a million rows need not be counted. */
import type { Row } from '../../database/table.js';
import { type BulkInvite, isFinished } from './bulk-invite.entity.js';
import type { BulkInviteRowOutcome } from './bulk-invite-row.entity.js';

type BulkInviteRecord = Row<BulkInvite>;

/** @param outcome null: of any. */
export function countRows(bulkInvite: BulkInviteRecord, outcome: BulkInviteRowOutcome | null): number {
  const { totalRows, invitedRows, rejectedRows, cancelledRows } = bulkInvite;
  const validRows = bulkInvite.dryRun ? countValid(bulkInvite) : 0;
  const counts: Record<BulkInviteRowOutcome, number> = {
    WAITING: totalRows - validRows - invitedRows - rejectedRows - cancelledRows,
    VALID: validRows,
    INVITED: invitedRows,
    REJECTED: rejectedRows,
    CANCELLED: cancelledRows,
  };
  return outcome === null ? totalRows : counts[outcome];
}

function countValid({ status, totalRows, processedRows, rejectedRows, cancelledRows }: BulkInviteRecord): number {
  return (isFinished(status) ? totalRows - cancelledRows : processedRows) - rejectedRows;
}

/** Rows nobody has decided yet. REJECT_EVERYTHING refuses rows before any is worked off. */
export function unreachedRows({
  totalRows,
  processedRows,
  rejectedRows,
}: Pick<BulkInviteRecord, 'totalRows' | 'processedRows' | 'rejectedRows'>): number {
  return totalRows - Math.max(processedRows, rejectedRows);
}
