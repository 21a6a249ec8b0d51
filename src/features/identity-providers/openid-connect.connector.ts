/**
 * The connector for OpenID Connect providers: authorization code flow with PKCE S256, state and nonce (OpenID Connect
 * Core 1.0 section 3.1, RFC 7636, RFC 9207). openid-client does the protocol and checks state, `iss`, nonce, audience
 * and times; this file asks it for every check, verifies the ID token's signature besides, and puts the answer into the
 * normal form. It does not decide whether the provider may vouch for the address. Neighbours: `outbound/` makes the
 * requests, `connector.ts` is the port. Configurations are cached, so that a sign-in costs one round trip, not three.
 */
import * as openid from 'openid-client';
import { type Clock, SECOND, systemClock } from '../../kernel/clock.js';
import { refuse, type UserError } from '../../kernel/errors.js';
import { hashToken } from '../../kernel/secrets.js';
import type { OutboundFetch } from '../../outbound/outbound-client.js';
import { clientAuthentication } from './client-authentication.js';
import type { Connector, OpenIdConnectSettings, ProvenIdentity, SignInSecrets } from './connector.port.js';
import { DiscoveryCache } from './discovery-cache.js';
import { identityOf, textOrNull } from './identity-claims.rules.js';
import { claimsMultiFactor } from './multi-factor.rules.js';
import { describeFailure, isCancellation, isUnknownKey } from './openid-connect.failures.js';
import { isOfEntra, presets } from './openid-connect-presets.rules.js';

/** At most 255 ASCII characters (OpenID Connect Core 1.0, section 2); those that print, because tables and logs take no others. */
const subjectPattern = /^[ -~]{1,255}$/;

export interface OpenIdConnectOptions {
  fetch: OutboundFetch;
  /** Decides when the cache is stale. ID token times are compared with the machine's clock. */
  clock?: Clock;
  /** Permits providers on http. */
  allowInsecure: boolean;
  /** How long a provider's metadata is used. @default 600 */
  cacheSeconds?: number;
}

interface OpenIdConnectSecrets extends SignInSecrets {
  nonce: string;
  codeVerifier: string;
}

export function createOpenIdConnectConnector(
  options: OpenIdConnectOptions,
): Connector<OpenIdConnectSettings, OpenIdConnectSecrets> {
  const { clock = systemClock, cacheSeconds = 600 } = options;
  const cache = new DiscoveryCache<openid.Configuration>(clock, cacheSeconds * SECOND);
  const configurationOf = (provider: OpenIdConnectSettings) =>
    cache.get(cacheKey(provider), () => discover(provider, options));

  return {
    begin: (provider, request) =>
      refusingFailures(async () => {
        const secrets = newSecrets();
        const configuration = await configurationOf(provider);
        const url = openid.buildAuthorizationUrl(configuration, {
          redirect_uri: request.redirectUri,
          scope: [...new Set(['openid', ...provider.scopes])].join(' '),
          login_hint: request.loginHint,
          ...(request.chooseAccount && { prompt: promptForAccount(provider, configuration) }),
          state: secrets.state,
          nonce: secrets.nonce,
          code_challenge: await openid.calculatePKCECodeChallenge(secrets.codeVerifier),
          code_challenge_method: 'S256',
        });
        return { redirectTo: url.href, secrets };
      }),

    finish: (provider, { url }, secrets) =>
      refusingFailures(async () => {
        const configuration = await configurationOf(provider);
        try {
          return await readIdentity(provider, configuration, await redeemCode(configuration, url, secrets));
        } catch (error) {
          // openid-client reads keys again once they are a minute old; the next sign-in should not have to wait for that.
          if (isUnknownKey(error)) cache.forget(cacheKey(provider));
          throw error;
        }
      }),

    logoutUrl: (provider, { returnTo, logoutHint }) =>
      refusingFailures(async () => {
        const configuration = await configurationOf(provider);
        if (configuration.serverMetadata().end_session_endpoint === undefined) return null;
        return openid.buildEndSessionUrl(configuration, {
          ...(returnTo !== null && { post_logout_redirect_uri: returnTo }),
          ...(logoutHint !== null && { logout_hint: logoutHint }),
        }).href;
      }),
  };
}

