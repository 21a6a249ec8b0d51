/** What an app may look like as an OpenID Connect client (pure). */
import { Validation } from '../../request/validation.js';
import type { App, ClientAuthentication, GrantType, SigningAlgorithm, SubjectType } from './app.entity.js';
import { checkRedirectUris } from './app-rules.js';

/** As callers give them: undefined leaves a setting as it is, null clears it where it may be absent. */
export interface ClientSettings {
  initiateLoginUrl?: string | null;
  logoUrl?: string | null;
  postLogoutRedirectUris?: string[] | null;
  backchannelLogoutUrl?: string | null;
  grantTypes?: GrantType[] | null;
  clientAuthentication?: ClientAuthentication | null;
  /** JSON of a JSON Web Key Set. */
  jwks?: string | null;
  jwksUrl?: string | null;
  signingAlgorithm?: SigningAlgorithm | null;
  subjectType?: SubjectType | null;
  accessTokenLifetimeSeconds?: number | null;
  refreshTokenLifetimeDays?: number | null;
  secondFactorRequired?: boolean | null;
  consentRequired?: boolean | null;
  apiAccess?: boolean | null;
}

export type CheckedSettings = Pick<App, keyof ClientSettings>;

export const defaultClientSettings: CheckedSettings = {
  initiateLoginUrl: null,
  logoUrl: null,
  postLogoutRedirectUris: [],
  backchannelLogoutUrl: null,
  grantTypes: ['AUTHORIZATION_CODE', 'REFRESH_TOKEN'],
  clientAuthentication: 'CLIENT_SECRET_BASIC',
  jwks: null,
  jwksUrl: null,
  signingAlgorithm: 'ES256',
  subjectType: 'PUBLIC',
  accessTokenLifetimeSeconds: 300,
  refreshTokenLifetimeDays: 14,
  secondFactorRequired: false,
  consentRequired: false,
  apiAccess: false,
};

/** An access token that was sent along is worth something for so long after everything else has ended. */
const MAX_ACCESS_TOKEN_SECONDS = 300;
const MAX_REFRESH_TOKEN_DAYS = 365;
const MAX_JWKS_LENGTH = 20_000;

/** Only what is given. */
export function checkClientSettings(valid: Validation, given: ClientSettings): Partial<CheckedSettings> {
  const { grantTypes, clientAuthentication, signingAlgorithm, subjectType } = given;
  const { secondFactorRequired, consentRequired, apiAccess } = given;
  return {
    ...checkUrls(valid, given),
    ...(given.postLogoutRedirectUris != null && {
      postLogoutRedirectUris: checkRedirectUris(valid, given.postLogoutRedirectUris, 'postLogoutRedirectUris'),
    }),
    ...(grantTypes != null && { grantTypes: [...new Set(grantTypes)] }),
    ...(clientAuthentication != null && { clientAuthentication }),
    ...(given.jwks !== undefined && { jwks: checkJwks(valid, given.jwks) }),
    ...(signingAlgorithm != null && { signingAlgorithm }),
    ...(subjectType != null && { subjectType }),
    ...checkLifetimes(valid, given),
    ...(secondFactorRequired != null && { secondFactorRequired }),
    ...(consentRequired != null && { consentRequired }),
    ...(apiAccess != null && { apiAccess }),
  };
}

/** What holds between settings. @throws UserError */
export function checkClient(app: CheckedSettings & Pick<App, 'redirectUris'>): void {
  const valid = new Validation();
  const { grantTypes, clientAuthentication, jwks, jwksUrl } = app;
  if (clientAuthentication === 'PRIVATE_KEY_JWT' && (jwks === null) === (jwksUrl === null)) {
    valid.add(
      'REQUIRED',
      ['jwks'],
      'An app that signs assertions gives its public keys: exactly one of jwks and jwksUrl.',
    );
  }
  if (clientAuthentication === 'NONE' && grantTypes.includes('CLIENT_CREDENTIALS')) {
    valid.add('INVALID', ['grantTypes'], 'An app without a secret cannot act for itself.');
  }
  if (app.apiAccess && app.subjectType === 'PAIRWISE') {
    valid.add(
      'INVALID',
      ['subjectType'],
      'PAIRWISE does not go together with apiAccess: the API knows users by their ids.',
    );
  }
  checkPairwise(valid, app);
  valid.done();
}

/** OpenID Connect Core 1.0 section 8.1: the sector is the one host of the redirect URIs. */
function checkPairwise(
  valid: Validation,
  { subjectType, grantTypes, redirectUris }: Parameters<typeof checkClient>[0],
): void {
  if (subjectType !== 'PAIRWISE') return;
  if (new Set(redirectUris.map((uri) => new URL(uri).host)).size !== 1) {
    valid.add('INVALID', ['subjectType'], 'PAIRWISE needs redirect URIs, all of one host.');
  }
  if (grantTypes.includes('DEVICE_CODE')) {
    valid.add('INVALID', ['subjectType'], 'PAIRWISE does not go together with DEVICE_CODE.');
  }
}

function checkUrls(valid: Validation, given: ClientSettings): Partial<CheckedSettings> {
  const fields = ['initiateLoginUrl', 'logoUrl', 'backchannelLogoutUrl', 'jwksUrl'] as const;
  const present = fields.filter((field) => given[field] !== undefined);
  return Object.fromEntries(present.map((field) => [field, valid.optionalUrl(given[field], field)]));
}

function checkLifetimes(valid: Validation, given: ClientSettings): Partial<CheckedSettings> {
  const { accessTokenLifetimeSeconds: seconds, refreshTokenLifetimeDays: days } = given;
  if (seconds != null && (seconds < 60 || seconds > MAX_ACCESS_TOKEN_SECONDS)) {
    valid.add('INVALID', ['accessTokenLifetimeSeconds'], `Use 60 to ${MAX_ACCESS_TOKEN_SECONDS}.`);
  }
  if (days != null && (days < 1 || days > MAX_REFRESH_TOKEN_DAYS)) {
    valid.add('INVALID', ['refreshTokenLifetimeDays'], `Use 1 to ${MAX_REFRESH_TOKEN_DAYS}.`);
  }
  return {
    ...(seconds != null && { accessTokenLifetimeSeconds: seconds }),
    ...(days != null && { refreshTokenLifetimeDays: days }),
  };
}

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];
const JWKS_PROBLEM = 'Give a JSON Web Key Set of public keys: {"keys": [{"kty": "EC", …}]}.';

function checkJwks(valid: Validation, text: string | null): object | null {
  if (text === null || text === '') return null;
  const keys = text.length <= MAX_JWKS_LENGTH ? parseKeys(text) : null;
  const isPublic = keys?.every((key) => !PRIVATE_MEMBERS.some((member) => Object.hasOwn(key, member)));
  if (!keys || keys.length === 0 || !isPublic) {
    valid.add('INVALID', ['jwks'], JWKS_PROBLEM);
    return null;
  }
  return { keys };
}

function parseKeys(text: string): object[] | null {
  try {
    const { keys } = JSON.parse(text) as { keys?: unknown };
    return Array.isArray(keys) && keys.every((key) => typeof key === 'object' && key !== null && 'kty' in key)
      ? keys
      : null;
  } catch {
    return null;
  }
}
