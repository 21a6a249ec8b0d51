/**
 * One chunk of a batch, in the transaction it is given: take the next rows, decide each, write what came of them. Every
 * statement is for the whole chunk. What an invitation needs is decided and written by `invitations/`; here a refusal
 * becomes the outcome of its row. A check decides by the same rules and invites nobody.
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
import { clearTheWay, foreseeChunk, inviteChunk, type ToInvite, type Verdict } from '../invitations/invite.service.js';
import type { MailLimits } from '../invitations/mail-limits.service.js';
import { addressOutOfReach, findDomainsOutOfReach } from '../partners/inviter-reach.queries.js';
import type { Tenant } from '../tenants/tenant.entity.js';
import { fieldNamesOf, requestOf } from './bulk-invite-request.js';
import type { BulkInviteRecord } from './bulk-invites.queries.js';
import { inputOf, type StagedRow, type StoredInput } from './stage-rows.js';

export interface TakenRow extends StagedRow {
  /** An earlier row of the batch has the same address, whatever became of that row. */
  isDuplicate: boolean;
}

export interface RowVerdict {
  rowNumber: number;
  outcome: 'INVITED' | 'VALID' | 'REJECTED';
  invitationId: string | null;
  errors: UserErrorEntry[];
  /** `errors` were found when the row was read. */
  isUnreadable: boolean;
}

/** What a chunk is decided with. */
export interface Chunk {
  /** Of the inviter. */
  ctx: RequestContext;
  tx: Tx;
  limits: MailLimits;
  tenant: Row<Tenant>;
  bulkInvite: BulkInviteRecord;
  rows: readonly TakenRow[];
}

/** A cell can hold thousands of names that do not exist; nobody reads more than the first errors. */
const MAX_ERRORS_PER_ROW = 20;

/** @param after the last row taken before */
export async function takeRows(tx: Tx, bulkInviteId: string, after: number, count: number): Promise<TakenRow[]> {
  const { rows } = await sql<Omit<TakenRow, 'input'> & { input: StoredInput }>`
    select r.row_number as "rowNumber", r.input, r.errors,
      exists (
        select from bulk_invite_row earlier
        where earlier.bulk_invite_id = r.bulk_invite_id and earlier.email_key = r.email_key and earlier.row_number < r.row_number
      ) as "isDuplicate"
    from bulk_invite_row r
    where r.bulk_invite_id = ${bulkInviteId} and r.row_number > ${after}
    order by r.row_number limit ${count}`.execute(tx.db);
  if (rows.length === 0) throw new Error(`Rows after ${after} of ${bulkInviteId} are missing.`);
  return rows.map((row) => ({ ...row, input: inputOf(row.input) }));
}

export async function inviteRows(chunk: Chunk): Promise<RowVerdict[]> {
  const { ctx, tx, limits, tenant } = chunk;
  const { refused, wanted } = await checkRows(chunk);
  const obstacles = await clearTheWay(ctx, tx, tenant.id, wanted);
  const verdicts = await inviteChunk(ctx, tx, tenant, limits, wanted, obstacles);
  return [...refused, ...wanted.map((row) => verdictOf(row, 'INVITED', row.invitationId, verdicts))];
}

/** @returns `mails`: how many the good rows would send */
export async function foreseeRows(chunk: Chunk): Promise<{ verdicts: RowVerdict[]; mails: number }> {
  const { ctx, tx, limits, tenant, bulkInvite } = chunk;
  const { refused, wanted } = await checkRows(chunk);
  const verdicts = await foreseeChunk(ctx, tx, tenant.id, limits, wanted, bulkInvite.checkedMails);
  const mails = [...verdicts.values()].reduce((sum, verdict) => sum + verdict.mails, 0);
  return { verdicts: [...refused, ...wanted.map((row) => verdictOf(row, 'VALID', null, verdicts))], mails };
}

interface RowToInvite extends ToInvite {
  rowNumber: number;
}

interface CheckedRows {
  refused: RowVerdict[];
  wanted: RowToInvite[];
}

