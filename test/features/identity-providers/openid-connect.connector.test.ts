import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { OpenIdConnectSettings } from '../../../src/features/identity-providers/connector.port.js';
import { createOpenIdConnectConnector } from '../../../src/features/identity-providers/openid-connect.connector.js';
import { UserError } from '../../../src/kernel/errors.js';
import { silentLog } from '../../../src/kernel/log.js';
import { createOutboundClient, type OutboundClient } from '../../../src/outbound/outbound-client.js';
import {
  cancelSignInAt,
  FAILURE_TEXT,
  signInAt,
  startTestOpenIdProvider,
  type TestOpenIdProvider,
  type TestOpenIdProviderOptions,
} from '../../support/openid-provider.js';

const redirectUri = 'http://localhost:4000/redeem/callback';
const ada = 'ada@fabrikam.example';

const client = { clientId: 'vestibule', clientSecret: 'a secret + with / specials %', redirectUris: [redirectUri] };
const publicClient = { clientId: 'vestibule-public', clientSecret: null, redirectUris: [redirectUri] };

let now = new Date('2026-01-01T00:00:00Z');
let outbound: OutboundClient;
let connector: ReturnType<typeof createOpenIdConnectConnector>;
const providers: TestOpenIdProvider[] = [];

beforeEach(() => {
  now = new Date('2026-01-01T00:00:00Z');
  outbound = createOutboundClient({ allowPrivateProviders: true, log: silentLog, timeoutMilliseconds: 2000 });
  connector = createOpenIdConnectConnector({ fetch: outbound.fetch, clock: { now: () => now }, allowInsecure: true });
});

afterEach(async () => {
  await outbound.close();
  for (const provider of providers.splice(0)) await provider.stop();
});

async function start(options: Partial<TestOpenIdProviderOptions> = {}): Promise<TestOpenIdProvider> {
  const clients = [client, publicClient];
  const accounts = [{ email: ada, name: 'Ada Lovelace' }, { email: 'ben@fabrikam.example' }];
  const provider = await startTestOpenIdProvider({ clients, accounts, ...options });
  providers.push(provider);
  return provider;
}

function settings(provider: { issuer: string }, changes: Partial<OpenIdConnectSettings> = {}): OpenIdConnectSettings {
  const { clientId, clientSecret } = client;
  return {
    id: 'idp_1',
    issuer: provider.issuer,
    preset: 'GENERIC',
    clientId,
    clientSecret,
    clientKey: null,
    scopes: ['email', 'profile'],
    ...changes,
  };
}

const begin = (provider: OpenIdConnectSettings) =>
  connector.begin(provider, { redirectUri, loginHint: ada, chooseAccount: false });

async function refusal(work: Promise<unknown>): Promise<{ code: string; detail: string | undefined; message: string }> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof UserError)) throw new Error(`Expected a UserError, got ${error}.`);
  return { code: error.code, detail: error.detail, message: error.entries[0]?.message ?? '' };
}

test('a sign-in gives the normal form of the identity', async () => {
  const provider = await start();
  const { redirectTo, secrets } = await begin(settings(provider));
  const callback = await signInAt(provider, redirectTo, ada);
  expect(await connector.finish(settings(provider), { url: callback }, secrets)).toEqual({
    issuer: provider.issuer,
    subject: expect.any(String),
    email: ada,
    emailVerified: true,
    displayName: 'Ada Lovelace',
    isMultiFactor: false,
  });
});

test('who came back as somebody else is asked to sign in anew, whatever session the provider has', async () => {
  const provider = await start();
  const request = { redirectUri, loginHint: ada, chooseAccount: true };
  const { redirectTo } = await connector.begin(settings(provider), request);
  expect(new URL(redirectTo).searchParams.get('prompt')).toBe('login');
});

test('the authorization request carries PKCE, state, nonce, scopes and the hint', async () => {
  const { redirectTo, secrets } = await begin(settings(await start(), { scopes: ['email', 'openid', 'profile'] }));
  expect(Object.fromEntries(new URL(redirectTo).searchParams)).toEqual({
    client_id: client.clientId,
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: 'openid email profile',
    login_hint: ada,
    state: secrets.state,
    nonce: secrets.nonce,
    code_challenge: expect.stringMatching(/^[\w-]{43}$/),
    code_challenge_method: 'S256',
  });
});

test('each sign-in has secrets of its own', async () => {
  const provider = settings(await start());
  const [first, second] = [await begin(provider), await begin(provider)];
  for (const name of ['state', 'nonce', 'codeVerifier'] as const) {
    expect(first.secrets[name]).not.toBe(second.secrets[name]);
  }
});

