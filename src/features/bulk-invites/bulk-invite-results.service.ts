/**
 * What became of every row, as a CSV file of any length: read page by page by key, no statement or transaction open while
 * the client is slow. The file is reached with an API key, or by a signed address that opens this one file for an hour and
 * is no credential. It holds no links; whatever a spreadsheet would take for a formula is made text (`escape_formulas`).
 */
import { stringify } from 'csv-stringify/sync';
import { HOUR, later, SECOND } from '../../kernel/clock.js';
import { isIdOf } from '../../kernel/ids.js';
import { rowById } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { BulkInvite } from './bulk-invite.entity.js';
import { type BulkInviteRowRecord, readRows } from './bulk-invites.queries.js';

const VALID_FOR = 1 * HOUR;
/** Few enough that what a page leaves behind is cleared away at once. */
const PAGE_ROWS = 500;

const columns = ['row', 'email', 'outcome', 'code', 'message', 'invitationId'] as const;
type ResultLine = Record<(typeof columns)[number], string | number | null>;

export function resultsUrl(ctx: RequestContext, publicUrl: URL, bulkInviteId: string): string {
  const expires = Math.floor(later(ctx.clock.now(), VALID_FOR).getTime() / SECOND);
  const url = new URL(`/bulk-invites/${bulkInviteId}/results.csv`, publicUrl);
  url.searchParams.set('expires', String(expires));
  url.searchParams.set('signature', ctx.secrets.sign('results', message(bulkInviteId, expires)).toString('base64url'));
  return url.href;
}

/** @param query of the address */
export function isSignedFor(ctx: RequestContext, bulkInviteId: string, query: Record<string, unknown>): boolean {
  const { expires, signature } = query;
  if (typeof expires !== 'string' || typeof signature !== 'string' || !/^\d{1,12}$/.test(expires)) return false;
  const given = Buffer.from(signature, 'base64url');
  const isOurs = ctx.secrets.verify('results', message(bulkInviteId, Number(expires)), given);
  return isOurs && ctx.clock.now().getTime() < Number(expires) * SECOND;
}

function message(bulkInviteId: string, expires: number): string {
  return `${bulkInviteId}/${expires}`;
}

/** @returns null when the actor reaches no such batch; else pieces of the file, a page of rows each. */
export async function openResults(ctx: RequestContext, bulkInviteId: string): Promise<AsyncIterable<string> | null> {
  if (!isIdOf('BulkInvite', bulkInviteId)) return null;
  return (await rowById(ctx, BulkInvite, bulkInviteId)) ? readResults(ctx, bulkInviteId) : null;
}

async function* readResults(ctx: RequestContext, bulkInviteId: string): AsyncGenerator<string> {
  yield csv([Object.fromEntries(columns.map((column) => [column, column])) as ResultLine]);
  let page: BulkInviteRowRecord[];
  let place = 0;
  do {
    page = await readRows(ctx, bulkInviteId, place, PAGE_ROWS);
    place = page.at(-1)?.rowNumber ?? place;
    if (page.length > 0) yield csv(page.map(lineOf));
  } while (page.length === PAGE_ROWS);
}

function lineOf({ rowNumber, email, outcome, errors, invitationId }: BulkInviteRowRecord): ResultLine {
  return {
    row: rowNumber,
    email,
    outcome,
    code: errors.map(({ code }) => code).join(';'),
    message: errors.map((error) => error.message).join(' '),
    invitationId,
  };
}

function csv(lines: ResultLine[]): string {
  return stringify(lines, {
    columns: [...columns],
    quoted: true,
    quoted_empty: true,
    escape_formulas: true,
    record_delimiter: '\r\n',
  });
}
