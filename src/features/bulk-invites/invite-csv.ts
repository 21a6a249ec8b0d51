/**
 * Reads an invitation file as a stream of rows. Owned here and beside (`invite-csv-*.ts`): encoding, delimiter, columns,
 * cells. Not owned: what the cells mean to a tenant (addresses, apps, groups, languages, duplicates), staging and limits on
 * the number of rows; that is the bulk invite's service. A bad row is a row with errors and never stops the rest; only a
 * file that cannot be read as a whole is refused. `docs/csv.md` describes the format to people.
 */
import { pipeline } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { parse as parseSync } from 'csv-parse/sync';
import { refuse, type UserError, type UserErrorEntry, userErrorEntry } from '../../kernel/errors.js';
import { type CsvSource, utf8Pieces } from './invite-csv-bytes.js';
import type { InviteRowText } from './invite-csv-columns.js';
import { type CsvLayout, csvOptions, MAX_ROW_BYTES, readLayout } from './invite-csv-layout.js';
import { type ReadRow, readRow } from './invite-csv-row.js';

export interface CsvRow {
  /** From 1; the header, blank lines and the template's example are not counted. */
  rowNumber: number;
  input: InviteRowText;
  /** `field` names our column, or is null where the whole row is meant. */
  errors: UserErrorEntry[];
}

export interface InviteCsv {
  /** About the header at once; a column that is not used is added when the first row gives it a value. */
  warnings: string[];
  /**
   * To be read once, with backpressure.
   * @throws UserError CSV_UNREADABLE from a later part of the file; rows just before that place may not have been yielded.
   */
  rows: AsyncIterable<CsvRow>;
  /** Instead of `rows`, for files of any size: the rows of some KB at a time, because waiting for each costs as much as reading it. */
  pieces: AsyncIterable<CsvRow[]>;
}

/** The header has to end within this. */
const HEAD_BYTES = 64 * 1024;

/**
 * @param source is closed when reading ends early. A request that is still to be answered is therefore passed as
 * `request.iterator({ destroyOnReturn: false })`.
 * @throws UserError CSV_UNREADABLE when it is empty, no UTF-8 text, or has no e-mail column.
 */
export async function openInviteCsv(source: CsvSource): Promise<InviteCsv> {
  const pieces = utf8Pieces(source);
  const head = await readHead(pieces);
  try {
    const layout = readLayout(head);
    const rows = readRows(resume(head.subarray(layout.headerOffset), pieces), layout);
    return { warnings: layout.warnings, pieces: rows, rows: eachOf(rows) };
  } catch (error) {
    await pieces.return();
    throw error;
  }
}

async function readHead(pieces: AsyncGenerator<Buffer, void>): Promise<Buffer> {
  const head: Buffer[] = [];
  for (let size = 0; size < HEAD_BYTES; size += head.at(-1)?.length ?? 0) {
    const next = await pieces.next();
    if (next.done) break;
    head.push(next.value);
  }
  return Buffer.concat(head);
}

async function* resume(head: Buffer, pieces: AsyncGenerator<Buffer, void>): AsyncGenerator<Buffer> {
  try {
    yield head;
    yield* pieces;
  } finally {
    await pieces.return();
  }
}

async function* eachOf(pieces: AsyncIterable<CsvRow[]>): AsyncGenerator<CsvRow> {
  for await (const rows of pieces) yield* rows;
}

interface ParsedRecord {
  record: string[];
  raw: string;
}

async function* readRows(bytes: AsyncIterable<Buffer>, layout: CsvLayout): AsyncGenerator<CsvRow[]> {
  const parser = parse({ ...csvOptions(layout.delimiter), from: layout.leadingRecords + 1, raw: true });
  // Whatever fails destroys the parser with that error, and the loop below throws it.
  pipeline(bytes, parser, () => {});
  let rowNumber = 0;
  const rowOf = ({ record, raw }: ParsedRecord): CsvRow => {
    rowNumber += 1;
    warnOfContactUrl(record, layout);
    const { input, errors } = readRecord(record, raw, layout);
    return { rowNumber, input, errors };
  };
  try {
    for await (const first of parser as AsyncIterable<ParsedRecord>) {
      const rows = [rowOf(first)];
      for (let next: ParsedRecord | null = parser.read(); next !== null; next = parser.read()) rows.push(rowOf(next));
      yield rows;
    }
  } catch (error) {
    throw error instanceof CsvError ? unreadableRow(error, layout) : error;
  }
}

/**
 * A cell whose quote closes too early begins with that quote once read leniently. Such a row is read again strictly,
 * because it may have swallowed the rows after it, and their addresses must not end up in its message.
 */
function readRecord(record: string[], raw: string, layout: CsvLayout): ReadRow {
  if (!record.some((cell) => cell.startsWith('"'))) return readRow(record, layout.columns);
  const strict = readStrictly(raw, layout.delimiter);
  return strict
    ? readRow(strict, layout.columns)
    : { input: readRow(record, layout.columns).input, errors: [misplacedQuote(raw)] };
}

function readStrictly(raw: string, delimiter: string): string[] | null {
  try {
    return parseSync(raw, { ...csvOptions(delimiter), relax_quotes: false, rtrim: true })[0] ?? null;
  } catch (error) {
    if (error instanceof CsvError) return null;
    throw error;
  }
}

function misplacedQuote(raw: string): UserErrorEntry {
  const lines = raw.trim().split(/\r\n|\n|\r/).length;
  const extent = lines > 1 ? ` Because of it, ${lines} lines were taken for one row.` : '';
  return userErrorEntry('INVALID', {
    message: `A double quote closes before its cell ends.${extent} Write a quote inside a quoted cell twice.`,
  });
}

function warnOfContactUrl(record: string[], { columns, warnings }: CsvLayout): void {
  const at = columns.indexOf('contactUrl');
  if (at === -1 || !record[at]?.trim()) return;
  columns[at] = null;
  warnings.push('InviteContactUsUrl is not used: the mail names the support address of the tenant.');
}

function unreadableRow(error: CsvError, layout: CsvLayout): UserError {
  const rowNumber = Number(error.records) - layout.leadingRecords + 1;
  return refuse('CSV_UNREADABLE', { message: `Row ${rowNumber} ${whatIsWrong(error)}`, detail: error.code });
}

function whatIsWrong(error: CsvError): string {
  if (error.code === 'CSV_QUOTE_NOT_CLOSED') {
    return 'is cut off: a double quote opened there is never closed. Send the whole file, or close the quote.';
  }
  if (error.code === 'CSV_MAX_RECORD_SIZE') {
    return `is larger than ${MAX_ROW_BYTES / 1024} KB. Look for a double quote that is opened and never closed.`;
  }
  return 'cannot be read as CSV. Correct it and send the file again.';
}
