/** Time-based codes (RFC 6238) by otpauth: six digits, 30 seconds, SHA-1, as every authenticator app has them. */
import { Secret, TOTP } from 'otpauth';

export const TOTP_DIGITS = 6;
/** Steps before and after the present one that are taken (RFC 6238 section 5.2). */
const DRIFT = 1;
const SEED_BYTES = 20;

/** base32, 160 bits (RFC 4226 section 4). */
export function newSeed(): string {
  return new Secret({ size: SEED_BYTES }).base32;
}

/** For the authenticator app's camera. @param account who it is for there. */
export function enrolmentUri(seed: string, issuer: string, account: string): string {
  // A colon would end the issuer in the label.
  return new TOTP({
    secret: seed,
    issuer: issuer.replaceAll(':', ' '),
    label: account.replaceAll(':', ' '),
  }).toString();
}

/** The time-step whose code this is; null: of none near now. */
export function stepOfCode(seed: string, code: string, now: Date): number | null {
  const timestamp = now.getTime();
  const delta = TOTP.validate({ token: code, secret: Secret.fromBase32(seed), timestamp, window: DRIFT });
  return delta === null ? null : TOTP.counter({ timestamp }) + delta;
}
