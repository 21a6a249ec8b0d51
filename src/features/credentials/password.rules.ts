/**
 * Which passwords are taken, pure: NIST SP 800-63B section 3.1.1.2 asks for length and for a list of what everybody tries
 * first, and against rules of composition. Prepared by the profile OpaqueString (RFC 8265 section 4.2), so that a password
 * fits whichever keyboard it is typed on.
 */
import type { UserErrorCode } from '../../kernel/errors.js';

/** In code points. */
export const MIN_PASSWORD_LENGTH = 8;
export const MAX_PASSWORD_LENGTH = 128;

/** What a stranger knows about the person. */
export interface PasswordOwner {
  email: string;
  tenantName: string;
  tenantSlug: string;
}

/** OpaqueString: every kind of space is the one space, and composed characters are one character. */
export function preparePassword(text: string): string {
  return text.replace(/\p{Zs}/gu, ' ').normalize('NFC');
}

/** @param password prepared. @returns why it is not taken; null: it may be used. */
export function passwordRefusal(
  password: string,
  owner: PasswordOwner,
  isCommon: (word: string) => boolean,
): UserErrorCode | null {
  const { length } = [...password];
  if (length < MIN_PASSWORD_LENGTH || length > MAX_PASSWORD_LENGTH || /\p{Cc}/u.test(password))
    return 'PASSWORD_INVALID';
  const word = plain(password);
  return isCommon(word) || isMadeOf(word, wordsOf(owner)) ? 'PASSWORD_GUESSABLE' : null;
}

/** The word itself, and the word with digits and signs around it. */
function isMadeOf(word: string, words: ReadonlySet<string>): boolean {
  return words.has(word) || words.has(word.replace(/^[^\p{L}]+|[^\p{L}]+$/gu, ''));
}

function wordsOf({ email, tenantName, tenantSlug }: PasswordOwner): ReadonlySet<string> {
  const [local = '', domain = ''] = plain(email).split('@');
  const name = plain(tenantName);
  const [organisation = ''] = domain.split('.');
  return new Set([plain(email), local, domain, organisation, name, name.replaceAll(' ', ''), plain(tenantSlug)]);
}

function plain(text: string): string {
  return text.normalize('NFKC').toLowerCase();
}
