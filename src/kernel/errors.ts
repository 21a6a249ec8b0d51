/**
 * Errors are a table: a stable code and a text that tells the person what to do next. `UserError` is what a caller can
 * mend (it becomes a `userErrors` entry or a page); `RequestError` ends the whole request. `detail` goes to the log only.
 * Who maps them: `api/error-format.ts` for GraphQL, `web/error-pages.ts` for people. Nothing else turns errors into answers.
 */

/** What a caller can mend. Clients switch on the key; the text is the default message in English. */
const userErrorTexts = {
  INVALID: 'This value is not valid. Correct it and try again.',
  REQUIRED: 'This value is required.',
  TOO_LONG: 'This value is too long. Shorten it and try again.',
  TAKEN: 'This name is already in use. Choose another.',
  NOT_FOUND: 'There is nothing with this id. Check the id and the tenant.',
  CONFLICT: 'It was changed in the meantime. Load it again and repeat the change.',
  AMBIGUOUS_NAME: 'Several things carry this name. Use the id instead.',
  LANGUAGE_UNSUPPORTED: 'This language is not supported. Use one of: en, ko.',
  REDIRECT_NOT_REGISTERED:
    'This address belongs to no app of the tenant. Register the app first, or use its home page.',
  ADDRESS_INVALID: 'This is not an e-mail address that can receive an invitation.',
  GROUP_ADDRESS: 'This looks like an address of several people. Invite each person by their own address.',
  OWN_DOMAIN: 'This address belongs to the tenant itself. Only people from outside are invited.',
  ALREADY_MEMBER: 'This person has already accepted an invitation. Assign apps and groups to them directly.',
  ALREADY_INVITED: 'An invitation for this address is still open. Resend or revoke that one.',
  DUPLICATE_ROW: 'An earlier row of this batch has the same address. Remove one of them.',
  ACCOUNT_DISABLED: 'The account of this person is disabled. Enable it first.',
  DOMAIN_BLOCKED: 'The tenant does not accept guests from this domain.',
  DOMAIN_NOT_ALLOWED: 'The tenant accepts guests from listed domains only, and this is not one of them.',
  INVITER_NOT_AUTHORIZED: 'Whoever invited is no longer allowed to. Ask the organisation for a new invitation.',
  RECIPIENT_UNSUBSCRIBED: 'This person has asked not to be invited by this tenant.',
  QUOTA_EXCEEDED: 'The tenant has sent as many mails as it may in this hour. Try again later.',
  RATE_LIMITED: 'Too many requests. Wait before trying again.',
  INVITATION_NOT_FOUND: 'This link is not valid. Check that it was copied whole, or ask for a new invitation.',
  EXPIRED: 'This invitation has expired. Ask for a new one.',
  REVOKED: 'This invitation was withdrawn. Ask whoever invited you if you think this is a mistake.',
  ALREADY_REDEEMED: 'This invitation has already been accepted. Sign in to the app.',
  DECLINED: 'This invitation was declined. Ask for a new one if you have changed your mind.',
  SUPERSEDED: 'A newer invitation mail was sent. Use the link in the latest one.',
  PROOF_REQUIRED: 'Prove who you are first: by your organisation or by a passcode.',
  PASSCODE_WRONG: 'This code is not right. Check the latest mail and try again.',
  PASSCODE_EXPIRED: 'This code is no longer valid. Ask for a new one.',
  TOO_MANY_ATTEMPTS: 'Too many wrong codes. Ask for a new code, or try again later.',
  PASSWORD_INVALID: 'Use 8 to 128 characters for a password, none of them control characters.',
  PASSWORD_GUESSABLE:
    'This password is among the first that are tried: it is widely used, or made of the address or the name of the organisation. Choose another.',
  PASSWORD_WRONG: 'Address and password do not fit together. Try again, or ask for a code by mail.',
  PASSWORD_LOCKED: 'Too many wrong passwords. Ask for a code by mail, or try again later.',
  PASSKEY_REFUSED: 'This passkey was not accepted. Try again, or choose another way.',
  SECOND_FACTOR_REQUIRED: 'Confirm with your second factor first.',
  SECOND_FACTOR_WRONG: 'This code is not right. Wait for the next one and enter it, or use a recovery code.',
  SECOND_FACTOR_LOCKED: 'Too many wrong codes. Try again later.',
  IDENTITY_MISMATCH: 'You signed in with another account than the one invited. Switch accounts and try again.',
  LAST_IDENTITY: 'This is the only way to sign in that is left. Add another one first.',
  NOT_A_GUEST:
    'Nobody here signs in with this account. Use the account you accepted with, or open the link in your invitation first.',
  IDENTITY_UNVERIFIED:
    'Your provider does not confirm that this address is yours. Ask your administrator, or use another way.',
  IDP_UNAVAILABLE: 'The sign-in service of your organisation does not answer properly. Try again in a few minutes.',
  CONSENT_REQUIRED: 'Accept the terms as they are shown now to go on.',
  IDEMPOTENCY_KEY_REUSED: 'This idempotency key was used with another input. Use a new key for a new request.',
  ROW_LIMIT_EXCEEDED: 'There are too many rows for one call. Split them, or upload the file.',
  CSV_UNREADABLE: 'This file cannot be read as CSV. Save it as CSV in UTF-8 with a header row.',
  UPLOAD_INCOMPLETE: 'The upload was cut off. Send the file again.',
  BATCH_REJECTED: 'Another row of the batch was refused, so nothing was done. Correct it and send the batch again.',
  CANCELLED: 'The batch was cancelled before this row was reached.',
} as const;

