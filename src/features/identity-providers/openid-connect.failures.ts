/**
 * What went wrong with an OpenID Connect provider, in our words and in registered codes. A provider's own descriptions
 * and bodies are never repeated: they are text by a stranger, and may hold tokens.
 */
import {
  AuthorizationResponseError,
  ClientError,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from 'openid-client';
import { UserError } from '../../kernel/errors.js';
import { OutboundError } from '../../outbound/outbound-error.js';

/** RFC 6749 sections 4.1.2.1 and 5.2, OpenID Connect Core 1.0 section 3.1.2.6, RFC 6750 section 3.1. */
const registeredCodes: ReadonlySet<string> = new Set([
  'access_denied',
  'account_selection_required',
  'consent_required',
  'insufficient_scope',
  'interaction_required',
  'invalid_client',
  'invalid_grant',
  'invalid_request',
  'invalid_scope',
  'invalid_token',
  'login_required',
  'server_error',
  'temporarily_unavailable',
  'unauthorized_client',
  'unsupported_grant_type',
  'unsupported_response_type',
]);

/** The person pressed "cancel" at the provider, or it denied them (RFC 6749 section 4.1.2.1). */
export function isCancellation(error: unknown): boolean {
  return error instanceof AuthorizationResponseError && error.error === 'access_denied';
}

/** The token names a key that the provider did not publish when we last looked. */
export function isUnknownKey(error: unknown): boolean {
  return error instanceof ClientError && error.code === 'OAUTH_KEY_SELECTION_FAILED';
}

/** For the log. */
export function describeFailure(error: unknown): string {
  const outbound = outboundCause(error);
  if (outbound) return `the provider was not asked or did not answer: ${outbound.reason}`;
  if (error instanceof UserError) return error.detail ?? error.code;
  if (error instanceof AuthorizationResponseError) return `the provider ended the sign-in: ${codeOf(error.error)}`;
  if (error instanceof ResponseBodyError) return `the provider refused, status ${error.status}: ${codeOf(error.error)}`;
  if (error instanceof WWWAuthenticateChallengeError)
    return `the provider refused our credentials, status ${error.status}`;
  if (error instanceof ClientError) return `the provider's answer does not verify: ${error.code ?? 'no code'}`;
  return `the sign-in failed: ${error instanceof Error ? error.name : typeof error}`;
}

function codeOf(code: string): string {
  return registeredCodes.has(code) ? code : 'unregistered code';
}

/** openid-client wraps what its `fetch` throws as the cause of an error of its own. */
function outboundCause(error: unknown): OutboundError | null {
  if (error instanceof OutboundError) return error;
  return error instanceof Error && error.cause ? outboundCause(error.cause) : null;
}
