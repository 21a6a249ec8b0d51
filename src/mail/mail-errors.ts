/**
 * The ways in which handing a mail over fails, told from what SMTP answered (RFC 5321 section 4.2.1). The job gives up on
 * a permanent one and comes back for a temporary one. Texts are ours; what the server said is for the log only.
 */
import type { NodemailerError } from 'nodemailer';
import { findEnhancedStatus, isAboutRecipient, refusalWords } from '../kernel/mail-status.js';
import { oneLine } from './one-line.js';

abstract class MailError extends Error {
  /** The server's own words for the log, shortened, without links and addresses: spam filters quote the link they dislike. */
  readonly detail: string;

  constructor(reason: string, detail: string) {
    super(reason);
    this.detail = detail;
  }

  /** A sentence of ours, fit to be stored and shown to operators. */
  get reason(): string {
    return this.message;
  }
}

/** Sending this message to this recipient again would be refused again. */
export class PermanentMailError extends MailError {
  override readonly name = 'PermanentMailError';
  /** It may be about us who send, not about this mail: believed only as long as the server takes other mails. */
  readonly doubtful: boolean;

  constructor(reason: string, detail: string, { doubtful = false } = {}) {
    super(reason, detail);
    this.doubtful = doubtful;
  }
}

/** What a temporary failure says about other mails: nothing; the server takes fewer at once; it takes none now. */
export type FailureScope = 'mail' | 'crowd' | 'server';

/** Nothing is wrong with the message: the server is busy, out of reach or set up badly. */
export class TemporaryMailError extends MailError {
  override readonly name = 'TemporaryMailError';
  readonly scope: FailureScope;

  constructor(reason: string, detail: string, scope: FailureScope) {
    super(reason, detail);
    this.scope = scope;
  }
}

/** The server went away before this mail's turn came: nothing was tried. */
export class MailPaused extends Error {
  override readonly name = 'MailPaused';
}

const MAX_DETAIL_LENGTH = 200;

/** Refusals that ask us to sign in, wherever they come (RFC 4954 section 6): our configuration, not the recipient. */
const signInRefusals = new Set([530, 534, 535, 538]);

/** Service not available, closing: what servers say to one connection too many (RFC 5321 section 3.8). */
const CLOSING = 421;

/** Refused because of the address itself, whatever else the server says (RFC 5321 section 4.2.3). */
const addressRefusals = new Set([551, 553]);

/** Why no answer of the server is at hand, by nodemailer's codes. */
const connectionReasons: Partial<Record<string, string>> = {
  EAUTH: 'The mail server did not accept our sign-in.',
  ENOAUTH: 'The mail server did not accept our sign-in.',
  ETIMEDOUT: 'The mail server did not answer in time.',
  EABORT: 'The mail server did not answer in time.',
  ETLS: 'No secure connection to the mail server could be made.',
  EDNS: 'The mail server could not be found.',
  ECONNECTION: 'The connection to the mail server was lost.',
  ESOCKET: 'The mail server could not be reached.',
};

export function mailError(error: NodemailerError): PermanentMailError | TemporaryMailError {
  return isPermanent(error) ? permanent(error) : temporary(error);
}

/**
 * A 5xx about the recipient (RCPT TO) or the message (DATA). One that answers MAIL FROM, EHLO or AUTH is about us, and
 * 503 about the order of commands; nodemailer's `permanent` leaves the latter out.
 */
function isPermanent(error: NodemailerError): boolean {
  return error.permanent === true && isAboutThisMail(error) && !signInRefusals.has(error.responseCode ?? 0);
}

function isAboutThisMail({ command }: NodemailerError): boolean {
  return command === 'RCPT TO' || command === 'DATA';
}

function permanent(error: NodemailerError): PermanentMailError {
  const status = statusOf(error);
  const refused = error.command === 'RCPT TO' ? 'address' : 'message';
  const doubtful = !isAboutRecipient(status) && !addressRefusals.has(error.responseCode ?? 0);
  const reason = `The mail server refused the ${refused}${refusalWords(status)} (${replyCodes(error)}).`;
  return new PermanentMailError(reason, errorDetail(error), { doubtful });
}

function temporary(error: NodemailerError): TemporaryMailError {
  const detail = errorDetail(error);
  const connectionReason = connectionReasons[error.code ?? ''];
  if (connectionReason) return new TemporaryMailError(connectionReason, detail, scopeOf(error));
  if (!error.responseCode) return new TemporaryMailError('The mail could not be handed over.', detail, 'mail');
  const reason = `The mail server does not take the mail now (${replyCodes(error)}).`;
  return new TemporaryMailError(reason, detail, scopeOf(error));
}

function scopeOf(error: NodemailerError): FailureScope {
  if (error.responseCode === CLOSING) return 'crowd';
  const isAnswer = error.responseCode !== undefined && !signInRefusals.has(error.responseCode);
  return isAnswer && isAboutThisMail(error) ? 'mail' : 'server';
}

/** `550` or `550 5.1.1`, the latter with the enhanced status code of RFC 3463. */
function replyCodes(error: NodemailerError): string {
  return [error.responseCode, statusOf(error)].filter(Boolean).join(' ');
}

function statusOf({ response }: NodemailerError): string | null {
  const enhanced = /^\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})\b/.exec(response ?? '')?.[1];
  return enhanced ? findEnhancedStatus(enhanced) : null;
}

function errorDetail(error: NodemailerError): string {
  const words = oneLine(error.response ?? error.message)
    .replace(/\b[a-z][a-z0-9+.-]*:\/\/\S+/gi, '[link]')
    .replace(/\S+@\S+/g, '[address]');
  return words.slice(0, MAX_DETAIL_LENGTH);
}