async function checkRows({ ctx, tx, tenant, bulkInvite, rows }: Chunk): Promise<CheckedRows> {
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
    return { row, ...check };
  });
  const groupIds = checks.flatMap(({ checked }) => checked?.groupIds ?? []);
  const groupsOutOfReach = await findGroupsOutOfReach(tx.db, ctx.actor, [...new Set(groupIds)]);
  const domains = checks.flatMap(({ checked }) => checked?.email.domain ?? []);
  const domainsOutOfReach = await findDomainsOutOfReach(tx.db, ctx.actor, tenant.id, [...new Set(domains)]);
  const refused: RowVerdict[] = [];
  const wanted: RowToInvite[] = [];
  for (const { row, checked, errors } of checks) {
    const { rowNumber } = row;
    if (!checked) refused.push({ ...rejected(rowNumber, errors), isUnreadable: row.errors.length > 0 });
    else if (domainsOutOfReach.has(checked.email.domain)) refused.push(rejected(rowNumber, [addressOutOfReach()]));
    else if (checked.groupIds.some((id) => groupsOutOfReach.has(id)))
      refused.push(rejected(rowNumber, [groupOutOfReach(fieldNames.groups)]));
    else
      wanted.push({ invitationId: newId('Invitation'), invitation: checked, bulkInviteId: bulkInvite.id, rowNumber });
  }
  return { refused, wanted };
}

function errorsOfReading({ errors, isDuplicate }: TakenRow): UserErrorEntry[] {
  if (errors.length > 0) return errors;
  return isDuplicate ? [userErrorEntry('DUPLICATE_ROW', { field: ['email'] })] : [];
}

function groupOutOfReach(field: string): UserErrorEntry {
  const message = 'One of the groups bears an app role. Granting it takes a key with the permission APP_ASSIGN.';
  return userErrorEntry('INVITER_NOT_AUTHORIZED', { field: [field], message });
}

function verdictOf(
  { rowNumber, invitationId: id }: RowToInvite,
  outcome: 'INVITED' | 'VALID',
  invitationId: string | null,
  verdicts: ReadonlyMap<string, Verdict>,
): RowVerdict {
  const { refusal, leftOut } = verdicts.get(id) as Verdict;
  if (refusal) return rejected(rowNumber, [refusal]);
  return { rowNumber, outcome, invitationId, errors: leftOut.map(copyLimited), isUnreadable: false };
}

/** No refusal: the row is INVITED all the same. */
function copyLimited(address: string): UserErrorEntry {
  return userErrorEntry('RATE_LIMITED', { field: ['cc'], message: copyLeftOut(address) });
}

export function rejected(rowNumber: number, errors: UserErrorEntry[]): RowVerdict {
  return {
    rowNumber,
    outcome: 'REJECTED',
    invitationId: null,
    errors: errors.slice(0, MAX_ERRORS_PER_ROW),
    isUnreadable: false,
  };
}

/**
 * Asks for the rows by their range as well: a plan made when the table was small would otherwise read the whole batch to find
 * the rows of one chunk.
 */
export async function writeVerdicts(tx: Tx, bulkInviteId: string, verdicts: readonly RowVerdict[]): Promise<void> {
  const records = verdicts.map(({ rowNumber, outcome, invitationId, errors, isUnreadable }) => ({
    row_number: rowNumber,
    outcome,
    ...(invitationId && { invitation_id: invitationId }),
    ...(errors.length > 0 && { errors, is_unreadable: isUnreadable }),
  }));
  records.sort((a, b) => a.row_number - b.row_number);
  const [first, last] = [records[0], records.at(-1)];
  if (!first || !last) return;
  await sql`
    update bulk_invite_row r set outcome = verdict.outcome, invitation_id = verdict.invitation_id,
      errors = coalesce(verdict.errors, r.errors), is_unreadable = coalesce(verdict.is_unreadable, false)
    from jsonb_to_recordset(${JSON.stringify(records)}::jsonb)
      as verdict (row_number int, outcome text, invitation_id text, errors jsonb, is_unreadable boolean)
    where r.bulk_invite_id = ${bulkInviteId} and r.row_number = verdict.row_number
      and r.row_number between ${first.row_number} and ${last.row_number}`.execute(tx.db);
}
