/**
 * Collects every problem of an input before anything is done, so that a caller mends all of them at once. Each rule says
 * what is wrong at which field; `done` throws what was found.
 */
import { domainToASCII } from 'node:url';
import { parseEmailAddress } from '../kernel/email-address.js';
import { UserError, type UserErrorCode, type UserErrorEntry, userErrorEntry } from '../kernel/errors.js';
import { supportedLanguage } from '../kernel/languages.js';
import { isPlainName, MAX_NAME_LENGTH } from '../kernel/names.js';

const MAX_URL_LENGTH = 2000;
const loopbackHosts = new Set(['localhost', '127.0.0.1', '[::1]']);

export class Validation {
  readonly #entries: UserErrorEntry[] = [];

  add(code: UserErrorCode, field: string[], message?: string): void {
    this.#entries.push(userErrorEntry(code, { field, ...(message ? { message } : {}) }));
  }

  /** A name people read: no control characters, no URL, 200 characters at most. */
  name(value: string, ...field: string[]): string {
    if (value.trim() === '') this.add('REQUIRED', field);
    else if (value.length > MAX_NAME_LENGTH) this.add('TOO_LONG', field, `Use at most ${MAX_NAME_LENGTH} characters.`);
    else if (!isPlainName(value)) this.add('INVALID', field, 'A name has no links and no control characters.');
    return value.trim();
  }

  text(value: string | null | undefined, maxLength: number, ...field: string[]): string | null {
    if (value == null || value.trim() === '') return null;
    if (value.length > maxLength) this.add('TOO_LONG', field, `Use at most ${maxLength} characters.`);
    return value;
  }

  /** Of a list that is too long nothing else is looked at: telling each of a million mistakes would hold up everybody. */
  list<T>(values: T[], maxLength: number, ...field: string[]): T[] {
    if (values.length <= maxLength) return values;
    this.add('TOO_LONG', field, `Give at most ${maxLength}.`);
    return [];
  }

  language(value: string, ...field: string[]): string {
    const language = supportedLanguage(value);
    if (!language) this.add('LANGUAGE_UNSUPPORTED', field);
    return language ?? value;
  }

  email(value: string | null | undefined, ...field: string[]): string | null {
    if (value == null || value === '') return null;
    const parsed = parseEmailAddress(value);
    if (!parsed) this.add('ADDRESS_INVALID', field);
    return parsed?.address ?? value;
  }

  /** An https URL without credentials or fragment; plain http only on loopback, for development. */
  url(value: string, ...field: string[]): string {
    const url = value.length <= MAX_URL_LENGTH ? parseUrl(value) : null;
    if (!url) this.add('INVALID', field, 'Give a whole https URL, such as https://orders.contoso.example/start.');
    return url ?? value;
  }

  optionalUrl(value: string | null | undefined, ...field: string[]): string | null {
    return value == null || value === '' ? null : this.url(value, ...field);
  }

  pattern(value: string, pattern: RegExp, message: string, ...field: string[]): string {
    if (!pattern.test(value)) this.add('INVALID', field, message);
    return value;
  }

  /** @throws UserError with everything found so far. */
  done(): void {
    if (this.#entries.length > 0) throw new UserError(this.#entries);
  }
}

/** The URL in its normal form, or null. */
function parseUrl(value: string): string | null {
  if (!URL.canParse(value)) return null;
  const url = new URL(value);
  const secure = url.protocol === 'https:' || (url.protocol === 'http:' && loopbackHosts.has(url.hostname));
  const plain = !url.username && !url.password && !url.hash && domainToASCII(url.hostname) !== '';
  return secure && plain ? url.href : null;
}
