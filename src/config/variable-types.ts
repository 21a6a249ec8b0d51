/**
 * How the text of one environment variable is read. Every schema takes a non-empty text and says what to do when it does not
 * fit; no message repeats the text, because it may be a secret.
 */
import ipaddr from 'ipaddr.js';
import addressparser from 'nodemailer/lib/addressparser';
import { z } from 'zod';
import { parseEmailAddress } from '../kernel/email-address.js';

/** Name and address in the form nodemailer takes. */
export interface Mailbox {
  name: string;
  address: string;
}

export const text = z.string();

export function integer(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d+$/, { error })
    .transform(Number)
    .pipe(z.number().min(min, { error }).max(max, { error }));
}

export function fraction() {
  const error = 'must be a number from 0 to 1';
  return z
    .string()
    .regex(/^\d*\.?\d+$/, { error })
    .transform(Number)
    .pipe(z.number().max(1, { error }));
}

/** `name=value` pairs as in W3C Baggage, values percent-encoded. */
export const headers = list()
  .refine((pairs) => pairs.every((pair) => readHeader(pair) !== null), {
    error: 'must be a list of name=value separated by commas, each value percent-encoded',
  })
  .transform((pairs) => Object.fromEntries(pairs.map((pair) => readHeader(pair) as [string, string])));

/** 0: the operating system chooses. */
export const port = integer(0, 65_535);

export const flag = z
  .enum(['true', 'false'], { error: 'must be "true" or "false"' })
  .transform((value) => value === 'true');

export function secret(minLength: number) {
  return z.string().min(minLength, { error: `must have at least ${minLength} characters; use a random value` });
}

export function urlOf(...schemes: string[]) {
  const error = `must be a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`;
  return z.string().refine((value) => schemes.some((scheme) => parseUrl(value)?.protocol === `${scheme}:`), { error });
}

/** An origin: links are built from it alone, never from the Host header (security decision 27). */
export const origin = z
  .string()
  .refine(isOrigin, { error: 'must be like https://guests.example.com: no path, query, fragment or password' })
  .refine((value) => !isOrigin(value) || isHttpsOrLoopback(new URL(value)), {
    error: 'must begin with https:// unless its host is localhost or a loopback address',
  })
  .transform((value) => new URL(value));

export const secretList = list().refine((keys) => keys.every((key) => key.length >= 32), {
  error: 'must be a list of secrets with at least 32 characters each, separated by commas; the first one is current',
});

/** CIDRs (RFC 4632, RFC 4291 section 2.3); a single address stands for itself. */
export const cidrs = list().refine(
  (entries) => entries.every((entry) => ipaddr.isValidCIDR(entry) || ipaddr.isValid(entry)),
  { error: 'must be a list of CIDRs separated by commas, such as 10.0.0.0/8,fd00::/8' },
);

/** One mailbox, `Name <address>` or a bare address (RFC 5322 section 3.4). */
export const mailbox = z
  .string()
  .refine((value) => readMailbox(value) !== null, {
    error: 'must be one mailbox, such as Example <no-reply@example.com>',
  })
  .transform((value) => readMailbox(value) as Mailbox);

/**
 * An address with at most one `*` before its @, where the key of a mail takes its place. The rest before the @ leaves room for
 * it in 64 octets (RFC 5321 section 4.5.3.1.1).
 */
export const returnPath = z.string().refine(isReturnPath, {
  error: 'must be an address such as bounces+*@example.com: at most 10 characters and one * before the @',
});

function isReturnPath(value: string): boolean {
  const [local = '', ...domain] = value.split('@');
  const fits = local.split('*').length === 1 || (local.split('*').length === 2 && local.length <= 11);
  return fits && parseEmailAddress([local.replace('*', 'key'), ...domain].join('@')) !== null;
}

function list() {
  return z.string().transform((value) =>
    value
      .split(',')
      .map((entry) => entry.trim())
      .filter(Boolean),
  );
}

function readHeader(pair: string): [string, string] | null {
  const [, name = '', value = ''] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=(.*)$/.exec(pair) ?? [];
  try {
    return name ? [name, decodeURIComponent(value.trim())] : null;
  } catch {
    return null;
  }
}

function parseUrl(value: string): URL | null {
  return URL.canParse(value) ? new URL(value) : null;
}

function isOrigin(value: string): boolean {
  const url = parseUrl(value);
  if (!url || !/^https?:$/.test(url.protocol)) return false;
  return url.href === `${url.origin}/`;
}

function isHttpsOrLoopback({ protocol, hostname }: URL): boolean {
  if (protocol === 'https:' || hostname === 'localhost' || hostname.endsWith('.localhost')) return true;
  const address = hostname.replace(/^\[|\]$/g, '');
  return ipaddr.isValid(address) && ipaddr.parse(address).range() === 'loopback';
}

function readMailbox(value: string): Mailbox | null {
  const [entry, ...others] = addressparser(value);
  if (!entry || others.length > 0 || entry.address === undefined) return null;
  return parseEmailAddress(entry.address) ? { name: entry.name, address: entry.address } : null;
}
