/** The flows by openid-client 5, which has another code base than 6: crypto of node:crypto, parsing and checks of its own. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type BaseClient, type ClientMetadata, generators, Issuer, type TokenSet } from 'openid-client-5';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { type Guest, open, signInGuest } from './guest.js';
import { CALLBACK, issuerOf, registerApp } from './relying-party.js';

const AFTER = 'https://orders.contoso.example/signed-out';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let guest: Guest;
let issuer: Issuer;
let listener: Server;
/** Logout tokens that apps got. */
const received: string[] = [];

beforeAll(async () => {
  gateway = await startTestGateway({ env: { ALLOW_PRIVATE_APPS: 'true' } });
  tenant = await gateway.createTenant();
  guest = await signInGuest(gateway, tenant.id);
  issuer = await Issuer.discover(issuerOf(gateway, tenant.slug));
  listener = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    received.push(new URLSearchParams(body).get('logout_token') ?? '');
    response.writeHead(204).end();
  });
  await once(listener.listen(0, '127.0.0.1'), 'listening');
});
afterAll(async () => {
  await gateway.stop();
  listener.close();
});

async function appOf(
  input: object = {},
  metadata: Partial<ClientMetadata> = {},
  jwks?: { keys: object[] },
): Promise<BaseClient> {
  const { clientId, clientSecret } = await registerApp(gateway, tenant.id, input);
  return new issuer.Client(
    { client_id: clientId, client_secret: clientSecret, id_token_signed_response_alg: 'ES256', ...metadata },
    jwks as never,
  );
}

type Extras = Parameters<BaseClient['callback']>[3];

interface Asking {
  parameters?: Record<string, string>;
  extras?: Extras;
  browser?: Guest['browser'];
  isPushed?: boolean;
}

async function authorize(app: BaseClient, asking: Asking = {}): Promise<TokenSet> {
  const { parameters = {}, extras = {}, browser = guest.browser, isPushed = false } = asking;
  const checks = { code_verifier: generators.codeVerifier(), state: generators.state(), nonce: generators.nonce() };
  const request = {
    redirect_uri: CALLBACK,
    response_type: 'code',
    scope: 'openid email',
    state: checks.state,
    nonce: checks.nonce,
    code_challenge: generators.codeChallenge(checks.code_verifier),
    code_challenge_method: 'S256',
    ...parameters,
  };
  const address = isPushed
    ? app.authorizationUrl({ request_uri: (await app.pushedAuthorizationRequest(request)).request_uri })
    : app.authorizationUrl(request);
  const { url } = await open(browser, address);
  if (!url) throw new Error(`${address} did not lead to the app.`);
  return app.callback(CALLBACK, app.callbackParams(url.href), { ...checks, response_type: 'code' }, extras);
}

const offline = { scope: 'openid email offline_access', prompt: 'consent' };
const aKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });

