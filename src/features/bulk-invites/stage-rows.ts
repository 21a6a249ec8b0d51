/**
 * Rows on their way into the database: stored as they came in, with what reading them found, until the job reaches them.
 * One statement for any number of rows; a caller that receives a file in pieces stages one piece per transaction.
 */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { parseEmailAddress } from '../../kernel/email-address.js';
import { type UserErrorEntry, userErrorEntry } from '../../kernel/errors.js';
import { blankRow, type InviteRowText } from './invite-csv-columns.js';

export interface StagedRow {
  /** From 1, without gaps. */
  rowNumber: number;
  input: InviteRowText;
  /** The row is REJECTED with these when its turn comes. */
  errors: UserErrorEntry[];
}

/** What was not given is left out: rows come by the million, and most cells of most files are empty. */
export type StoredInput = Partial<InviteRowText>;

export function inputOf(stored: StoredInput): InviteRowText {
  return { ...blankRow, ...stored };
}

/** NUL and lone surrogates: JSON can carry them, PostgreSQL's text and jsonb cannot. */
const unstorable = /\0|\p{Surrogate}/u;
/** The same as JSON writes them. A backslash before `u0000` that somebody typed looks alike, so a hit is only a suspicion. */
const perhapsUnstorable = /\\u(?:0000|d[89a-f])/;

export function isStorable(value: object): boolean {
  return !Object.values(value)
    .flat()
    .some((part) => typeof part === 'string' && unstorable.test(part));
}

export async function stageRows(tx: Tx, bulkInviteId: string, rows: readonly StagedRow[]): Promise<void> {
  const document = new RowDocument();
  for (const row of rows) document.add(row);
  await stageDocument(tx, bulkInviteId, document);
}

export async function stageDocument(tx: Tx, bulkInviteId: string, document: RowDocument): Promise<void> {
  await sql`
    insert into bulk_invite_row (bulk_invite_id, row_number, tenant_id, email, email_key, input, outcome, errors)
    select ${bulkInviteId}, row_number, ${tx.tenantId}, input ->> 'email', email_key, input, 'WAITING', coalesce(errors, '[]')
    from jsonb_to_recordset(${document.jsonb()}::jsonb) as staged (row_number int, email_key text, input jsonb, errors jsonb)`.execute(
    tx.db,
  );
}

/** PostgreSQL's binary form of jsonb is this byte and the text (jsonb_recv in src/backend/utils/adt/jsonb.c). */
const JSONB_VERSION = 1;
const FIRST_CAPACITY_BYTES = 64 * 1024;
const MAX_BYTES_PER_UNIT = 3;

/**
 * Rows as one JSON array, written as they come: PostgreSQL takes one document apart faster than the driver could quote an
 * array per column, and rows that wait for a transaction as bytes do not grow old in the heap of a process that reads millions.
 */
export class RowDocument {
  #bytes = Buffer.allocUnsafe(FIRST_CAPACITY_BYTES);
  #length = 0;
  #rows = 0;

  constructor() {
    this.clear();
  }

  get rows(): number {
    return this.#rows;
  }

  /** In bytes. */
  get size(): number {
    return this.#length;
  }

  add(row: StagedRow): void {
    const text = textOf(row);
    this.#reserve(text.length * MAX_BYTES_PER_UNIT + 2);
    if (this.#rows > 0) this.#length = this.#bytes.writeUInt8(COMMA, this.#length);
    this.#length += this.#bytes.write(text, this.#length);
    this.#rows += 1;
  }

  /** Good until rows are added or cleared. */
  jsonb(): Buffer {
    this.#bytes.writeUInt8(END_OF_ARRAY, this.#length);
    return this.#bytes.subarray(0, this.#length + 1);
  }

  /** Keeps its memory for the next rows. */
  clear(): void {
    this.#rows = 0;
    this.#length = this.#bytes.writeUInt8(JSONB_VERSION, 0);
    this.#length = this.#bytes.writeUInt8(START_OF_ARRAY, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

const [START_OF_ARRAY, COMMA, END_OF_ARRAY] = [0x5b, 0x2c, 0x5d];

function textOf(row: StagedRow): string {
  const text = JSON.stringify(recordOf(row));
  const isSafe = !perhapsUnstorable.test(text) || isStorable(row.input);
  return isSafe ? text : JSON.stringify(recordOf(refuseUnstorable(row)));
}

/** What is undefined is left out of the text. */
function recordOf({ rowNumber, input, errors }: StagedRow): object {
  const email_key = input.email === null ? undefined : parseEmailAddress(input.email)?.key;
  return { row_number: rowNumber, email_key, input: storedOf(input), errors: errors.length > 0 ? errors : undefined };
}

const columns = Object.keys(blankRow) as (keyof InviteRowText)[];

function storedOf(input: InviteRowText): StoredInput {
  const stored: Record<string, unknown> = {};
  for (const column of columns) {
    const value = input[column];
    if (value !== null && !(Array.isArray(value) && value.length === 0)) stored[column] = value;
  }
  return stored;
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
