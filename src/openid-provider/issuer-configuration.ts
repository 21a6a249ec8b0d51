/**
 * How the protocol library is set up for one tenant: what is on, for how long things live, where it asks the gateway. What
 * is not listed as a feature is off. docs/openid-provider.md tells app developers the same in words.
 */
import { type Client, type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { OutboundFetch } from '../outbound/outbound-client.js';
import { accountFinder, isAccessLive } from './account.js';
import { apiResource, apiScopes } from './api-resource.js';
import { claimsByScope } from './claims.js';
import { ClientAdapter, clientExtraNames, extrasOf } from './client-adapter.js';
import { currentSession } from './current-session.js';
import type { GuestSessions } from './guest-sessions.js';
import { grantLoader, guestPolicy } from './interaction-policy.js';
import { PayloadAdapter, type TenantContext } from './payload-adapter.js';
import { SessionAdapter } from './session-adapter.js';
import { type Jwk, joseName } from './signing-keys.js';
import { opaqueName } from './tenant-salts.js';
import type { ViewSources } from './views.js';

export interface IssuerParts {
  tenantId: string;
  slug: string;
  publicUrl: URL;
  keys: Jwk[];
  salt: string;
  /** First signs, all verify. */
  cookieKeys: string[];
  context: TenantContext;
  sessions: GuestSessions;
  fetch: OutboundFetch;
  views: ViewSources;
}

const MINUTE = 60;
const DAY = 24 * 60 * MINUTE;
/** Bound to the guest's session anyway; those for offline access end with their refresh tokens. */
const SESSION_GRANT = 2 * DAY;
const OFFLINE_GRANT = 400 * DAY;

const algorithms = [joseName('ES256'), joseName('RS256'), joseName('EDDSA')];
/** What apps may sign with. */
const clientAlgorithms = ['ES256', 'RS256', 'PS256', 'EdDSA', 'Ed25519'] as const;

export const routes = {
  authorization: '/oauth2/authorize',
  token: '/oauth2/token',
  jwks: '/oauth2/jwks',
  userinfo: '/oauth2/userinfo',
  introspection: '/oauth2/introspect',
  revocation: '/oauth2/revoke',
  pushed_authorization_request: '/oauth2/par',
  device_authorization: '/oauth2/device_authorization',
  code_verification: '/oauth2/device',
  end_session: '/oauth2/logout',
} as const;

export function issuerConfiguration(parts: IssuerParts): Configuration {
  const { tenantId, slug, publicUrl, context, salt } = parts;
  return {
    adapter: (model) => adapterOf(model, parts),
    jwks: { keys: parts.keys as NonNullable<Configuration['jwks']>['keys'] },
    routes,
    claims: Object.fromEntries(
      Object.entries(claimsByScope).map(([scope, names]) => [
        scope,
        [...names, ...(scope === 'openid' ? ['auth_time'] : [])],
      ]),
    ),
    scopes: ['openid', 'offline_access'],
    // What is released is in the ID token, too: apps need no second request.
    conformIdTokenClaims: false,
    responseTypes: ['code'],
    pkce: { required: () => true },
    allowOmittingSingleRegisteredRedirectUri: false,
    clientDefaults: {
      grant_types: ['authorization_code'],
      response_types: ['code'],
      id_token_signed_response_alg: 'ES256',
    },
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    enabledJWA: {
      clientAuthSigningAlgValues: [...clientAlgorithms],
      idTokenSigningAlgValues: algorithms,
      userinfoSigningAlgValues: algorithms,
      dPoPSigningAlgValues: ['ES256', 'EdDSA', 'Ed25519'],
    },
    extraClientMetadata: { properties: [...clientExtraNames] },
    subjectTypes: ['public', 'pairwise'],
    pairwiseIdentifier: async (_ctx, accountId, client) => pairwiseSub(salt, accountId, client),
    findAccount: accountFinder({ tenantId, salt }, context),
    loadExistingGrant: grantLoader(salt, apiResource(publicUrl)),
    interactions: {
      policy: guestPolicy(),
      url: (_ctx, interaction) => `/t/${slug}/oauth2/interaction/${interaction.uid}`,
    },
    cookies: cookiesOf(parts),
    features: featuresOf(parts),
    ttl: lifetimes,
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    renderError: parts.views.renderError,
    fetch: (url, options) => parts.fetch(String(url), options as Parameters<OutboundFetch>[1]),
    clientBasedCORS: (_ctx, origin, client) => isOriginOf(client, origin),
    discovery: { service_documentation: undefined },
  };
}

/** OpenID Connect Core 1.0 section 8.1. */
export function pairwiseSub(salt: string, accountId: string, { sectorIdentifier }: Client): string {
  return opaqueName(salt, 'pairwise', String(sectorIdentifier ?? ''), accountId);
}

function adapterOf(model: string, { tenantId, context, sessions }: IssuerParts) {
  if (model === 'Client') return new ClientAdapter(tenantId, context);
  if (model === 'Session') return new SessionAdapter(tenantId, context, { sessions, current: currentSession });
  return new PayloadAdapter(model, tenantId, context);
}

/** Paths isolate nothing: names carry the tenant. The session's is not signed, because the gateway's session decides. */
function cookiesOf({ tenantId, publicUrl, cookieKeys }: IssuerParts): NonNullable<Configuration['cookies']> {
  const key = tenantId.slice(tenantId.indexOf('_') + 1);
  const [hostOnly, secure] = publicUrl.protocol === 'https:' ? ['__Host-', '__Secure-'] : ['', ''];
  return {
    names: {
      session: `${hostOnly}vestibule_o_${key}`,
      interaction: `${secure}vestibule_i_${key}`,
      resume: `${secure}vestibule_r_${key}`,
    },
    long: { httpOnly: true, sameSite: 'lax', signed: false, path: '/' },
    short: { httpOnly: true, sameSite: 'lax', signed: true },
    keys: cookieKeys,
  };
}

function featuresOf(parts: IssuerParts): NonNullable<Configuration['features']> {
  const { tenantId, publicUrl, context, views } = parts;
  return {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    claimsParameter: { enabled: true },
    clientCredentials: { enabled: true },
    dPoP: { enabled: true },
    deviceFlow: {
      enabled: true,
      userCodeInputSource: views.deviceCode,
      userCodeConfirmSource: views.deviceConfirm,
      successSource: views.deviceDone,
    },
    introspection: {
      enabled: true,
      // Only the app that a token was given to, and only while the guest may use it.
      allowedPolicy: async (_ctx, client, token) =>
        token.clientId === client.clientId &&
        client.clientAuthMethod !== 'none' &&
        isAccessLive(tenantId, context, token as never),
    },
    revocation: {
      enabled: true,
      allowedPolicy: async (_ctx, client, token) => {
        if (token.clientId !== client.clientId) throw new errors.InvalidRequest('this token is of another client');
        return true;
      },
    },
    pushedAuthorizationRequests: { enabled: true },
    rpInitiatedLogout: { enabled: true, logoutSource: views.logout, postLogoutSuccessSource: views.loggedOut },
    resourceIndicators: {
      enabled: true,
      // An app that acts for itself gets a token for itself; a guest's token without a resource is for userinfo.
      defaultResource: async (ctx, client, oneOf) => oneOf ?? (isForItself(ctx) ? ownResource(client) : undefined),
      getResourceServerInfo: async (_ctx, resource, client) => {
        const isApi = resource === apiResource(publicUrl) && extrasOf(client).api_access;
        if (!isApi && resource !== ownResource(client)) throw new errors.InvalidTarget();
        return {
          scope: isApi ? apiScopes.join(' ') : '',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: extrasOf(client).access_token_lifetime,
          jwt: { sign: { alg: client.idTokenSignedResponseAlg as 'ES256' } },
        };
      },
    },
  };
}

/** What an app is called as the audience of access tokens (RFC 8707). */
export function ownResource({ clientId }: Pick<Client, 'clientId'>): string {
  return `urn:vestibule:app:${clientId}`;
}

function isForItself(ctx: KoaContextWithOIDC): boolean {
  return ctx.oidc.params?.grant_type === 'client_credentials';
}

/** Seconds. */
const lifetimes: NonNullable<Configuration['ttl']> = {
  AccessToken: (_ctx, _token, client) => extrasOf(client).access_token_lifetime,
  AuthorizationCode: MINUTE,
  ClientCredentials: (_ctx, _token, client) => extrasOf(client).access_token_lifetime,
  DeviceCode: 10 * MINUTE,
  Grant: (_ctx, grant) => (grant.getOIDCScope().includes('offline_access') ? OFFLINE_GRANT : SESSION_GRANT),
  IdToken: 60 * MINUTE,
  Interaction: 60 * MINUTE,
  RefreshToken: (_ctx, _token, client) => extrasOf(client).refresh_token_lifetime,
  Session: SESSION_GRANT,
};

/** Apps in a browser call userinfo and, without a secret, the token endpoint from their own origin. */
function isOriginOf(client: Client, origin: string): boolean {
  return (client.redirectUris ?? []).some((uri) => URL.parse(uri)?.origin === origin);
}
