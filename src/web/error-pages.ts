/**
 * The one place that turns an error into a page for people: its HTTP status and which sentences tell what happened and
 * what to do next (`web.problem.<code>` in the catalogues; the code is shown too, for whoever is asked for help).
 */
import { RequestError, UserError, type UserErrorCode } from '../kernel/errors.js';

/**
 * Every problem a guest can meet. FLOW_OVER: the attempt, not the invitation, is gone; SIGN_IN_OVER: likewise of a sign-in.
 * SIGN_IN_UNREQUESTED: a provider sent somebody here who had not set out from here. NO_METHOD: the tenant offers no way to
 * prove this address.
 */
const statuses = {
  INVITATION_NOT_FOUND: 404,
  FLOW_OVER: 404,
  SIGN_IN_OVER: 404,
  SIGN_IN_UNREQUESTED: 403,
  SUPERSEDED: 410,
  EXPIRED: 410,
  REVOKED: 410,
  DECLINED: 410,
  ALREADY_REDEEMED: 409,
  NO_METHOD: 403,
  DOMAIN_BLOCKED: 403,
  DOMAIN_NOT_ALLOWED: 403,
  PROOF_REQUIRED: 403,
  PASSCODE_WRONG: 422,
  PASSCODE_EXPIRED: 422,
  TOO_MANY_ATTEMPTS: 429,
  PASSWORD_INVALID: 422,
  PASSWORD_GUESSABLE: 422,
  PASSWORD_WRONG: 422,
  PASSWORD_LOCKED: 429,
  PASSKEY_REFUSED: 422,
  SECOND_FACTOR_REQUIRED: 403,
  SECOND_FACTOR_WRONG: 422,
  SECOND_FACTOR_LOCKED: 429,
  IDENTITY_MISMATCH: 403,
  NOT_A_GUEST: 403,
  TAKEN: 409,
  LAST_IDENTITY: 409,
  INVALID: 422,
  TOO_LONG: 422,
  ADDRESS_INVALID: 422,
  IDENTITY_UNVERIFIED: 403,
  IDP_UNAVAILABLE: 503,
  CONSENT_REQUIRED: 422,
  INVITER_NOT_AUTHORIZED: 403,
  OWN_DOMAIN: 403,
  ACCOUNT_DISABLED: 403,
  RATE_LIMITED: 429,
  QUOTA_EXCEEDED: 429,
  NOT_FOUND: 404,
  FORBIDDEN: 403,
  BAD_REQUEST: 400,
  INTERNAL_SERVER_ERROR: 500,
} as const;

export type ProblemCode = keyof typeof statuses;

export const problemCodes = Object.keys(statuses) as ProblemCode[];

export interface Problem {
  code: ProblemCode;
  status: number;
  /** Null: trying again at once may work. */
  retryAfterSeconds: number | null;
}

export function problem(code: ProblemCode, retryAfterSeconds: number | null = null): Problem {
  return { code, status: statuses[code], retryAfterSeconds };
}

export function problemOfCode(code: UserErrorCode): Problem {
  return problem(isProblemCode(code) ? code : 'BAD_REQUEST');
}

export function problemOf(error: unknown): Problem {
  if (error instanceof UserError) {
    return { ...problemOfCode(error.code), retryAfterSeconds: error.entries[0]?.retryAfterSeconds ?? null };
  }
  if (error instanceof RequestError && isProblemCode(error.code)) return problem(error.code);
  return problem(isCallersMistake(error) ? 'BAD_REQUEST' : 'INTERNAL_SERVER_ERROR');
}

export function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(statuses, code);
}

/** Fastify's own refusals (body too large, not a form) carry their status. */
function isCallersMistake(error: unknown): boolean {
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  return typeof status === 'number' && status >= 400 && status < 500;
}
