/** Whatever arrives at the endpoints: missing, doubled, huge, of another tenant. Never a fault, never more than is due. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as client from 'openid-client';
import { DAY, HOUR } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { type Guest, open, signInGuest } from './guest.js';
import { runTask } from './jobs.js';
import { CALLBACK, discover, issuerOf, registerApp, type TestApp } from './relying-party.js';
import { authorize, beginAuthorization, finishAuthorization } from './sign-in.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let other: { id: string; slug: string };
let issuer: string;
let guest: Guest;
let app: TestApp;
const faults: string[] = [];
const answered: { route: string; status: number }[] = [];

const log = {
  debug() {},
  info: (fields: object, message: string) =>
    void (message === 'request answered' && answered.push(fields as { route: string; status: number })),
  warn() {},
  error: (_fields: object, message: string) => void faults.push(message),
  child: () => log,
};

beforeAll(async () => {
  gateway = await startTestGateway({ log });
  [tenant, other] = [await gateway.createTenant(), await gateway.createTenant()];
  issuer = issuerOf(gateway, tenant.slug);
  guest = await signInGuest(gateway, tenant.id);
  app = await registerApp(gateway, tenant.id, {
    grantTypes: ['AUTHORIZATION_CODE', 'REFRESH_TOKEN', 'CLIENT_CREDENTIALS', 'DEVICE_CODE'],
    clientAuthentication: 'CLIENT_SECRET_POST',
  });
});
afterAll(() => gateway.stop());

/** Every endpoint with a request that is as it should be. */
const requests: Record<string, () => Record<string, string>> = {
  '/oauth2/authorize': () => ({
    client_id: app.clientId,
    redirect_uri: CALLBACK,
    response_type: 'code',
    scope: 'openid',
    code_challenge: 'c'.repeat(43),
    code_challenge_method: 'S256',
    state: 's',
    nonce: 'n',
  }),
  '/oauth2/token': () => ({ ...secret(), grant_type: 'client_credentials' }),
  '/oauth2/introspect': () => ({ ...secret(), token: 'unknown' }),
  '/oauth2/revoke': () => ({ ...secret(), token: 'unknown' }),
  '/oauth2/par': () => ({ ...secret(), ...requests['/oauth2/authorize']?.() }),
  '/oauth2/device_authorization': () => ({ ...secret(), scope: 'openid' }),
  '/oauth2/userinfo': () => ({ access_token: 'unknown' }),
};
const secret = () => ({ client_id: app.clientId, client_secret: app.clientSecret });

