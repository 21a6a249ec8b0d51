/**
 * How an invitation file is laid out, told from its first bytes: the delimiter, which column is which, and how many
 * records come before the first row. Also the one place that sets the parser's options, so that the header and the rows
 * are read alike. Rows are `invite-csv.ts`.
 */
import { CsvError, type InfoRecord, type Options } from 'csv-parse';
import { parse } from 'csv-parse/sync';
import { refuse } from '../../kernel/errors.js';
import { columnOf, type InviteColumn, isTemplateHeading } from './invite-csv-columns.js';

export interface CsvLayout {
  delimiter: string;
  /** Ours per position; null where the heading is unknown or repeated. */
  columns: (InviteColumn | null)[];
  /** Bytes before the header row: a preamble. Not given to the parser, which is slow on rows longer than the first. */
  headerOffset: number;
  /** Records from there to the first row: the header and perhaps the template's example. */
  leadingRecords: number;
  warnings: string[];
}

/** In bytes, delimiters not counted. A quote that is never closed runs into this limit instead of into memory. */
export const MAX_ROW_BYTES = 256 * 1024;

/** Further delimiters belong to the last cell, so that a row of nothing but delimiters meets MAX_ROW_BYTES too. */
const MAX_CELLS = 1000;

const delimiters = [',', ';', '\t'];

/** `version:v1.0` opens today's template, `sep=;` is written for Excel; spreadsheets pad both with delimiters. */
const preamble = /^(?:version:|sep=)/i;

/** What today's template gives as its example; people leave it in the file. */
const exampleAddress = /^example@(?:example|contoso)\.com$/i;

const MAX_NAMES_IN_WARNING = 10;
const MAX_NAME_LENGTH = 40;

/**
 * RFC 4180, and what spreadsheets and people make of it: blanks before a quote, mixed line ends, rows of any length,
 * quotes inside an unquoted cell. `csv-parse` could skip blank lines and broken rows by itself, but keeps the raw text
 * of the former and loses what follows the latter. Its `delimiter_auto` fails on non-ASCII headings.
 */
export function csvOptions(delimiter: string): Options {
  return {
    bom: true,
    delimiter,
    record_delimiter: ['\r\n', '\n', '\r'],
    ltrim: true,
    relax_quotes: true,
    relax_column_count: true,
    skip_records_with_empty_values: true,
    ignore_last_delimiters: MAX_CELLS,
    max_record_size: MAX_ROW_BYTES,
  };
}

/**
 * @param head the file's beginning, with the header row in full.
 * @throws UserError CSV_UNREADABLE when no header row with an e-mail column is found.
 */
export function readLayout(head: Buffer): CsvLayout {
  const [best] = delimiters
    .map((delimiter) => readHeader(head, delimiter))
    .sort((a, b) => countKnown(b.columns) - countKnown(a.columns));
  if (!best?.headings.some((heading) => heading.trim())) throw headerMissing();
  if (!best.columns.includes('email')) throw emailColumnMissing(best.headings);
  return {
    delimiter: best.delimiter,
    columns: best.columns.map((column, at, all) => (all.indexOf(column) === at ? column : null)),
    headerOffset: best.offset,
    leadingRecords: best.isExampleNext ? 2 : 1,
    warnings: [
      ...unknownColumns(best),
      ...repeatedColumns(best),
      ...(best.isExampleNext ? ['The example row of the template was skipped.'] : []),
    ],
  };
}

interface Header {
  delimiter: string;
  headings: string[];
  columns: (InviteColumn | null)[];
  offset: number;
  isExampleNext: boolean;
}

function readHeader(head: Buffer, delimiter: string): Header {
  const records = firstRecords(head, delimiter);
  const before = preamble.test(records[0]?.cells[0] ?? '') ? records.shift() : undefined;
  const headings = withoutBlankEnd(records[0]?.cells ?? []);
  const columns = headings.map(columnOf);
  const isExampleNext = isExample(headings, columns, records[1]?.cells);
  return { delimiter, headings, columns, offset: before?.end ?? 0, isExampleNext };
}

interface HeadRecord {
  cells: string[];
  /** In bytes from the file's beginning, line end included. */
  end: number;
}

/** The first three records: preamble, header, example. What breaks after them is reported when the rows are read. */
function firstRecords(head: Buffer, delimiter: string): HeadRecord[] {
  const records: HeadRecord[] = [];
  const keep = (cells: string[], { bytes }: InfoRecord) => {
    records.push({ cells, end: bytes });
    return null;
  };
  try {
    parse(head, { ...csvOptions(delimiter), to: 3, on_record: keep });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
  }
  return records;
}

/** Spreadsheets pad the header row with delimiters; a cell under the padding is one too many. */
function withoutBlankEnd(headings: string[]): string[] {
  return headings.slice(0, headings.findLastIndex((heading) => heading.trim()) + 1);
}

function isExample(headings: string[], columns: (InviteColumn | null)[], record: string[] = []): boolean {
  if (/^example:/i.test(record[0] ?? '')) return true;
  const email = columns.indexOf('email');
  return isTemplateHeading(headings[email] ?? '') && exampleAddress.test(record[email]?.trim() ?? '');
}

function countKnown(columns: (InviteColumn | null)[]): number {
  return columns.filter((column) => column !== null).length;
}

function unknownColumns({ headings, columns }: Header): string[] {
  const unknown = headings.flatMap((heading, at) => (columns[at] ? [] : [shortName(heading) || `column ${at + 1}`]));
  if (!unknown.length) return [];
  const named = unknown.slice(0, MAX_NAMES_IN_WARNING).join(', ');
  const more = unknown.length - MAX_NAMES_IN_WARNING;
  return [`Columns that are not known were ignored: ${named}${more > 0 ? ` and ${more} more` : ''}.`];
}

function repeatedColumns({ headings, columns }: Header): string[] {
  return columns.flatMap((column, at) => {
    const first = columns.indexOf(column);
    if (!column || first === at) return [];
    const [used, ignored] = [shortName(headings[first] ?? ''), shortName(headings[at] ?? '')];
    return [`Two columns give ${column}: ${used} and ${ignored}. The first is used.`];
  });
}

function shortName(heading: string): string {
  return heading.trim().replace(/\s+/g, ' ').slice(0, MAX_NAME_LENGTH);
}

function headerMissing() {
  return refuse('CSV_UNREADABLE', {
    message:
      'The file is empty or begins with a row that cannot be read. Begin it with a header row: email,displayName.',
  });
}

function emailColumnMissing(headings: string[]) {
  const isData = headings.some((heading) => heading.includes('@'));
  return refuse('CSV_UNREADABLE', {
    message: isData
      ? 'The header row is missing: the first row holds an address. Put a row of column names first: email,displayName.'
      : 'No e-mail column was found in the header row. Name the column with the addresses: email.',
  });
}
