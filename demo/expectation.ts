/** The demo is also a check: what it shows must be what it promises. */
import { isDeepStrictEqual } from 'node:util';

/** @throws Error that shows both. */
export function requireEqual(what: string, found: unknown, wanted: unknown): void {
  if (isDeepStrictEqual(found, wanted)) return;
  throw new Error(`${what} ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}.`);
}
