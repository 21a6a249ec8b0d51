/** What an identity provider may look like (pure): issuer, client, scopes. Domains are `kernel/domain-patterns.ts`. */
import type { Validation } from '../../request/validation.js';
import { type OpenIdConnectPreset, ORGANIZATION_PLACEHOLDER, presets } from './openid-connect-presets.rules.js';
import { isOneOrganization, isSharedByOrganisations } from './shared-issuers.rules.js';

const MAX_CREDENTIAL_LENGTH = 1000;
const MAX_SCOPES = 20;
const MAX_ISSUER_LENGTH = 500;
/** RFC 6749 appendix A: visible ASCII and space. */
const credentialPattern = /^[ -~]+$/;
/** RFC 6749 section 3.3 */
const scopePattern = /^[!#-[\]-~]{1,100}$/;

/** OpenID Connect Discovery 1.0 section 3: https, no query, no fragment. Kept as given, because issuers are compared. */
export function checkIssuer(valid: Validation, issuer: string, allowInsecure: boolean): string {
  const text = issuer.trim();
  if (!isIssuer(text, allowInsecure)) {
    valid.add(
      'INVALID',
      ['oidc', 'issuer'],
      'Give the https URL of the issuer, such as https://login.fabrikam.example/tenant.',
    );
  } else if (isSharedByOrganisations(text)) {
    valid.add(
      'INVALID',
      ['oidc', 'issuer'],
      'This issuer signs in people of every organisation. Give that of one Entra tenant: https://login.microsoftonline.com/<tenant id>/v2.0.',
    );
  }
  return text;
}

/**
 * What the preset settles needs not be given. Another issuer than the preset's is for national clouds of Entra and, with
 * `allowInsecure`, for tests.
 */
export function checkPresetIssuer(
  valid: Validation,
  preset: OpenIdConnectPreset,
  given: string | null,
  allowInsecure: boolean,
): string {
  const usual = presets[preset].issuer;
  const issuer = (given ?? usual ?? '').trim();
  if (given === null && usual !== null) return usual;
  if (preset === 'GENERIC') return checkIssuer(valid, issuer, allowInsecure);
  const problem = isIssuer(issuer.replace(ORGANIZATION_PLACEHOLDER, 'id'), allowInsecure)
    ? presetProblem(preset, issuer, allowInsecure)
    : 'Give the https URL of the issuer.';
  if (problem) valid.add('INVALID', ['oidc', 'issuer'], problem);
  return issuer;
}

function presetProblem(preset: OpenIdConnectPreset, issuer: string, allowInsecure: boolean): string | null {
  if (preset === 'ENTRA')
    return isOneOrganization(issuer)
      ? null
      : 'Give the issuer of one organisation: https://login.microsoftonline.com/<tenant id>/v2.0.';
  if (preset === 'ENTRA_ANY_ORGANIZATION')
    return issuer.split(`/${ORGANIZATION_PLACEHOLDER}/`).length === 2
      ? null
      : `Give the issuer with ${ORGANIZATION_PLACEHOLDER} in place of the organisation, or none.`;
  return issuer === presets[preset].issuer || allowInsecure
    ? null
    : 'This preset has an issuer of its own. Leave it out.';
}

function isIssuer(text: string, allowInsecure: boolean): boolean {
  if (text.length > MAX_ISSUER_LENGTH || !credentialPattern.test(text) || !URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  const secure = protocol === 'https:' || (allowInsecure && protocol === 'http:');
  return secure && !username && !password && !/[?#]/.test(text);
}

export function checkClientId(valid: Validation, clientId: string): string {
  return checkCredential(valid, clientId, 'clientId');
}

/** Null: a public client. */
export function checkClientSecret(valid: Validation, secret: string | null): string | null {
  return secret === null ? null : checkCredential(valid, secret, 'clientSecret');
}

function checkCredential(valid: Validation, value: string, name: string): string {
  const field = ['oidc', name];
  if (value.trim() === '') valid.add('REQUIRED', field);
  else if (value.length > MAX_CREDENTIAL_LENGTH)
    valid.add('TOO_LONG', field, `Use at most ${MAX_CREDENTIAL_LENGTH} characters.`);
  else valid.pattern(value, credentialPattern, 'Use visible ASCII characters, as the provider gave it.', ...field);
  return value;
}

export function checkScopes(valid: Validation, given: string[]): string[] {
  const scopes = valid.list(given, MAX_SCOPES, 'oidc', 'scopes');
  for (const [index, scope] of scopes.entries()) {
    valid.pattern(scope, scopePattern, 'Give one scope per entry, such as email.', 'oidc', 'scopes', String(index));
  }
  return [...new Set(scopes)];
}
