/**
 * One row of an invitation file: cells as typed become the fields of an invitation, and what is wrong with a cell becomes
 * an error of that row only. Whether an address, a name or a language exists is not decided here.
 */
import { type UserErrorCode, type UserErrorEntry, userErrorEntry } from '../../kernel/errors.js';
import { typeOfId } from '../../kernel/ids.js';
import type { InviteColumn, InviteRowText } from './invite-csv-columns.js';

export interface ReadRow {
  input: InviteRowText;
  errors: UserErrorEntry[];
}

/** In UTF-16 units. */
const MAX_CELL_LENGTH = 64 * 1024;
const MAX_DAYS = 90;

const booleans = new Map([
  ['true', true],
  ['yes', true],
  ['1', true],
  ['false', false],
  ['no', false],
  ['0', false],
]);

const guid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function readRow(record: string[], columns: (InviteColumn | null)[]): ReadRow {
  const errors: UserErrorEntry[] = [];
  const refuseCell = (column: InviteColumn, code: UserErrorCode, message?: string) => {
    errors.push(userErrorEntry(code, { field: [column], ...(message && { message }) }));
    return null;
  };
  /** As written: blanks around a message that was quoted are the inviter's. */
  const written = (column: InviteColumn) => {
    const cell = record[columns.indexOf(column)] ?? '';
    if (cell.length > MAX_CELL_LENGTH) return refuseCell(column, 'TOO_LONG');
    return cell.trim() ? cell : null;
  };
  const text = (column: InviteColumn) => written(column)?.trim() ?? null;

  if (record.slice(columns.length).some((cell) => cell.trim())) errors.push(tooManyCells());
  const input: InviteRowText = {
    email: text('email'),
    displayName: text('displayName'),
    apps: idsOrNames(text('apps')),
    groups: idsOrNames(text('groups')),
    landingApp: text('landingApp'),
    redirectUrl: text('redirectUrl'),
    message: written('message'),
    language: text('language'),
    cc: separated(text('cc')),
    sendMail: readBoolean(text('sendMail'), (message) => refuseCell('sendMail', 'INVALID', message)),
    expiresInDays: readDays(text('expiresInDays'), (message) => refuseCell('expiresInDays', 'INVALID', message)),
  };
  const isEmailRefused = errors.some((error) => error.field?.[0] === 'email');
  if (input.email === null && !isEmailRefused) refuseCell('email', 'REQUIRED', 'The row has no e-mail address.');
  return { input, errors };
}

function readBoolean(cell: string | null, refuseCell: (message: string) => null): boolean | null {
  if (cell === null) return null;
  return booleans.get(cell.toLowerCase()) ?? refuseCell('Write true or false.');
}

function readDays(cell: string | null, refuseCell: (message: string) => null): number | null {
  if (cell === null) return null;
  const days = /^\d+$/.test(cell) ? Number(cell) : 0;
  return days >= 1 && days <= MAX_DAYS ? days : refuseCell(`Write a whole number of days from 1 to ${MAX_DAYS}.`);
}

function separated(cell: string | null): string[] {
  return (cell ?? '')
    .split(';')
    .map((part) => part.trim())
    .filter(Boolean);
}

/** Names may hold spaces, so spaces separate only where every word is an id, as in the files of 2015. */
function idsOrNames(cell: string | null): string[] {
  return separated(cell).flatMap((part) => {
    const words = part.split(/\s+/);
    return words.every(isId) ? words : [part];
  });
}

function isId(word: string): boolean {
  return typeOfId(word) !== null || guid.test(word);
}

function tooManyCells(): UserErrorEntry {
  return userErrorEntry('INVALID', {
    message: 'The row has more cells than the header. Put a cell that holds the delimiter into double quotes.',
  });
}
