/**
 * One chunk of a batch, in the transaction it is given: take the next rows, decide each, write what came of them. Every
 * statement is for the whole chunk. What an invitation needs is decided and written by `invitations/`; here a refusal
 * becomes the outcome of its row.
 */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import type { Tx } from '../../database/transaction.js';
import { type UserErrorEntry, userErrorEntry } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import type { RequestContext } from '../../request/request-context.js';
import { findGroupsOutOfReach } from '../groups/group-members.service.js';
import { checkRequest } from '../invitations/invitation-request.rules.js';
import { findTargets } from '../invitations/invitation-targets.queries.js';
import { copyLeftOut } from '../invitations/invitations.service.js';
import { clearTheWay, inviteAll, type ToInvite } from '../invitations/invite.service.js';
import type { MailLimits } from '../invitations/mail-limits.service.js';
import type { Tenant } from '../tenants/tenant.entity.js';
import { BULK_INVITE_CHANNEL } from './bulk-invite-progress.js';
import { fieldNamesOf, requestOf } from './bulk-invite-request.js';
import type { BulkInviteRecord } from './bulk-invites.queries.js';
import type { StagedRow } from './stage-rows.js';

export interface TakenRow extends StagedRow {
  /** An earlier row of the batch has the same address, whatever became of that row. */
  isDuplicate: boolean;
}

export interface RowVerdict {
  rowNumber: number;
  /** Null: REJECTED. */
  invitationId: string | null;
  errors: UserErrorEntry[];
}

/** A cell can hold thousands of names that do not exist; nobody reads more than the first errors. */
const MAX_ERRORS_PER_ROW = 20;

export async function takeRows(tx: Tx, { id, processedRows }: BulkInviteRecord, count: number): Promise<TakenRow[]> {
  const { rows } = await sql<TakenRow>`
    select r.row_number as "rowNumber", r.input, r.errors,
      exists (
        select from bulk_invite_row earlier
        where earlier.bulk_invite_id = r.bulk_invite_id and earlier.email_key = r.email_key and earlier.row_number < r.row_number
      ) as "isDuplicate"
    from bulk_invite_row r
    where r.bulk_invite_id = ${id} and r.row_number > ${processedRows}
    order by r.row_number limit ${count}`.execute(tx.db);
  if (rows.length === 0) throw new Error(`Rows after ${processedRows} of ${id} are missing.`);
  return rows;
}

/** @param ctx of the inviter. */
export async function inviteRows(
  ctx: RequestContext,
  tx: Tx,
  limits: MailLimits,
  tenant: Row<Tenant>,
  bulkInvite: BulkInviteRecord,
  rows: readonly TakenRow[],
): Promise<RowVerdict[]> {
  const { refused, wanted } = await checkRows(ctx, tx, tenant, bulkInvite, rows);
  const obstacles = await clearTheWay(ctx, tx, tenant.id, wanted);
  const outcomes = await inviteAll(ctx, tx, tenant, limits, wanted, obstacles);
  const verdicts = wanted.map(({ rowNumber, invitationId }): RowVerdict => {
    const outcome = outcomes.get(invitationId);
    if (outcome?.invited) return { rowNumber, invitationId, errors: outcome.leftOut.map(copyLimited) };
    return rejected(rowNumber, [outcome?.error ?? userErrorEntry('CONFLICT')]);
  });
  return [...refused, ...verdicts];
}

interface RowToInvite extends ToInvite {
  rowNumber: number;
}

interface CheckedRows {
  refused: RowVerdict[];
  wanted: RowToInvite[];
}

