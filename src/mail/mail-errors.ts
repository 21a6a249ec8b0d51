/**
 * The two ways in which handing a mail over fails, told from what SMTP answered (RFC 5321 section 4.2.1). The job gives
 * up on a permanent one and comes back for a temporary one. Texts are ours; what the server said is for the log only.
 */
import type { NodemailerError } from 'nodemailer';
import { oneLine } from './one-line.js';

abstract class MailError extends Error {
  /** The server's own words for the log, shortened and without links, because spam filters quote the link they dislike. */
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
}

/** Nothing is wrong with the message: the server is busy, out of reach or set up badly. */
export class TemporaryMailError extends MailError {
  override readonly name = 'TemporaryMailError';
}

const MAX_DETAIL_LENGTH = 200;

/** Refusals that ask us to sign in, wherever they come (RFC 4954 section 6): our configuration, not the recipient. */
const signInRefusals = new Set([530, 534, 535, 538]);

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
  const detail = errorDetail(error);
  if (isPermanent(error)) {
    const refused = error.command === 'RCPT TO' ? 'address' : 'message';
    return new PermanentMailError(`The mail server refused the ${refused} (${replyCodes(error)}).`, detail);
  }
  const connectionReason = connectionReasons[error.code ?? ''];
  if (connectionReason) return new TemporaryMailError(connectionReason, detail);
  if (!error.responseCode) return new TemporaryMailError('The mail could not be handed over.', detail);
  return new TemporaryMailError(`The mail server does not take the mail now (${replyCodes(error)}).`, detail);
}

/**
 * A 5xx about the recipient (RCPT TO) or the message (DATA). One that answers MAIL FROM, EHLO or AUTH is about us, and
 * 503 about the order of commands; nodemailer's `permanent` leaves the latter out.
 */
function isPermanent(error: NodemailerError): boolean {
  const aboutThisMail = error.command === 'RCPT TO' || error.command === 'DATA';
  return error.permanent === true && aboutThisMail && !signInRefusals.has(error.responseCode ?? 0);
}

/** `550` or `550 5.1.1`, the latter with the enhanced status code of RFC 3463. */
function replyCodes(error: NodemailerError): string {
  const enhanced = /^\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})\b/.exec(error.response ?? '')?.[1];
  return [error.responseCode, enhanced].filter(Boolean).join(' ');
}

function errorDetail(error: NodemailerError): string {
  const words = oneLine(error.response ?? error.message).replace(/\b[a-z][a-z0-9+.-]*:\/\/\S+/gi, '[link]');
  return words.slice(0, MAX_DETAIL_LENGTH);
}
