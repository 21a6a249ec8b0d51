/** What apps do with tokens once they have them: refresh, introspect, revoke, bind, push, and by which proof. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exportJWK, generateKeyPair } from 'jose';
import * as client from 'openid-client';
import { DAY, HOUR } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { type Guest, open, signInGuest } from './guest.js';
import { runTask } from './jobs.js';
import { CALLBACK, discover, issuerOf, registerApp } from './relying-party.js';
import { authorize, beginAuthorization, finishAuthorization } from './sign-in.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let issuer: string;
let guest: Guest;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = await gateway.createTenant();
  issuer = issuerOf(gateway, tenant.slug);
  guest = await signInGuest(gateway, tenant.id);
});
afterAll(() => gateway.stop());

const register = (input: object = {}) => registerApp(gateway, tenant.id, input);
const config = async (input: object = {}) => discover(issuer, await register(input));
const isActive = async (app: client.Configuration, token: string) =>
  (await client.tokenIntrospection(app, token)).active;
const offline = { scope: 'openid offline_access', prompt: 'consent' };

describe('an authorization code', () => {
  it('is worth something once: used again, everything it gave ends', async () => {
    const app = await config();
    const attempt = await beginAuthorization(app);
    const { url } = await open(guest.browser, attempt.url);
    const tokens = await finishAuthorization(attempt, url as URL);
    await expect(finishAuthorization(attempt, url as URL)).rejects.toMatchObject({ error: 'invalid_grant' });
    expect(await isActive(app, tokens.access_token)).toBe(false);
    await expect(client.refreshTokenGrant(app, tokens.refresh_token as string)).rejects.toMatchObject({
      error: 'invalid_grant',
    });
  });

  it('used many times at once gives one answer', async () => {
    const app = await config();
    const attempt = await beginAuthorization(app);
    const { url } = await open(guest.browser, attempt.url);
    const tries = Array.from({ length: 8 }, () => finishAuthorization(attempt, url as URL));
    const outcomes = await Promise.allSettled(tries);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('is of no use to another app, nor with another verifier or redirect URI', async () => {
    const [app, other] = [await config(), await config()];
    const attempt = await beginAuthorization(app);
    const { url } = await open(guest.browser, attempt.url);
    const verifier = { ...attempt.checks, pkceCodeVerifier: client.randomPKCECodeVerifier() };
    const callback = url as URL;
    await expect(finishAuthorization({ ...attempt, config: other }, callback)).rejects.toMatchObject({
      error: 'invalid_grant',
    });
    await expect(finishAuthorization({ ...attempt, checks: verifier }, callback)).rejects.toMatchObject({
      error: 'invalid_grant',
    });
    const elsewhere = new URL(callback.search, 'https://other.example/');
    await expect(finishAuthorization(attempt, elsewhere)).rejects.toMatchObject({ error: 'invalid_grant' });
    expect((await finishAuthorization(attempt, callback)).access_token).toBeTruthy();
  });
});

describe('a refresh token', () => {
  it('is replaced at each use; the one before, used again, ends the whole family', async () => {
    const app = await config();
    const first = await authorize(app, guest.browser, offline);
    const second = await client.refreshTokenGrant(app, first.refresh_token as string);
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect(second.claims()?.sub).toBe(guest.externalUserId);
    await expect(client.refreshTokenGrant(app, first.refresh_token as string)).rejects.toMatchObject({
      error: 'invalid_grant',
    });
    await expect(client.refreshTokenGrant(app, second.refresh_token as string)).rejects.toMatchObject({
      error: 'invalid_grant',
    });
    expect(await isActive(app, second.access_token)).toBe(false);
  });

  it('used many times at once gives one answer', async () => {
    const app = await config();
    const { refresh_token: token } = await authorize(app, guest.browser, offline);
    const tries = Array.from({ length: 8 }, () => client.refreshTokenGrant(app, token as string));
    const outcomes = await Promise.allSettled(tries);
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1);
  });

  it('without offline_access ends with the session, with it goes on', async () => {
    const visitor = await signInGuest(gateway, tenant.id);
    const app = await config();
    const [bound, free] = [await authorize(app, visitor.browser), await authorize(app, visitor.browser, offline)];
    const { nodes } = (
      await gateway.ask('query ($id: ID!) { node(id: $id) { ... on ExternalUser { sessions { nodes { id } } } } }', {
        id: visitor.externalUserId,
      })
    ).node.sessions;
    await gateway.ask(
      'mutation ($input: SessionIdInput!) { endSession(input: $input) { session { id } userErrors { code } } }',
      { input: { sessionId: nodes[0].id } },
    );
    await expect(client.refreshTokenGrant(app, bound.refresh_token as string)).rejects.toMatchObject({
      error: 'invalid_grant',
    });
    expect(await isActive(app, bound.access_token)).toBe(false);
    expect((await client.refreshTokenGrant(app, free.refresh_token as string)).access_token).toBeTruthy();
  });

  it('of one app is of no use to another', async () => {
    const [app, other] = [await config(), await config()];
    const { refresh_token: token } = await authorize(app, guest.browser, offline);
    await expect(client.refreshTokenGrant(other, token as string)).rejects.toMatchObject({ error: 'invalid_grant' });
  });
});

describe('introspection and revocation', () => {
  it('tell an app of its own tokens only', async () => {
    const [app, other] = [await config(), await config()];
    const tokens = await authorize(app, guest.browser);
    expect(await client.tokenIntrospection(app, tokens.access_token)).toMatchObject({
      active: true,
      client_id: app.clientMetadata().client_id,
      sub: guest.externalUserId,
    });
    expect(await isActive(other, tokens.access_token)).toBe(false);
    await expect(client.tokenRevocation(other, tokens.access_token)).rejects.toMatchObject({
      error: 'invalid_request',
    });
    await client.tokenRevocation(app, tokens.refresh_token as string);
    expect(await isActive(app, tokens.access_token)).toBe(false);
  });
});

describe('an app may', () => {
  it('push its request first', async () => {
    const app = await config();
    const { url, checks } = await beginAuthorization(app);
    const pushed = await client.buildAuthorizationUrlWithPAR(app, url.searchParams);
    const arrival = await open(guest.browser, pushed);
    const tokens = await finishAuthorization({ config: app, url, checks }, arrival.url as URL);
    expect(tokens.access_token).toBeTruthy();
    expect((await open(guest.browser, pushed)).url?.searchParams.get('code') ?? null).toBeNull();
  });

  it('bind its tokens to a key (DPoP)', async () => {
    const app = await config();
    const attempt = await beginAuthorization(app);
    const { url } = await open(guest.browser, attempt.url);
    const DPoP = client.getDPoPHandle(app, await client.randomDPoPKeyPair());
    const tokens = await client.authorizationCodeGrant(app, url as URL, attempt.checks, undefined, { DPoP });
    expect(tokens.token_type).toBe('dpop');
    const claims = await client.fetchUserInfo(app, tokens.access_token, guest.externalUserId, { DPoP });
    expect(claims.sub).toBe(guest.externalUserId);
    const other = client.getDPoPHandle(app, await client.randomDPoPKeyPair());
    const stolen = client.fetchUserInfo(app, tokens.access_token, guest.externalUserId, { DPoP: other });
    await expect(stolen).rejects.toMatchObject({ status: 401 });
  });

  it('prove itself by a key of its own, each assertion once', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' };
    const app = await register({
      clientAuthentication: 'PRIVATE_KEY_JWT',
      jwks: JSON.stringify({ keys: [jwk] }),
      grantTypes: ['AUTHORIZATION_CODE', 'CLIENT_CREDENTIALS'],
    });
    let sent = '';
    const authentication = client.PrivateKeyJwt({ key: privateKey as client.CryptoKey, kid: 'one' });
    const remembering: client.ClientAuth = (as, metadata, body, headers) => {
      const result = authentication(as, metadata, body, headers);
      return Promise.resolve(result).then(() => {
        sent = body.toString();
      });
    };
    const settings = await discover(issuer, app, remembering);
    expect((await client.clientCredentialsGrant(settings)).access_token).toBeTruthy();
    const replay = () => fetch(`${issuer}/oauth2/token`, { method: 'POST', body: new URLSearchParams(sent) });
    expect((await replay()).status).toBe(401);
  });

  it('be one without a secret', async () => {
    const app = await register({ clientAuthentication: 'NONE' });
    const settings = await discover(issuer, app, client.None());
    const tokens = await authorize(settings, guest.browser, offline);
    expect((await client.refreshTokenGrant(settings, tokens.refresh_token as string)).access_token).toBeTruthy();
  });
});

it('stores no code, token or secret in the clear', async () => {
  const app = await config();
  const tokens = await authorize(app, guest.browser, offline);
  const rows = await gateway.sql('select * from oidc_payload');
  expect(rows.length).toBeGreaterThan(3);
  const stored = JSON.stringify(rows, (_key, value) =>
    value?.type === 'Buffer' ? Buffer.from(value.data).toString('latin1') : value,
  );
  for (const secret of [tokens.access_token, tokens.refresh_token as string, CALLBACK])
    expect(stored).not.toContain(secret);
});

describe('keys', () => {
  it('are replaced with notice: published before they sign, and after', async () => {
    const app = await config({ grantTypes: ['CLIENT_CREDENTIALS'], redirectUris: [] });
    const kids = async () =>
      ((await (await fetch(`${issuer}/oauth2/jwks`)).json()) as { keys: { kid: string }[] }).keys.map((key) => key.kid);
    const signer = async () =>
      JSON.parse(
        Buffer.from(
          (await client.clientCredentialsGrant(app)).access_token.split('.')[0] ?? '',
          'base64url',
        ).toString(),
      ).kid as string;
    const [first] = await kids();
    gateway.clock.advance(89 * DAY);
    await runTask(gateway, 'rotate_signing_keys');
    expect(await kids()).toEqual([first, expect.any(String)]);
    expect(await signer()).toBe(first);
    gateway.clock.advance(2 * DAY + HOUR);
    const second = await signer();
    expect(second).not.toBe(first);
    expect(await kids()).toContain(first);
    gateway.clock.advance(31 * DAY);
    await runTask(gateway, 'rotate_signing_keys');
    expect(await kids()).toEqual([second]);
  });
});
