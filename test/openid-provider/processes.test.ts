/** Several gateways on one database are one issuer: what one changes holds at the others at once. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as client from 'openid-client';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { type Guest, open, signInGuest } from './guest.js';
import { registerApp, type TestApp, updateApp } from './relying-party.js';
import { authorize, beginAuthorization } from './sign-in.js';

let first: TestGateway;
let second: TestGateway;
let tenant: { id: string; slug: string };
let guest: Guest;
let app: TestApp;

beforeAll(async () => {
  first = await startTestGateway();
  second = await startTestGateway({ databaseUrl: first.databaseUrl, smtp: first.smtp });
  tenant = await first.createTenant();
  guest = await signInGuest(first, tenant.id);
  app = await registerApp(first, tenant.id, { grantTypes: ['AUTHORIZATION_CODE', 'CLIENT_CREDENTIALS'] });
});
afterAll(async () => {
  await second.stop();
  await first.stop();
});

/** As a client of one of the two, by its own address. */
async function at({ url }: TestGateway): Promise<client.Configuration> {
  const issuer = `${url}/t/${tenant.slug}`;
  const execute = [client.allowInsecureRequests];
  return client.discovery(new URL(issuer), app.clientId, undefined, client.ClientSecretBasic(app.clientSecret), {
    execute,
  });
}

it('an algorithm that an app asks for is there, with one key for all, made once', async () => {
  const [here, there] = [await at(first), await at(second)];
  await updateApp(first, app.id, { signingAlgorithm: 'RS256' });
  const grants = [here, there, here, there].map((config) => client.clientCredentialsGrant(config));
  for (const { access_token: token } of await Promise.all(grants)) {
    const keys = createRemoteJWKSet(new URL(`${second.url}/t/${tenant.slug}/oauth2/jwks`));
    expect((await jwtVerify(token, keys)).protectedHeader.alg).toBe('RS256');
  }
  expect(await second.sql("select from signing_key where algorithm = 'RS256'")).toHaveLength(1);
});

it('a session begun at one is known at the other, and its end as well', async () => {
  const there = await at(second);
  const name = [...guest.browser.cookies.keys()].find((cookie) => cookie.startsWith('vestibule_s_')) as string;
  expect(name).toBeTruthy();
  const tokens = await authorize(there, guest.browser);
  await first.ask(
    'mutation ($input: UpdateExternalUserInput!) { updateExternalUser(input: $input) { externalUser { id } userErrors { code } } }',
    { input: { externalUserId: guest.externalUserId, accountEnabled: false } },
  );
  expect((await client.tokenIntrospection(there, tokens.access_token)).active).toBe(false);
  expect((await open(guest.browser, (await beginAuthorization(there)).url)).page.url.pathname).toContain('/sign-in');
});