async function send(path: string, parameters: [string, string][]): Promise<Response> {
  const search = new URLSearchParams(parameters);
  const cookie = [...guest.browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  return path === '/oauth2/authorize'
    ? fetch(`${issuer}${path}?${search}`, { redirect: 'manual', headers: { cookie } })
    : fetch(`${issuer}${path}`, { method: 'POST', body: search });
}

describe.each(Object.keys(requests))('%s', (path) => {
  const valid = () => Object.entries(requests[path]?.() ?? {});

  it('answers every parameter that is missing, empty, doubled, odd or huge without a fault', async () => {
    for (const [name, value] of valid()) {
      const without = valid().filter(([each]) => each !== name);
      const variants: [string, string][][] = [
        without,
        [...without, [name, '']],
        [...valid(), [name, value]],
        [...without, [name, '\u0000\uffff{"$ne":null}']],
        [...without, [`${name}[]`, value]],
        [...without, [name, 'x'.repeat(8000)]],
        [
          ...valid(),
          ['__proto__', 'x'],
          ['constructor', 'x'],
          ['claims', '{"id_token":{"sub":[]}}'],
          ['resource', 'x#y'],
        ],
      ];
      for (const variant of variants) expect((await send(path, variant)).status).toBeLessThan(500);
    }
    expect(faults).toEqual([]);
  });
});

it('what is asked is logged by its pattern, never by its address', async () => {
  await send('/oauth2/authorize', Object.entries(requests['/oauth2/authorize']?.() ?? {}));
  await until(() => answered.find(({ route }) => route === '/t/:slug/oauth2/authorize'), 'the log line');
  expect(JSON.stringify(answered)).not.toContain(tenant.slug);
});

describe('bodies', () => {
  it.each([
    ['JSON', 'application/json', '{"grant_type":"client_credentials"}', 400],
    ['of a megabyte', 'application/x-www-form-urlencoded', `token=${'x'.repeat(1024 * 1024)}`, 400],
    ['that are cut off', 'application/x-www-form-urlencoded', '%', 400],
  ])('%s are refused', async (_what, type, body, status) => {
    const response = await fetch(`${issuer}/oauth2/token`, { method: 'POST', headers: { 'content-type': type }, body });
    expect(response.status).toBe(status);
    expect(faults).toEqual([]);
  });
});

describe('tenants', () => {
  it('do not mix: a code of one is nothing at another, and its answer names the issuer it is of', async () => {
    const attempt = await beginAuthorization(await discover(issuer, app, client.ClientSecretPost(app.clientSecret)));
    const { url } = await open(guest.browser, attempt.url);
    expect((url as URL).searchParams.get('iss')).toBe(issuer);
    const its = await registerApp(gateway, other.id, { clientAuthentication: 'CLIENT_SECRET_POST' });
    const elsewhere = await discover(issuerOf(gateway, other.slug), its, client.ClientSecretPost(its.clientSecret));
    await expect(finishAuthorization({ ...attempt, config: elsewhere }, url as URL)).rejects.toThrow();
    const response = await fetch(`${issuerOf(gateway, other.slug)}/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: its.clientId,
        client_secret: its.clientSecret,
        code: (url as URL).searchParams.get('code') ?? '',
        redirect_uri: CALLBACK,
        code_verifier: attempt.checks.pkceCodeVerifier as string,
      }),
    });
    expect(await response.json()).toMatchObject({ error: 'invalid_grant' });
    expect((await finishAuthorization(attempt, url as URL)).claims()?.iss).toBe(issuer);
  });

  it('know the same guest as two people, with two subs', async () => {
    const there = await signInGuest(gateway, other.id);
    const its = await registerApp(gateway, other.id, { clientAuthentication: 'CLIENT_SECRET_POST' });
    const elsewhere = await discover(issuerOf(gateway, other.slug), its, client.ClientSecretPost(its.clientSecret));
    for (const [name, value] of there.browser.cookies) guest.browser.cookies.set(name, value);
    const here = await discover(issuer, app, client.ClientSecretPost(app.clientSecret));
    expect((await authorize(elsewhere, guest.browser)).claims()?.sub).toBe(there.externalUserId);
    expect((await authorize(here, guest.browser)).claims()?.sub).toBe(guest.externalUserId);
  });

  it('give nobody a session by a cookie that names one', async () => {
    const [session] = await gateway.sql<{ id: string }>('select id from guest_session where external_user_id = $1', [
      guest.externalUserId,
    ]);
    const name = `vestibule_o_${tenant.id.slice(tenant.id.indexOf('_') + 1)}`;
    const { url } = await beginAuthorization(await discover(issuer, app, client.ClientSecretPost(app.clientSecret)));
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: `${name}=gateway.${session?.id}` },
    });
    expect(response.headers.get('location')).toContain('/oauth2/interaction/');
  });
});

it('keys that change in the middle of a sign-in disturb nobody', async () => {
  const config = await discover(issuer, app, client.ClientSecretPost(app.clientSecret));
  gateway.clock.advance(89 * DAY);
  await runTask(gateway, 'rotate_signing_keys');
  gateway.clock.advance(2 * DAY - HOUR);
  const visitor = await signInGuest(gateway, tenant.id);
  const before = (await authorize(config, visitor.browser)).id_token as string;
  const attempt = await beginAuthorization(config);
  const { url } = await open(visitor.browser, attempt.url);
  gateway.clock.advance(2 * HOUR);
  const after = (await finishAuthorization(attempt, url as URL)).id_token as string;
  const keys = createRemoteJWKSet(new URL(`${issuer}/oauth2/jwks`));
  const kids = [];
  for (const token of [before, after]) kids.push((await jwtVerify(token, keys, { issuer })).protectedHeader.kid);
  expect(new Set(kids).size).toBe(2);
});
