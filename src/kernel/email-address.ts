/**
 * One addr-spec per address (RFC 5321 section 4.1.2, RFC 6531), accepted narrowly and compared by a key. The address is
 * kept as typed for sending; the key serves comparison only. Plus tags are never folded: the mailbox owner decides what
 * they mean. Local parts are lower-cased for ASCII only, because Unicode lower-casing maps the Kelvin sign to `k`.
 */
import { domainToASCII, domainToUnicode } from 'node:url';

export interface EmailAddress {
  /** As typed, NFC, trimmed, a domain in other characters in its normal form; what mail is sent to. */
  address: string;
  /** What two spellings of one address share. */
  key: string;
  /** ASCII (punycode) form of the domain, lower case. */
  domain: string;
}

/** RFC 5321 section 4.5.3.1: 64 octets before the @, 254 for the whole path. */
const MAX_LOCAL_OCTETS = 64;
const MAX_ADDRESS_OCTETS = 254;

/** Dot-atom (RFC 5322 section 3.2.3) plus non-ASCII letters (RFC 6531 section 3.3); no quotes, brackets, comma or control. */
const localPart = /^[\p{L}\p{N}\p{M}!#$%&'*+/=?^_`{|}~-]+(?:\.[\p{L}\p{N}\p{M}!#$%&'*+/=?^_`{|}~-]+)*$/u;
const domainLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Characters that are no ASCII but whose NFC is, such as the Kelvin sign: as somebody else's `k` they would be an impostor's. */
const becomesAscii = /[\u{212A}\u{37E}\u{1FEF}]/u;

/** Null when the text is no single address that could receive mail. */
export function parseEmailAddress(text: string): EmailAddress | null {
  const typed = text.trim().normalize('NFC');
  const at = typed.lastIndexOf('@');
  const local = typed.slice(0, at);
  if (at < 1 || !localPart.test(local) || becomesAscii.test(text)) return null;
  if (Buffer.byteLength(local) > MAX_LOCAL_OCTETS || Buffer.byteLength(typed) > MAX_ADDRESS_OCTETS) return null;
  const domain = asciiDomain(typed.slice(at + 1));
  if (!domain) return null;
  return {
    address: `${local}@${shownDomain(typed.slice(at + 1), domain)}`,
    key: `${asciiLowerCase(local)}@${domain}`,
    domain,
  };
}

/** Mail software maps domains less thoroughly (a soft hyphen, full-width letters), and would send to another one. */
function shownDomain(typed: string, domain: string): string {
  if (/^[!-~]+$/.test(typed)) return typed;
  const normal = domainToUnicode(domain);
  return typed.toLowerCase() === normal ? typed : normal;
}

/** ASCII form of a domain of at least two labels (RFC 5891), or null. An address literal is no domain. */
export function asciiDomain(text: string): string | null {
  // `domainToASCII` parses a URL's host: it would decode `%2e`.
  if (!text || /[\s/?#\\:@[\]%]/.test(text) || text.endsWith('.')) return null;
  const domain = domainToASCII(text).toLowerCase();
  const labels = domain.split('.');
  const isName =
    labels.length >= 2 && labels.every((label) => domainLabel.test(label)) && !/^\d+$/.test(labels.at(-1) ?? '');
  return isName && domain.length <= 253 ? domain : null;
}

function asciiLowerCase(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** @param key of an `EmailAddress`. */
export function domainOf(key: string): string {
  return key.slice(key.lastIndexOf('@') + 1);
}

/** `a•••@f•••.example`: enough for the owner to recognise, too little for a stranger to learn. */
export function maskEmailAddress(address: string): string {
  const at = address.lastIndexOf('@');
  const [first = '', ...rest] = address.slice(at + 1).split('.');
  return `${mask(address.slice(0, at))}@${[mask(first), ...rest].join('.')}`;
}

function mask(text: string): string {
  const [first = ''] = text;
  return `${first}•••`;
}