async function checkRows(
  ctx: RequestContext,
  tx: Tx,
  tenant: Row<Tenant>,
  bulkInvite: BulkInviteRecord,
  rows: readonly TakenRow[],
): Promise<CheckedRows> {
  const fieldNames = fieldNamesOf[bulkInvite.source];
  const requests = rows.map((row) => ({ row, request: requestOf(row.input, bulkInvite.defaults) }));
  const targets = await findTargets(
    tx.db,
    tenant.id,
    requests.map(({ request }) => request),
  );
  const checks = requests.map(({ row, request }) => {
    const known = errorsOfReading(row);
    const check =
      known.length > 0 ? { checked: null, errors: known } : checkRequest(request, tenant, targets, fieldNames);
    return { rowNumber: row.rowNumber, ...check };
  });
  const groupIds = checks.flatMap(({ checked }) => checked?.groupIds ?? []);
  const outOfReach = await findGroupsOutOfReach(tx.db, ctx.actor, [...new Set(groupIds)]);
  const refused: RowVerdict[] = [];
  const wanted: RowToInvite[] = [];
  for (const { rowNumber, checked, errors } of checks) {
    if (!checked) refused.push(rejected(rowNumber, errors));
    else if (checked.groupIds.some((id) => outOfReach.has(id)))
      refused.push(rejected(rowNumber, [groupOutOfReach(fieldNames.groups)]));
    else
      wanted.push({ invitationId: newId('Invitation'), invitation: checked, bulkInviteId: bulkInvite.id, rowNumber });
  }
  return { refused, wanted };
}

/** The row is INVITED all the same. */
function copyLimited(address: string): UserErrorEntry {
  return userErrorEntry('RATE_LIMITED', { field: ['cc'], message: copyLeftOut(address) });
}

function errorsOfReading({ errors, isDuplicate }: TakenRow): UserErrorEntry[] {
  if (errors.length > 0) return errors;
  return isDuplicate ? [userErrorEntry('DUPLICATE_ROW', { field: ['email'] })] : [];
}

function groupOutOfReach(field: string): UserErrorEntry {
  const message = 'One of the groups bears an app role. Granting it takes a key with the permission APP_ASSIGN.';
  return userErrorEntry('INVITER_NOT_AUTHORIZED', { field: [field], message });
}

export function rejected(rowNumber: number, errors: UserErrorEntry[]): RowVerdict {
  return { rowNumber, invitationId: null, errors: errors.slice(0, MAX_ERRORS_PER_ROW) };
}

export async function writeVerdicts(tx: Tx, bulkInviteId: string, verdicts: readonly RowVerdict[]): Promise<void> {
  await sql`
    update bulk_invite_row r set outcome = case when verdict.invitation_id is null then 'REJECTED' else 'INVITED' end,
      invitation_id = verdict.invitation_id, errors = verdict.errors
    from unnest(
      ${verdicts.map((verdict) => verdict.rowNumber)}::int[],
      ${verdicts.map((verdict) => verdict.invitationId)}::text[],
      ${verdicts.map((verdict) => JSON.stringify(verdict.errors))}::jsonb[]
    ) as verdict (row_number, invitation_id, errors)
    where r.bulk_invite_id = ${bulkInviteId} and r.row_number = verdict.row_number`.execute(tx.db);
}

/** Moves the place to resume from, in the transaction of what was done up to there, and rings. */
export async function advance(
  tx: Tx,
  bulkInvite: BulkInviteRecord,
  verdicts: readonly RowVerdict[],
  now: Date,
): Promise<void> {
  const processed = bulkInvite.processedRows + verdicts.length;
  const invited = verdicts.filter((verdict) => verdict.invitationId !== null).length;
  const finished = processed === bulkInvite.totalRows;
  await sql`
    with advanced as (
      update bulk_invite set status = ${finished ? 'COMPLETED' : 'RUNNING'}, processed_rows = ${processed},
        invited_rows = invited_rows + ${invited}, rejected_rows = rejected_rows + ${verdicts.length - invited},
        started_at = coalesce(started_at, ${now}), finished_at = ${finished ? now : null}
      where id = ${bulkInvite.id}
    )
    select pg_notify(${BULK_INVITE_CHANNEL}, ${bulkInvite.id})`.execute(tx.db);
}
