/** A guest opens an app: authorization code with PKCE, what the app is told, who is let in. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as client from 'openid-client';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { GuestBrowser } from '../web/guest-browser.js';
import { type Guest, open, signInGuest } from './guest.js';
import { CALLBACK, discover, issuerOf, registerApp, type TestApp, updateApp } from './relying-party.js';
import { authorize, beginAuthorization, finishAuthorization } from './sign-in.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let issuer: string;
let guest: Guest;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = await gateway.createTenant({ displayName: 'Contoso' });
  issuer = issuerOf(gateway, tenant.slug);
  guest = await signInGuest(gateway, tenant.id);
});
afterAll(() => gateway.stop());

const register = (input: object = {}) => registerApp(gateway, tenant.id, input);

async function assign(app: TestApp, input: object) {
  await gateway.ask(
    'mutation ($input: AssignAppInput!) { assignApp(input: $input) { appAssignment { id } userErrors { code field } } }',
    { input: { appId: app.id, ...input } },
  );
}

describe('a guest who is signed in at the gateway', () => {
  it('is signed in to an app without a question', async () => {
    const app = await register();
    const tokens = await authorize(await discover(issuer, app), guest.browser, { scope: 'openid profile email' });
    expect(tokens.claims()).toMatchObject({
      iss: issuer,
      sub: guest.externalUserId,
      oid: guest.externalUserId,
      tid: tenant.id,
      aud: app.clientId,
      acct: 1,
      idp: 'mail',
      altsecid: expect.stringMatching(/^[\w-]{43}$/),
      email: guest.email,
      email_verified: true,
      name: 'Ana Silva',
      preferred_username: guest.email,
      upn: expect.stringContaining('#EXT#'),
      invited_by: expect.any(String),
      amr: expect.any(Array),
      auth_time: expect.any(Number),
    });
  });

  it('may open many apps at once, several times each, and every tab works', async () => {
    const visitor = await signInGuest(gateway, tenant.id);
    const configs = await Promise.all([1, 2, 3, 1].map(async () => discover(issuer, await register())));
    const tabs = [...configs, ...configs].map(async (config) => {
      const tokens = await authorize(config, visitor.browser);
      return { config, tokens };
    });
    for (const { config, tokens } of await Promise.all(tabs)) {
      const claims = await client.fetchUserInfo(config, tokens.access_token, visitor.externalUserId);
      expect(claims.sub).toBe(visitor.externalUserId);
      expect((await client.refreshTokenGrant(config, tokens.refresh_token as string)).access_token).toBeTruthy();
    }
  });

  it('is told of at userinfo by the same claims', async () => {
    const config = await discover(issuer, await register());
    const tokens = await authorize(config, guest.browser, { scope: 'openid email' });
    const claims = await client.fetchUserInfo(config, tokens.access_token, guest.externalUserId);
    expect(claims).toMatchObject({ sub: guest.externalUserId, tid: tenant.id, email: guest.email });
    expect(claims.name).toBeUndefined();
  });

  it('has another sub at each app that asks for pairwise ones, and the same one every time', async () => {
    const first = await discover(issuer, await register({ subjectType: 'PAIRWISE' }));
    const second = await discover(
      issuer,
      await register({ subjectType: 'PAIRWISE', redirectUris: ['https://other.example/cb'] }),
    );
    const subjects = [];
    for (const [config, redirectUri] of [[first], [first], [second, 'https://other.example/cb']] as const) {
      const tokens = await authorize(config, guest.browser, { redirect_uri: redirectUri ?? CALLBACK });
      subjects.push(tokens.claims()?.sub);
    }
    expect(subjects[0]).toBe(subjects[1]);
    expect(new Set([...subjects, guest.externalUserId]).size).toBe(3);
  });

  it('brings the groups and roles that the app gave, and no others', async () => {
    const app = await register({ roles: ['buyer', 'seller'], assignmentRequired: true });
    const groups = [];
    for (const displayName of ['Assigned', 'Elsewhere']) {
      const { createGroup } = await gateway.ask(
        'mutation ($input: CreateGroupInput!) { createGroup(input: $input) { group { id } userErrors { code } } }',
        { input: { tenantId: tenant.id, displayName } },
      );
      groups.push(createGroup.group.id);
      await gateway.ask(
        'mutation ($input: GroupMembersInput!) { addGroupMembers(input: $input) { group { id } userErrors { code } } }',
        { input: { groupId: createGroup.group.id, externalUserIds: [guest.externalUserId] } },
      );
    }
    await assign(app, { groupId: groups[0], role: 'seller' });
    await assign(app, { externalUserId: guest.externalUserId, role: 'buyer' });
    const tokens = await authorize(await discover(issuer, app), guest.browser, { scope: 'openid groups roles' });
    expect(tokens.claims()).toMatchObject({ groups: [groups[0]], roles: ['buyer', 'seller'] });
  });

  it('brings no groups but says that there are too many, once there are more than a hundred', async () => {
    const app = await register();
    const config = await discover(issuer, app);
    const assignGroups = (from: number, to: number) =>
      gateway.sql(
        `with made as (
           insert into user_group (id, tenant_id, display_name, name_key, created_at)
           select 'grp_overage' || n, $1, 'Overage ' || n, 'overage ' || n, now() from generate_series($2::int, $3::int) n
           returning id),
         joined as (
           insert into group_member (tenant_id, group_id, external_user_id, created_at)
           select $1, id, $4, now() from made)
         insert into app_assignment (id, tenant_id, app_id, group_id, created_at)
         select 'apa_' || id, $1, $5, id, now() from made`,
        [tenant.id, from, to, guest.externalUserId, app.id],
      );
    const claims = async () => (await authorize(config, guest.browser, { scope: 'openid groups' })).claims();
    await assignGroups(1, 100);
    expect((await claims())?.groups).toHaveLength(100);
    expect(await claims()).not.toHaveProperty('groups_overage');
    await assignGroups(101, 101);
    expect(await claims()).toMatchObject({ groups_overage: true });
    expect(await claims()).not.toHaveProperty('groups');
  });

  it('is told whom to ask when the app is not assigned, and goes back with access_denied', async () => {
    const app = await register({ assignmentRequired: true, displayName: 'Secret Orders' });
    const attempt = await beginAuthorization(await discover(issuer, app));
    const { url, page } = await open(guest.browser, attempt.url);
    expect([url, page.status]).toEqual([null, 403]);
    expect(page.html).toContain('You have no access to Secret Orders');
    expect(page.html).toContain('Ask whoever invited you to Contoso');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    const leaving = await guest.browser.submit(page, '/refuse');
    expect(leaving.status).toBe(200);
    const back = await open(guest.browser, leaving.refreshTo as string);
    expect(back.url?.searchParams.get('error')).toBe('access_denied');
  });

  it('is let in the moment the app is assigned', async () => {
    const app = await register({ assignmentRequired: true });
    const config = await discover(issuer, app);
    expect((await open(guest.browser, (await beginAuthorization(config)).url)).page.status).toBe(403);
    await assign(app, { externalUserId: guest.externalUserId });
    expect((await authorize(config, guest.browser)).access_token).toBeTruthy();
  });
});

describe('a visitor who is not signed in', () => {
  it('is sent to the sign-in page of the tenant, to come back to where they were', async () => {
    const attempt = await beginAuthorization(await discover(issuer, await register()));
    const browser = new GuestBrowser();
    const { page } = await open(browser, attempt.url);
    expect(page.url.pathname).toBe(`/t/${tenant.slug}/sign-in`);
    const returnTo = new URL(page.url.searchParams.get('return_to') as string, gateway.url);
    // Signed in meanwhile.
    for (const [name, value] of guest.browser.cookies)
      if (name.startsWith('vestibule_s_')) browser.cookies.set(name, value);
    const { url } = await open(browser, returnTo);
    expect((await finishAuthorization(attempt, url as URL)).claims()?.sub).toBe(guest.externalUserId);
  });

  it('is refused without a page when the app says prompt=none', async () => {
    const attempt = await beginAuthorization(await discover(issuer, await register()), { prompt: 'none' });
    const { url } = await open(new GuestBrowser(), attempt.url);
    expect(url?.searchParams.get('error')).toBe('login_required');
  });

  it('of one tenant is nobody at another', async () => {
    const other = await gateway.createTenant();
    const app = await registerApp(gateway, other.id);
    const attempt = await beginAuthorization(await discover(issuerOf(gateway, other.slug), app));
    expect((await open(guest.browser, attempt.url)).page.url.pathname).toBe(`/t/${other.slug}/sign-in`);
  });
});

describe('an app', () => {
  it('that asks for prompt=login gets a sign-in made for it', async () => {
    const attempt = await beginAuthorization(await discover(issuer, await register()), { prompt: 'login' });
    const { page } = await open(guest.browser, attempt.url);
    expect(page.url.pathname).toBe(`/t/${tenant.slug}/sign-in`);
    expect(page.url.searchParams.get('prompt')).toBe('login');
  });

  it('that requires a second factor sends the guest for one', async () => {
    const attempt = await beginAuthorization(await discover(issuer, await register({ secondFactorRequired: true })));
    const { page } = await open(guest.browser, attempt.url);
    expect(page.url.pathname).toBe(`/t/${tenant.slug}/second-factor`);
  });

  it("that is not the tenant's own is asked about first", async () => {
    const config = await discover(issuer, await register({ consentRequired: true, displayName: 'Foreign Mail' }));
    const attempt = await beginAuthorization(config, { scope: 'openid email' });
    const { page } = await open(guest.browser, attempt.url);
    expect(page.html).toContain('Foreign Mail wants to know who you are');
    const leaving = await guest.browser.submit(page, '/accept');
    const { url } = await open(guest.browser, leaving.refreshTo as string);
    expect((await finishAuthorization(attempt, url as URL)).claims()?.email).toBe(guest.email);
    expect((await authorize(config, guest.browser, { scope: 'openid email' })).claims()?.email).toBe(guest.email);
  });

  it.each([
    ['without PKCE', (url: URL) => url.searchParams.delete('code_challenge')],
    ['with the challenge in the clear', (url: URL) => url.searchParams.set('code_challenge_method', 'plain')],
    ['with a form post', (url: URL) => url.searchParams.set('response_mode', 'form_post')],
    ['for a token at once', (url: URL) => url.searchParams.set('response_type', 'token')],
  ])('gets no code %s', async (_what, change) => {
    const { url } = await beginAuthorization(await discover(issuer, await register()));
    change(url);
    const arrival = await open(guest.browser, url);
    expect(arrival.url?.searchParams.get('code') ?? null).toBeNull();
    const answer = new URLSearchParams(arrival.url?.search || arrival.url?.hash.slice(1));
    const refusal = answer.get('error') ?? String(arrival.page.status);
    expect(['invalid_request', 'unsupported_response_type', 'unauthorized_client', '400']).toContain(refusal);
  });

  it.each([
    'https://orders.contoso.example/callback/',
    'https://orders.contoso.example/callback?x=1',
    'https://orders.contoso.example.evil.example/callback',
    'https://orders.contoso.example@evil.example/callback',
    'HTTPS://orders.contoso.example/callback',
    'http://orders.contoso.example/callback',
    'javascript:alert(1)',
  ])('is never answered at %s, which it has not registered', async (redirectUri) => {
    const { url } = await beginAuthorization(await discover(issuer, await register()), { redirect_uri: redirectUri });
    const arrival = await open(guest.browser, url);
    expect([arrival.url, arrival.page.status]).toEqual([null, 400]);
    expect(arrival.page.html).toContain('invalid_redirect_uri');
  });

  it('that was deleted or disabled meanwhile gets nothing for its code', async () => {
    const app = await register();
    const config = await discover(issuer, app);
    const attempt = await beginAuthorization(config);
    const { url } = await open(guest.browser, attempt.url);
    await updateApp(gateway, app.id, { enabled: false });
    await expect(finishAuthorization(attempt, url as URL)).rejects.toMatchObject({ status: 401 });
  });
});