test.each([
  ['a public client', { clientId: publicClient.clientId, clientSecret: null }],
  ['a confidential client', {}],
])('%s can exchange its code', async (_name, changes) => {
  const provider = await start();
  const { redirectTo, secrets } = await begin(settings(provider, changes));
  const callback = await signInAt(provider, redirectTo, ada);
  expect((await connector.finish(settings(provider, changes), { url: callback }, secrets)).email).toBe(ada);
});

test('the address comes from userinfo when the ID token has none', async () => {
  const provider = await start({ claimsIn: 'userinfo' });
  const { redirectTo, secrets } = await begin(settings(provider));
  const callback = await signInAt(provider, redirectTo, ada);
  const identity = await connector.finish(settings(provider), { url: callback }, secrets);
  expect(identity).toMatchObject({ email: ada, emailVerified: true, displayName: 'Ada Lovelace' });
  expect(provider.requests).toContain('/me');
});

test('userinfo is not asked when the ID token has the address', async () => {
  const provider = await start();
  const { redirectTo, secrets } = await begin(settings(provider));
  await connector.finish(settings(provider), { url: await signInAt(provider, redirectTo, ada) }, secrets);
  expect(provider.requests).not.toContain('/me');
});

test.each([false, null, 'true', 1])(
  'an address is verified only by the boolean true, not by %p',
  async (emailVerified) => {
    const provider = await start({ quirks: { emailVerified } });
    const { redirectTo, secrets } = await begin(settings(provider));
    const callback = await signInAt(provider, redirectTo, ada);
    const identity = await connector.finish(settings(provider), { url: callback }, secrets);
    expect(identity).toMatchObject({ email: ada, emailVerified: false });
  },
);

test('the claimed address is reported as claimed, not as hinted', async () => {
  const provider = await start({ quirks: { claimedEmail: 'eve@elsewhere.example' } });
  const { redirectTo, secrets } = await begin(settings(provider));
  const callback = await signInAt(provider, redirectTo, ada);
  expect((await connector.finish(settings(provider), { url: callback }, secrets)).email).toBe('eve@elsewhere.example');
});

test.each(['state', 'nonce', 'codeVerifier'] as const)('a wrong %s is refused', async (name) => {
  const provider = await start();
  const { redirectTo, secrets } = await begin(settings(provider));
  const { secrets: others } = await begin(settings(provider));
  const callback = await signInAt(provider, redirectTo, ada);
  const finish = connector.finish(settings(provider), { url: callback }, { ...secrets, [name]: others[name] });
  expect((await refusal(finish)).code).toBe('IDP_UNAVAILABLE');
});

test.each(['state', 'iss', 'code'])('a callback without %s is refused', async (parameter) => {
  const provider = await start();
  const { redirectTo, secrets } = await begin(settings(provider));
  const callback = await signInAt(provider, redirectTo, ada);
  callback.searchParams.delete(parameter);
  expect((await refusal(connector.finish(settings(provider), { url: callback }, secrets))).code).toBe(
    'IDP_UNAVAILABLE',
  );
  expect(provider.requests).not.toContain('/token');
});

test("a callback that another provider's issuer signs off is refused before the code is sent anywhere", async () => {
  const [honest, attacker] = [await start(), await start()];
  const { redirectTo, secrets } = await begin(settings(honest));
  const callback = await signInAt(honest, redirectTo, ada);
  expect((await refusal(connector.finish(settings(attacker), { url: callback }, secrets))).code).toBe(
    'IDP_UNAVAILABLE',
  );
  expect(attacker.requests).not.toContain('/token');
});

test('a code is good once', async () => {
  const provider = await start();
  const { redirectTo, secrets } = await begin(settings(provider));
  const callback = await signInAt(provider, redirectTo, ada);
  await connector.finish(settings(provider), { url: callback }, secrets);
  const again = await refusal(connector.finish(settings(provider), { url: callback }, secrets));
  expect(again).toMatchObject({ code: 'IDP_UNAVAILABLE', detail: 'the provider refused, status 400: invalid_grant' });
});

test('a wrong client secret is refused', async () => {
  const provider = await start();
  const wrong = settings(provider, { clientSecret: 'wrong' });
  const { redirectTo, secrets } = await begin(wrong);
  const callback = await signInAt(provider, redirectTo, ada);
  expect(await refusal(connector.finish(wrong, { url: callback }, secrets))).toMatchObject({
    code: 'IDP_UNAVAILABLE',
    detail: expect.stringContaining('status 401'),
  });
});

test('a cancelled sign-in is told apart from a broken one', async () => {
  const provider = await start();
  const { redirectTo, secrets } = await begin(settings(provider));
  const callback = await cancelSignInAt(provider, redirectTo);
  expect(await refusal(connector.finish(settings(provider), { url: callback }, secrets))).toMatchObject({
    code: 'PROOF_REQUIRED',
    message: expect.stringContaining('cancelled'),
    detail: 'the provider ended the sign-in: access_denied',
  });
});