/** Core section 15.1 obliges every provider to know `login`; one that lists `select_account` asks more kindly. */
function promptForAccount({ preset }: OpenIdConnectSettings, configuration: openid.Configuration): string {
  const known = presets[preset].choosesAccountBy;
  if (known !== null) return known;
  const supported = configuration.serverMetadata().prompt_values_supported as string[] | undefined;
  return supported?.includes('select_account') ? 'select_account' : 'login';
}

/** The secret is hashed, so that a rotated one takes effect at once and no key of a map is a secret. */
function cacheKey({ id, issuer, clientId, clientSecret, clientKey }: OpenIdConnectSettings): string {
  const secret = clientSecret && hashToken(clientSecret).toString('base64url');
  return JSON.stringify([id, issuer, clientId, secret, clientKey?.kid]);
}

async function discover(provider: OpenIdConnectSettings, options: OpenIdConnectOptions): Promise<openid.Configuration> {
  const configuration = await openid.discovery(
    new URL(provider.issuer),
    provider.clientId,
    undefined,
    await clientAuthentication(provider),
    {
      [openid.customFetch]: options.fetch,
      timeout: 10, // seconds
      // Core section 3.1.3.7 lets TLS stand in for the signature; we want both, and with it `alg: none` never passes.
      execute: [openid.enableNonRepudiationChecks, ...(options.allowInsecure ? [openid.allowInsecureRequests] : [])],
    },
  );
  checkIssuer(provider.issuer, configuration.serverMetadata().issuer);
  return configuration;
}

/**
 * Discovery 1.0 section 4.3. openid-client is lenient for some hosts and for issuers with a well-known path; a provider
 * that names another issuer could pass off that one's users.
 */
function checkIssuer(expected: string, actual: string): void {
  if (new URL(actual).href === new URL(expected).href) return;
  throw refuse('IDP_UNAVAILABLE', { detail: 'the metadata names another issuer than the one configured' });
}

function newSecrets(): OpenIdConnectSecrets {
  return { state: openid.randomState(), nonce: openid.randomNonce(), codeVerifier: openid.randomPKCECodeVerifier() };
}

type Tokens = Awaited<ReturnType<typeof openid.authorizationCodeGrant>>;

function redeemCode(configuration: openid.Configuration, url: URL, secrets: OpenIdConnectSecrets): Promise<Tokens> {
  return openid.authorizationCodeGrant(configuration, url, {
    expectedState: secrets.state,
    expectedNonce: secrets.nonce,
    pkceCodeVerifier: secrets.codeVerifier,
    idTokenExpected: true,
  });
}

async function readIdentity(
  { preset }: OpenIdConnectSettings,
  configuration: openid.Configuration,
  tokens: Tokens,
): Promise<ProvenIdentity> {
  const idToken = tokens.claims();
  if (!idToken) throw refuse('IDP_UNAVAILABLE', { detail: 'the token response has no ID token' });
  // Address and its verification come from one source, never one from each.
  const needsUserInfo =
    !isOfEntra(preset) && idToken.email === undefined && configuration.serverMetadata().userinfo_endpoint !== undefined;
  const claims = needsUserInfo ? await openid.fetchUserInfo(configuration, tokens.access_token, idToken.sub) : idToken;
  const identity = identityOf(preset, idToken.iss, idToken.sub, claims);
  if (!identity) throw refuse('IDP_UNAVAILABLE', { detail: 'the ID token does not name a person of the organisation' });
  if (!subjectPattern.test(identity.subject))
    throw refuse('IDP_UNAVAILABLE', { detail: 'the subject of the ID token is no subject' });
  const { lacksAddressProof, ...person } = identity;
  return {
    issuer: idToken.iss,
    ...person,
    displayName: textOrNull(claims.name) ?? textOrNull(idToken.name),
    ...(lacksAddressProof && { lacksAddressProof }),
    isMultiFactor: claimsMultiFactor(idToken.amr, idToken.acr),
  };
}

async function refusingFailures<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toUserError(error);
  }
}

function toUserError(error: unknown): UserError {
  const detail = describeFailure(error);
  if (!isCancellation(error)) return refuse('IDP_UNAVAILABLE', { detail });
  const message = 'The sign-in was cancelled. Try again, or choose another way to prove who you are.';
  return refuse('PROOF_REQUIRED', { message, detail });
}
