/**
 * One row of an invitation file: cells as typed become the fields of an invitation, and what is wrong with a cell becomes
 * an error of that row only. Whether an address, a name or a language exists is not decided here.
 */
import { type UserErrorCode, type UserErrorEntry, userErrorEntry } from '../../kernel/errors.js';
import { typeOfId } from '../../kernel/ids.js';
import { blankRow, type InviteColumn, type InviteRowText } from './invite-csv-columns.js';

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

type Refuse = (column: InviteColumn, code: UserErrorCode, message?: string) => void;

/** By the million: only cells that hold something are looked at, and what is empty is the same for all rows. */
export function readRow(record: string[], columns: (InviteColumn | null)[]): ReadRow {
  const errors: UserErrorEntry[] = [];
  const refuse: Refuse = (column, code, message) => {
    errors.push(userErrorEntry(code, { field: [column], ...(message && { message }) }));
  };
  const input: InviteRowText = { ...blankRow };
  if (record.length > columns.length && record.slice(columns.length).some((cell) => cell.trim()))
    errors.push(tooManyCells());
  for (let at = 0; at < columns.length; at++) {
    const column = columns[at];
    const cell = record[at] ?? '';
    if (column && column !== 'contactUrl' && cell !== '') readCell(input, column, cell, refuse);
  }
  const isEmailRefused = errors.some((error) => error.field?.[0] === 'email');
  if (input.email === null && !isEmailRefused) refuse('email', 'REQUIRED', 'The row has no e-mail address.');
  return { input, errors };
}

function readCell(input: InviteRowText, column: keyof InviteRowText, cell: string, refuse: Refuse): void {
  const text = cell.trim();
  if (cell.length > MAX_CELL_LENGTH) refuse(column, 'TOO_LONG');
  else if (text === '') return;
  else if (column === 'apps' || column === 'groups') input[column] = idsOrNames(text);
  else if (column === 'cc') input.cc = separated(text);
  else if (column === 'sendMail') input.sendMail = readBoolean(text, refuse);
  else if (column === 'expiresInDays') input.expiresInDays = readDays(text, refuse);
  // As written: blanks around a message that was quoted are the inviter's.
  else if (column === 'message') input.message = cell;
  else input[column] = text;
}

function readBoolean(text: string, refuse: Refuse): boolean | null {
  const value = booleans.get(text.toLowerCase());
  if (value === undefined) refuse('sendMail', 'INVALID', 'Write true or false.');
  return value ?? null;
}

function readDays(text: string, refuse: Refuse): number | null {
  const days = /^\d+$/.test(text) ? Number(text) : 0;
  if (days >= 1 && days <= MAX_DAYS) return days;
  refuse('expiresInDays', 'INVALID', `Write a whole number of days from 1 to ${MAX_DAYS}.`);
  return null;
}

function separated(text: string): string[] {
  if (!text.includes(';')) return [text];
  return text
    .split(';')
    .map((part) => part.trim())
    .filter(Boolean);
}

/** Names may hold spaces, so spaces separate only where every word is an id, as in the files of 2015. */
function idsOrNames(text: string): string[] {
  const parts = separated(text);
  return /\s/.test(text) ? parts.flatMap(wordsOrName) : parts;
}

function wordsOrName(part: string): string[] {
  const words = part.split(/\s+/);
  return words.every(isId) ? words : [part];
}

function isId(word: string): boolean {
  return typeOfId(word) !== null || guid.test(word);
}

function tooManyCells(): UserErrorEntry {
  return userErrorEntry('INVALID', {
    message: 'The row has more cells than the header. Put a cell that holds the delimiter into double quotes.',
  });
}
