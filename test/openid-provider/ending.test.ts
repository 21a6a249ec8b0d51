/** How access ends: taken away by the tenant, given up by the guest; who is told. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createRemoteJWKSet, decodeJwt, type JWTPayload, jwtVerify } from 'jose';
import * as client from 'openid-client';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { GuestBrowser } from '../web/guest-browser.js';
import { type Guest, open, signInGuest } from './guest.js';
import { discover, issuerOf, registerApp, type TestApp, updateApp } from './relying-party.js';
import { authorize, beginAuthorization } from './sign-in.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let issuer: string;
let app: TestApp;
let config: client.Configuration;
let listener: Server;
let backchannelLogoutUrl: string;
/** Logout tokens that the app got. */
const received: string[] = [];
let failures = 0;

const offline = { scope: 'openid offline_access', prompt: 'consent' };
const AFTER = 'https://orders.contoso.example/signed-out';

beforeAll(async () => {
  gateway = await startTestGateway({ env: { ALLOW_PRIVATE_APPS: 'true' } });
  tenant = await gateway.createTenant();
  issuer = issuerOf(gateway, tenant.slug);
  listener = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    if (failures-- > 0) return response.writeHead(503).end();
    received.push(new URLSearchParams(body).get('logout_token') ?? '');
    response.writeHead(204).end();
  }).listen(0, '127.0.0.1');
  await until(() => listener.listening || undefined, 'the listener');
  backchannelLogoutUrl = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/logout`;
  app = await registerApp(gateway, tenant.id, {
    assignmentRequired: true,
    postLogoutRedirectUris: [AFTER],
    backchannelLogoutUrl,
  });
  config = await discover(issuer, app);
});
afterAll(async () => {
  await gateway.stop();
  listener.close();
});

async function mutate(name: string, type: string, input: object, fields: string) {
  const data = await gateway.ask(
    `mutation ($input: ${type}!) { result: ${name}(input: $input) { ${fields} userErrors { code field } } }`,
    { input },
  );
  return data.result;
}

async function assignedGuest(): Promise<Guest & { assignmentId: string }> {
  const guest = await signInGuest(gateway, tenant.id);
  const input = { appId: app.id, externalUserId: guest.externalUserId };
  const { appAssignment } = await mutate('assignApp', 'AssignAppInput', input, 'appAssignment { id }');
  return { ...guest, assignmentId: appAssignment.id };
}

const enable = (externalUserId: string, accountEnabled: boolean) =>
  mutate('updateExternalUser', 'UpdateExternalUserInput', { externalUserId, accountEnabled }, 'externalUser { id }');

const refuses = (token: string | undefined) =>
  expect(client.refreshTokenGrant(config, token as string)).rejects.toMatchObject({ error: 'invalid_grant' });

async function logoutTokenFor(guest: Guest, sid?: unknown, audience = app.clientId): Promise<JWTPayload> {
  const keys = createRemoteJWKSet(new URL(`${issuer}/oauth2/jwks`));
  return until(async () => {
    for (const token of received.filter((each) => decodeJwt(each).aud === audience)) {
      const { payload } = await jwtVerify(token, keys, { issuer, audience, typ: 'logout+jwt' });
      if (payload.sub === guest.externalUserId && (sid === undefined || payload.sid === sid)) return payload;
    }
    return undefined;
  }, 'a logout token');
}

async function eventsOf(guest: Guest): Promise<string[]> {
  const rows = await gateway.sql<{ type: string }>('select type from event where external_user_id = $1', [
    guest.externalUserId,
  ]);
  return rows.map((row) => row.type);
}

describe('access ends at once', () => {
  it('when the user is blocked, and does not come back with the user', async () => {
    const guest = await assignedGuest();
    const tokens = await authorize(config, guest.browser, offline);
    await enable(guest.externalUserId, false);
    await refuses(tokens.refresh_token);
    expect((await client.tokenIntrospection(config, tokens.access_token)).active).toBe(false);
    await expect(client.fetchUserInfo(config, tokens.access_token, guest.externalUserId)).rejects.toMatchObject({
      status: 401,
    });
    await enable(guest.externalUserId, true);
    await refuses(tokens.refresh_token);
    expect((await logoutTokenFor(guest)).events).toEqual({ 'http://schemas.openid.net/event/backchannel-logout': {} });
    await until(async () => ((await eventsOf(guest)).includes('ACCESS_ENDED') ? true : undefined), 'the event');
  });

  it.each([
    ['deleted', 'deleteExternalUser', 'ExternalUserIdInput', 'externalUser { id }'],
    ['to be invited anew', 'resetRedemption', 'ResetRedemptionInput', 'invitation { id }'],
  ])('when the user is %s', async (_what, mutation, type, fields) => {
    const guest = await assignedGuest();
    const tokens = await authorize(config, guest.browser, offline);
    await mutate(mutation, type, { externalUserId: guest.externalUserId }, fields);
    await refuses(tokens.refresh_token);
    expect(await gateway.sql('select from oidc_payload where external_user_id = $1', [guest.externalUserId])).toEqual(
      [],
    );
    await logoutTokenFor(guest);
  });

  it('when the app is unassigned', async () => {
    const guest = await assignedGuest();
    const tokens = await authorize(config, guest.browser, offline);
    await mutate('unassignApp', 'UnassignAppInput', { appAssignmentId: guest.assignmentId }, 'app { id }');
    await refuses(tokens.refresh_token);
    expect((await open(guest.browser, (await beginAuthorization(config)).url)).page.status).toBe(403);
    await logoutTokenFor(guest);
  });

  it('when the user leaves the group that had the app', async () => {
    const guest = await signInGuest(gateway, tenant.id);
    const { group } = await mutate(
      'createGroup',
      'CreateGroupInput',
      { tenantId: tenant.id, displayName: 'Buyers' },
      'group { id }',
    );
    const members = { groupId: group.id, externalUserIds: [guest.externalUserId] };
    await mutate('addGroupMembers', 'GroupMembersInput', members, 'group { id }');
    await mutate('assignApp', 'AssignAppInput', { appId: app.id, groupId: group.id }, 'appAssignment { id }');
    const tokens = await authorize(config, guest.browser, offline);
    await mutate('removeGroupMembers', 'GroupMembersInput', members, 'group { id }');
    await refuses(tokens.refresh_token);
    await logoutTokenFor(guest);
  });

  it('when the app is disabled, for everybody', async () => {
    const other = await registerApp(gateway, tenant.id);
    const guest = await signInGuest(gateway, tenant.id);
    const its = await discover(issuer, other);
    const tokens = await authorize(its, guest.browser, offline);
    await updateApp(gateway, other.id, { enabled: false });
    await updateApp(gateway, other.id, { enabled: true });
    await expect(client.refreshTokenGrant(its, tokens.refresh_token as string)).rejects.toMatchObject({
      error: 'invalid_grant',
    });
  });

  it.each([
    ['deleted', (appId: string) => mutate('deleteApp', 'AppIdInput', { appId }, 'app { id }')],
    ['disabled', (appId: string) => updateApp(gateway, appId, { enabled: false })],
  ])('when the app is %s, and the app is told of its last guests', async (_what, end) => {
    const guest = await signInGuest(gateway, tenant.id);
    const signingAlgorithm = 'RS256';
    const other = await registerApp(gateway, tenant.id, { backchannelLogoutUrl, signingAlgorithm });
    const its = await discover(issuer, other);
    const tokens = await authorize(its, guest.browser, offline);
    await end(other.id);
    await expect(client.refreshTokenGrant(its, tokens.refresh_token as string)).rejects.toMatchObject({ status: 401 });
    expect((await logoutTokenFor(guest, undefined, other.clientId)).aud).toBe(other.clientId);
    expect(await eventsOf(guest)).toContain('ACCESS_ENDED');
  });

  it('between the code and its exchange', async () => {
    const guest = await assignedGuest();
    const attempt = await beginAuthorization(config);
    const { url } = await open(guest.browser, attempt.url);
    await enable(guest.externalUserId, false);
    await expect(client.authorizationCodeGrant(config, url as URL, attempt.checks)).rejects.toMatchObject({
      error: 'invalid_grant',
    });
  });
});

describe('signing out', () => {
  it('at an app asks, ends the session at the gateway, tells the apps, and goes back', async () => {
    const guest = await assignedGuest();
    const tokens = await authorize(config, guest.browser);
    const url = client.buildEndSessionUrl(config, {
      id_token_hint: tokens.id_token as string,
      post_logout_redirect_uri: AFTER,
      state: 'there',
    });
    const { page } = await open(guest.browser, url);
    expect(page.html).toContain('Do you want to sign out?');
    expect(page.html).not.toContain('<script');
    const leaving = await guest.browser.submit(page, '/confirm');
    expect([leaving.status, leaving.refreshTo]).toEqual([200, `${AFTER}?state=there`]);
    expect((await logoutTokenFor(guest, tokens.claims()?.sid)).sid).toEqual(expect.any(String));
    expect((await open(guest.browser, (await beginAuthorization(config)).url)).page.url.pathname).toContain('/sign-in');
    await refuses(tokens.refresh_token);
  });

  it('only leaves the app when the guest wants to stay', async () => {
    const guest = await assignedGuest();
    const tokens = await authorize(config, guest.browser);
    const { page } = await open(
      guest.browser,
      client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token as string }),
    );
    const stay = page.forms.find((form) => !('logout' in form.fields));
    const answer = await guest.browser.post(new URL(stay?.action ?? '', page.url), stay?.fields ?? {});
    expect(answer.html).toContain('You are signed out');
    expect((await authorize(config, guest.browser)).access_token).toBeTruthy();
  });

  it('is a page with a button, too, for whom nobody knows; and goes to no address that is not registered', async () => {
    const browser = new GuestBrowser();
    const target = { client_id: app.clientId, post_logout_redirect_uri: AFTER };
    const { page } = await open(browser, client.buildEndSessionUrl(config, target));
    expect(page.html).not.toContain('<script');
    expect((await browser.submit(page, '/confirm')).refreshTo).toBe(AFTER);
    const elsewhere = { ...target, post_logout_redirect_uri: 'https://evil.example/' };
    expect((await open(browser, client.buildEndSessionUrl(config, elsewhere))).page.status).toBe(400);
  });

  it('needs the form that was shown', async () => {
    const guest = await assignedGuest();
    await open(guest.browser, client.buildEndSessionUrl(config, {}));
    const forged = await guest.browser.post(`${issuer}/oauth2/logout/confirm`, { xsrf: 'guessed', logout: 'yes' });
    expect(forged.status).toBe(400);
    expect((await authorize(config, guest.browser)).access_token).toBeTruthy();
  });
});

it('tells an app again that did not answer', async () => {
  const guest = await assignedGuest();
  await authorize(config, guest.browser);
  failures = 1;
  await enable(guest.externalUserId, false);
  await until(async () => {
    await gateway.sql('update graphile_worker._private_jobs set run_at = now() where attempts > 0');
    return received.length > 0 && (await gateway.sql('select from graphile_worker.jobs')).length === 0
      ? true
      : undefined;
  }, 'the second attempt');
  await logoutTokenFor(guest);
});

it('tells the tenant when a refresh token is used twice', async () => {
  const guest = await assignedGuest();
  const { refresh_token: token } = await authorize(config, guest.browser, offline);
  await client.refreshTokenGrant(config, token as string);
  await refuses(token);
  await until(async () => ((await eventsOf(guest)).includes('TOKEN_REUSED') ? true : undefined), 'the event');
});
