/** Several gateways on one database are one issuer: what one changes holds at the others at once. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as client from 'openid-client';
import pg from 'pg';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { type Guest, open, signInGuest } from './guest.js';
import { discover, issuerOf, registerApp, type TestApp, updateApp } from './relying-party.js';
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

it.each([
  ['disabled', (appId: string) => updateApp(first, appId, { enabled: false })],
  [
    'deleted',
    (appId: string) =>
      first.ask('mutation ($input: AppIdInput!) { deleteApp(input: $input) { app { id } userErrors { code } } }', {
        input: { appId },
      }),
  ],
])('an app that is %s at one is nobody at the other at once', async (_what, end) => {
  const ended = await registerApp(first, tenant.id, { grantTypes: ['CLIENT_CREDENTIALS'], redirectUris: [] });
  const there = await discover(`${second.url}/t/${tenant.slug}`, ended);
  expect((await client.clientCredentialsGrant(there)).access_token).toBeTruthy();
  await end(ended.id);
  await expect(client.clientCredentialsGrant(there)).rejects.toMatchObject({ status: 401 });
});

it('the process that changes an app knows it before it answers, however slow the doorbell is', async () => {
  await first.sql(`
    create function public.pg_notify(channel text, payload text) returns void language plpgsql as $$
    begin
      if channel <> 'vestibule_issuer' then perform pg_catalog.pg_notify(channel, payload); end if;
    end $$`);
  const [{ name } = { name: '' }] = await first.sql<{ name: string }>('select current_database() as name');
  await first.sql(`alter database "${name}" set search_path = public, pg_catalog`);
  const mute = await startTestGateway({ databaseUrl: first.databaseUrl, smtp: first.smtp });
  const asking = {
    ...mute,
    ask: (query: string, variables = {}) => mute.ask(query, variables, { key: first.bootstrapKey }),
  };
  try {
    const { id, slug } = await first.createTenant();
    for (const signingAlgorithm of ['ES256', 'RS256', 'EDDSA']) {
      const service = { redirectUris: [], grantTypes: ['CLIENT_CREDENTIALS'], signingAlgorithm };
      const config = await discover(issuerOf(mute, slug), await registerApp(asking, id, service));
      expect((await client.clientCredentialsGrant(config)).access_token).toBeTruthy();
    }
  } finally {
    await mute.stop();
    await first.sql(`alter database "${name}" reset search_path`);
    await first.sql('drop function public.pg_notify');
  }
});

it('an issuer that is being built while an app changes is built anew', async () => {
  const { id, slug } = await first.createTenant();
  const issuer = issuerOf(first, slug);
  const holder = new pg.Client({ connectionString: first.databaseUrl });
  await holder.connect();
  await holder.query('begin; lock table signing_key in access exclusive mode');
  const waiting = fetch(`${issuer}/oauth2/jwks`);
  await until(async () => {
    // Not by the holder: inside a transaction the view stays as it was first seen.
    const rows = await first.sql(`select from pg_stat_activity where wait_event_type = 'Lock'
      and query like '%signing_key%' and datname = current_database()`);
    return rows.length > 0 || undefined;
  }, 'the issuer to wait for its keys');
  const service = { redirectUris: [], grantTypes: ['CLIENT_CREDENTIALS'], signingAlgorithm: 'RS256' };
  const changed = await registerApp(first, id, service);
  await holder.query('commit');
  await holder.end();
  expect((await waiting).status).toBe(200);
  const tokens = await client.clientCredentialsGrant(await discover(issuer, changed));
  expect(tokens.access_token).toBeTruthy();
});