export type UserErrorCode = keyof typeof userErrorTexts;

export const userErrorCodes = Object.keys(userErrorTexts) as UserErrorCode[];

/** One `userErrors` entry as plain data: what GraphQL answers and what a bulk row stores. */
export interface UserErrorEntry {
  /** Path into the input, e.g. `["externalUserIds", "3"]`; null when it concerns the whole call. */
  field: string[] | null;
  message: string;
  code: UserErrorCode;
  retryAfterSeconds: number | null;
}

/** Thrown by use cases; caught in one place and answered as `userErrors`. */
export class UserError extends Error {
  override readonly name = 'UserError';
  readonly entries: UserErrorEntry[];
  /** Log-only explanation, never shown. */
  readonly detail: string | undefined;

  constructor(entries: UserErrorEntry[], detail?: string) {
    super(entries.map((entry) => entry.code).join(', '));
    this.entries = entries;
    this.detail = detail;
  }

  /** Code of the first entry: enough for flows that refuse for one reason at a time. */
  get code(): UserErrorCode {
    return this.entries[0]?.code ?? 'INVALID';
  }
}

export interface UserErrorOptions {
  field?: string[];
  /** Replaces the table's text where more can be said, e.g. which language is unknown. */
  message?: string;
  retryAfterSeconds?: number;
}

export function userErrorEntry(code: UserErrorCode, options: UserErrorOptions = {}): UserErrorEntry {
  return {
    code,
    field: options.field ?? null,
    message: options.message ?? userErrorTexts[code],
    retryAfterSeconds: options.retryAfterSeconds ?? null,
  };
}

/** A refusal for one reason: `throw refuse('EXPIRED')`. */
export function refuse(code: UserErrorCode, options: UserErrorOptions & { detail?: string } = {}): UserError {
  return new UserError([userErrorEntry(code, options)], options.detail);
}

/** Ends the whole request; the key is `extensions.code` in GraphQL, the number the HTTP status elsewhere. */
export const requestErrors = {
  UNAUTHENTICATED: { status: 401, text: 'Send a valid API key: Authorization: Bearer <key>.' },
  FORBIDDEN: { status: 403, text: 'This API key lacks the permission for this.' },
  BAD_REQUEST: { status: 400, text: 'This request cannot be read.' },
  BAD_USER_INPUT: { status: 400, text: 'An argument has a value that cannot be used here.' },
  GRAPHQL_PARSE_FAILED: { status: 400, text: 'The document is not valid GraphQL.' },
  GRAPHQL_VALIDATION_FAILED: { status: 400, text: 'The document does not fit the schema.' },
  QUERY_TOO_COMPLEX: { status: 400, text: 'This document asks for too much at once. Ask for less, or in pages.' },
  RATE_LIMITED: { status: 429, text: 'Too many requests. Wait before trying again.' },
  NOT_FOUND: { status: 404, text: 'There is nothing with this id.' },
  INTERNAL_SERVER_ERROR: { status: 500, text: 'Something went wrong on our side. Try again; the log has the details.' },
} as const;

export type RequestErrorCode = keyof typeof requestErrors;

export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly code: RequestErrorCode;
  readonly detail: string | undefined;

  constructor(code: RequestErrorCode, options: { message?: string; detail?: string } = {}) {
    super(options.message ?? requestErrors[code].text);
    this.code = code;
    this.detail = options.detail;
  }
}
