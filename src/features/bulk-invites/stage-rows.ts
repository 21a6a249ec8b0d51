/**
 * Rows on their way into the database: stored as they came in, with what reading them found, until the job reaches them.
 * One statement for any number of rows; a caller that receives a file in pieces stages one piece per transaction.
 */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { parseEmailAddress } from '../../kernel/email-address.js';
import { type UserErrorEntry, userErrorEntry } from '../../kernel/errors.js';
import type { InviteRowText } from './invite-csv-columns.js';

export interface StagedRow {
  /** From 1, without gaps. */
  rowNumber: number;
  input: InviteRowText;
  /** The row is REJECTED with these when its turn comes. */
  errors: UserErrorEntry[];
}

/** NUL and lone surrogates: JSON can carry them, PostgreSQL's text and jsonb cannot. */
const unstorable = /\0|\p{Surrogate}/u;

export function isStorable(value: object): boolean {
  return !Object.values(value)
    .flat()
    .some((part) => typeof part === 'string' && unstorable.test(part));
}

export async function stageRows(tx: Tx, bulkInviteId: string, unchecked: readonly StagedRow[]): Promise<void> {
  const rows = unchecked.map((row) => (isStorable(row.input) ? row : refuseUnstorable(row)));
  await sql`
    insert into bulk_invite_row (bulk_invite_id, row_number, tenant_id, email, email_key, input, outcome, errors)
    select ${bulkInviteId}, row_number, ${tx.tenantId}, email, email_key, input, 'WAITING', errors
    from unnest(
      ${rows.map((row) => row.rowNumber)}::int[],
      ${rows.map((row) => row.input.email)}::text[],
      ${rows.map((row) => parseEmailAddress(row.input.email ?? '')?.key ?? null)}::text[],
      ${rows.map((row) => JSON.stringify(row.input))}::jsonb[],
      ${rows.map((row) => JSON.stringify(row.errors))}::jsonb[]
    ) as staged (row_number, email, email_key, input, errors)`.execute(tx.db);
}

function refuseUnstorable(row: StagedRow): StagedRow {
  const replace = (_key: string, value: unknown) =>
    typeof value === 'string' ? value.replaceAll(new RegExp(unstorable, 'gu'), '\uFFFD') : value;
  const error = userErrorEntry('INVALID', { message: 'The row holds characters that are no text. Remove them.' });
  return {
    ...row,
    input: JSON.parse(JSON.stringify(row.input, replace)) as InviteRowText,
    errors: [...row.errors, error],
  };
}
