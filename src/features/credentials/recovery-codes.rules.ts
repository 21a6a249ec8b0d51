/** Codes for whoever lost their second factor, pure: ten of fifty random bits each, in letters that are not mixed up. */
import { randomInt } from 'node:crypto';

export const RECOVERY_CODES = 10;
const HALF = 5;
/** Crockford's base 32. */
const letters = '0123456789abcdefghjkmnpqrstvwxyz';

export function newRecoveryCodes(): string[] {
  return Array.from({ length: RECOVERY_CODES }, () => `${randomHalf()}-${randomHalf()}`);
}

/** As it was shown, whatever the person typed of case, blanks and hyphens; null: it cannot be one. */
export function normalRecoveryCode(text: string): string | null {
  const typed = text.normalize('NFKC').toLowerCase().replace(/[\s-]/g, '');
  const code = typed.replace(/o/g, '0').replace(/[il]/g, '1');
  const isOne = code.length === 2 * HALF && [...code].every((letter) => letters.includes(letter));
  return isOne ? `${code.slice(0, HALF)}-${code.slice(HALF)}` : null;
}

function randomHalf(): string {
  return Array.from({ length: HALF }, () => letters[randomInt(letters.length)]).join('');
}