test('a cancellation with a foreign state is no cancellation of ours', async () => {
  const provider = await start();
  const { redirectTo } = await begin(settings(provider));
  const { secrets } = await begin(settings(provider));
  const callback = await cancelSignInAt(provider, redirectTo);
  expect((await refusal(connector.finish(settings(provider), { url: callback }, secrets))).code).toBe(
    'IDP_UNAVAILABLE',
  );
});

test("an error in the callback is reported without the provider's text", async () => {
  const provider = await start();
  const { secrets } = await begin(settings(provider));
  const callback = new URL(redirectUri);
  callback.search = new URLSearchParams({
    state: secrets.state,
    iss: provider.issuer,
    error: FAILURE_TEXT,
    error_description: FAILURE_TEXT,
  }).toString();
  const refused = await refusal(connector.finish(settings(provider), { url: callback }, secrets));
  expect(refused).toMatchObject({
    code: 'IDP_UNAVAILABLE',
    detail: 'the provider ended the sign-in: unregistered code',
  });
});

test.each(['/token', '/jwks'])(
  'a provider that fails at %s is unavailable, and its text goes nowhere',
  async (path) => {
    const provider = await start();
    const { redirectTo, secrets } = await begin(settings(provider));
    const callback = await signInAt(provider, redirectTo, ada);
    provider.quirks.failsAt = path;
    const refused = await refusal(connector.finish(settings(provider), { url: callback }, secrets));
    expect(refused.code).toBe('IDP_UNAVAILABLE');
    expect(JSON.stringify(refused)).not.toContain(FAILURE_TEXT);
  },
);

test('a provider that is down is unavailable, and back as soon as it is up', async () => {
  const provider = await start({ quirks: { isDown: true } });
  expect(await refusal(begin(settings(provider)))).toMatchObject({
    code: 'IDP_UNAVAILABLE',
    detail: expect.stringContaining('UNREACHABLE'),
  });
  provider.quirks.isDown = false;
  await expect(begin(settings(provider))).resolves.toBeDefined();
});

test('a provider that hangs is unavailable when the time is up', async () => {
  const provider = await start({ quirks: { hangsAt: '/' } });
  const impatient = createOutboundClient({ allowPrivateProviders: true, log: silentLog, timeoutMilliseconds: 100 });
  connector = createOpenIdConnectConnector({ fetch: impatient.fetch, allowInsecure: true });
  const refused = await refusal(begin(settings(provider)));
  expect(refused).toMatchObject({ code: 'IDP_UNAVAILABLE', detail: expect.stringContaining('TIMED_OUT') });
  await impatient.close();
});

test.each(['not a url', 'http://127.0.0.1:9/nothing'])('an issuer %s is unavailable', async (issuer) => {
  expect((await refusal(begin(settings({ issuer })))).code).toBe('IDP_UNAVAILABLE');
});

test('an issuer that calls itself otherwise is refused', async () => {
  const provider = await start();
  const alias = provider.issuer.replace('127.0.0.1', 'localhost');
  expect((await refusal(begin(settings({ issuer: alias })))).code).toBe('IDP_UNAVAILABLE');
  const byDocument = { issuer: `${provider.issuer}/.well-known/openid-configuration` };
  expect((await refusal(begin(settings(byDocument)))).detail).toContain('another issuer');
});

test('http is refused unless insecure providers are allowed', async () => {
  const provider = await start();
  connector = createOpenIdConnectConnector({ fetch: outbound.fetch, allowInsecure: false });
  expect((await refusal(begin(settings(provider)))).code).toBe('IDP_UNAVAILABLE');
  expect(provider.requests).toEqual([]);
});

test('a provider on a private address is refused when the outbound client refuses it', async () => {
  const strict = createOutboundClient({ allowPrivateProviders: false, log: silentLog });
  connector = createOpenIdConnectConnector({ fetch: strict.fetch, allowInsecure: true });
  const refused = await refusal(begin(settings({ issuer: 'https://127.0.0.1:8443' })));
  expect(refused.detail).toContain('ADDRESS_REFUSED');
  await strict.close();
});

test('metadata is fetched once for sign-ins at the same time, and again when it is old or the secret changed', async () => {
  const provider = await start();
  const discoveries = () => provider.requests.filter((path) => path.startsWith('/.well-known/')).length;
  await Promise.all([begin(settings(provider)), begin(settings(provider)), begin(settings(provider))]);
  expect(discoveries()).toBe(1);
  now = new Date(now.getTime() + 599_000);
  await begin(settings(provider));
  expect(discoveries()).toBe(1);
  await begin(settings(provider, { clientSecret: 'rotated' }));
  expect(discoveries()).toBe(2);
  now = new Date(now.getTime() + 1000);
  await begin(settings(provider));
  expect(discoveries()).toBe(3);
});