describe('a relying party of a third make', () => {
  it('signs a guest in and reads userinfo', async () => {
    const app = await appOf();
    const tokens = await authorize(app);
    expect(tokens.claims()).toMatchObject({ sub: guest.externalUserId, email: guest.email, tid: tenant.id });
    expect(await app.userinfo(tokens)).toMatchObject({ sub: guest.externalUserId, email: guest.email });
  });

  it('refreshes; a refresh token that comes back ends them all', async () => {
    const app = await appOf();
    const first = await authorize(app, { parameters: offline });
    const second = await app.refresh(first);
    expect(second.claims().sub).toBe(guest.externalUserId);
    for (const { refresh_token: token } of [first, second])
      await expect(app.refresh(token as string)).rejects.toMatchObject({ error: 'invalid_grant' });
  });

  it('introspects and revokes', async () => {
    const app = await appOf();
    const { access_token: token = '' } = await authorize(app);
    expect(await app.introspect(token)).toMatchObject({ active: true, sub: guest.externalUserId });
    await app.revoke(token);
    expect(await app.introspect(token)).toEqual({ active: false });
  });

  it('acts for itself', async () => {
    const app = await appOf({ redirectUris: [], grantTypes: ['CLIENT_CREDENTIALS'] });
    expect((await app.grant({ grant_type: 'client_credentials' })).access_token?.split('.')).toHaveLength(3);
  });

  it('pushes its request first', async () => {
    expect((await authorize(await appOf(), { isPushed: true })).claims().sub).toBe(guest.externalUserId);
  });

  it('proves itself by a key', async () => {
    const { privateKey, publicKey } = aKey();
    const named = (key: KeyObject) => ({ ...key.export({ format: 'jwk' }), kid: 'one', alg: 'ES256', use: 'sig' });
    const app = await appOf(
      { clientAuthentication: 'PRIVATE_KEY_JWT', jwks: JSON.stringify({ keys: [named(publicKey)] }) },
      { token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'ES256' },
      { keys: [named(privateKey)] },
    );
    const tokens = await authorize(app, { isPushed: true });
    expect(await app.introspect(tokens.access_token as string)).toMatchObject({ active: true });
  });

  it('binds its tokens to a key, and so does its refreshing', async () => {
    const app = await appOf({ clientAuthentication: 'NONE' }, { token_endpoint_auth_method: 'none' });
    const [own, other] = [{ DPoP: aKey().privateKey }, { DPoP: aKey().privateKey }];
    const tokens = await authorize(app, { parameters: offline, extras: own });
    expect(tokens.token_type).toBe('DPoP');
    expect((await app.userinfo(tokens, own)).sub).toBe(guest.externalUserId);
    await expect(app.userinfo(tokens, other)).rejects.toMatchObject({ error: expect.stringMatching(/invalid/) });
    await expect(app.refresh(tokens, other)).rejects.toMatchObject({ error: 'invalid_grant' });
    expect((await app.refresh(tokens, own)).token_type).toBe('DPoP');
  });

  it('signs in a device, once the guest has said yes', async () => {
    const app = await appOf(
      { redirectUris: [], grantTypes: ['DEVICE_CODE'], clientAuthentication: 'NONE' },
      { token_endpoint_auth_method: 'none' },
    );
    const device = await app.deviceAuthorization({ scope: 'openid email' });
    const { page } = await open(guest.browser, device.verification_uri_complete);
    const confirm = await guest.browser.submit(page, '/oauth2/device', { user_code: device.user_code });
    await guest.browser.submit(confirm, '/oauth2/device', { confirm: 'yes' });
    // The library waits before it asks; the answer is there already.
    jest.spyOn(globalThis, 'setTimeout').mockImplementationOnce(((run: () => void) => setImmediate(run)) as never);
    expect((await device.poll()).claims().email).toBe(guest.email);
  });

  it('signs out at the gateway, and takes the logout token that every app of the session is told by', async () => {
    const { browser, externalUserId } = await signInGuest(gateway, tenant.id);
    const backchannelLogoutUrl = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/logout`;
    const app = await appOf({ postLogoutRedirectUris: [AFTER], backchannelLogoutUrl });
    const tokens = await authorize(app, { browser });
    const address = app.endSessionUrl({ id_token_hint: tokens, post_logout_redirect_uri: AFTER, state: 'there' });
    const leaving = await browser.submit((await open(browser, address)).page, '/confirm');
    expect(leaving.refreshTo).toBe(`${AFTER}?state=there`);
    const told = await until(() => received[0], 'the logout token');
    expect(await verifiedBy(app, told)).toMatchObject({
      sub: externalUserId,
      sid: tokens.claims().sid,
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    });
  });
});

/** The library's checks of issuer, audience, times and signature, which it exposes for no token but the ID token. */
async function verifiedBy(app: BaseClient, token: string): Promise<object> {
  const library = app as unknown as {
    validateJWT(jwt: string, alg: string, required: string[]): Promise<{ payload: object }>;
  };
  const required = ['iss', 'aud', 'iat', 'exp', 'jti', 'events', 'sub', 'sid'];
  return (await library.validateJWT(token, 'ES256', required)).payload;
}
