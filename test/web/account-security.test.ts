import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hash } from '@node-rs/argon2';
import { Secret, TOTP } from 'otpauth';
import { HOUR, MINUTE, SECOND } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { GuestBrowser, type WebPage } from './guest-browser.js';
import { type SignedInGuest, signInGuest } from './signed-in-guest.js';

const SECURITY = '/account/security';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = await gateway.createTenant({ displayName: 'Contoso' });
});
afterAll(() => gateway.stop());

const newGuest = () => signInGuest(gateway, tenant, `guest${++people}@fabrikam.example`);

function open({ browser, page }: SignedInGuest, path = SECURITY): Promise<WebPage> {
  return browser.get(page(path));
}

async function setPassword(guest: SignedInGuest, password: string): Promise<WebPage> {
  return guest.browser.submit(await open(guest), '/password', { password });
}

const seedOn = ({ html }: WebPage) => (/<code class="seed">([^<]*)</.exec(html)?.[1] ?? '').replaceAll(' ', '');
const codeOf = (seed: string) =>
  new TOTP({ secret: Secret.fromBase32(seed) }).generate({ timestamp: gateway.clock.now().getTime() });
const codesOn = ({ html }: WebPage) => [...html.matchAll(/<li><code>([^<]*)<\/code>/g)].map(([, code = '']) => code);

/** @returns the seed and the recovery codes. */
async function turnOnTotp(guest: SignedInGuest): Promise<{ seed: string; codes: string[] }> {
  const page = await open(guest, `${SECURITY}/totp`);
  const seed = seedOn(page);
  return { seed, codes: codesOn(await guest.browser.submit(page, '/totp', { code: codeOf(seed) })) };
}

async function confirm(guest: SignedInGuest, code: string): Promise<WebPage> {
  const page = await open(guest, `/second-factor/code?return_to=/t/${tenant.slug}${SECURITY}`);
  return guest.browser.post(new URL(page.forms[0]?.action ?? '', page.url), { ...page.forms[0]?.fields, code });
}

const nextStep = () => gateway.clock.advance(30 * SECOND);
/** So that no step ends by itself in the middle of a test. */
const beginStep = () => gateway.clock.advance(30 * SECOND - (gateway.clock.now().getTime() % (30 * SECOND)));

async function kindsOf({ externalUserId }: SignedInGuest): Promise<string[]> {
  const data = await gateway.ask(
    'query ($id: ID!) { node(id: $id) { ... on ExternalUser { credentials { kind label createdAt lastUsedAt remaining } } } }',
    { id: externalUserId },
  );
  return data.node.credentials.map(({ kind }: { kind: string }) => kind).sort();
}

async function signInTypesOf({ externalUserId }: SignedInGuest): Promise<string[]> {
  const rows = await gateway.sql<{ type: string }>(
    'select sign_in_type as type from identity where external_user_id = $1 order by linked_at, id',
    [externalUserId],
  );
  return rows.map(({ type }) => type);
}

describe('the page of a guest’s credentials', () => {
  it('is for who is signed in; others are led to the sign-in page and back', async () => {
    const response = await fetch(`${gateway.url}/t/${tenant.slug}${SECURITY}`, { redirect: 'manual' });
    expect(response.status).toBe(303);
    expect(response.headers.get('location')).toBe(
      `/t/${tenant.slug}/sign-in?return_to=${encodeURIComponent(`/t/${tenant.slug}${SECURITY}`)}`,
    );
    const other = await gateway.createTenant({ displayName: 'Other' });
    const guest = await newGuest();
    const elsewhere = await fetch(`${gateway.url}/t/${other.slug}${SECURITY}`, {
      redirect: 'manual',
      headers: { cookie: [...guest.browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    expect(elsewhere.status).toBe(303);
    expect((await guest.browser.get(`${gateway.url}/t/nobodys-slug${SECURITY}`)).status).toBe(404);
  });

  it('changes nothing without the token of its own form', async () => {
    const guest = await newGuest();
    const url = guest.page(`${SECURITY}/password`);
    const form = { password: 'a quiet garden' };
    expect((await guest.browser.post(url, form)).status).toBe(403);
    const another = await newGuest();
    const { fields } = (await open(another)).forms[0] ?? { fields: {} };
    expect((await guest.browser.post(url, { ...fields, ...form })).status).toBe(403);
    expect((await setPassword({ ...guest }, 'a quiet garden')).status).toBe(200);
  });

  it('changes nothing once the sign-in is 15 minutes old', async () => {
    const guest = await newGuest();
    const page = await open(guest);
    gateway.clock.advance(15 * MINUTE);
    const refused = await guest.browser.submit(page, '/password', { password: 'a quiet garden' });
    expect(refused.status).toBe(403);
    expect(refused.html).toContain('To change anything here, sign in once more.');
    expect(refused.forms.filter(({ action }) => action.includes(SECURITY))).toEqual([]);
    expect(await kindsOf(guest)).toEqual([]);
  });
});

describe('a password', () => {
  it('is set, changed and removed; with it comes and goes the identity of the local account', async () => {
    const guest = await newGuest();
    const page = await setPassword(guest, 'a quiet garden');
    expect(page.url.pathname).toBe(`/t/${tenant.slug}${SECURITY}`);
    expect(page.html).toContain('Change password');
    expect(await kindsOf(guest)).toEqual(['PASSWORD']);
    expect(await signInTypesOf(guest)).toEqual(['EMAIL_PASSCODE', 'LOCAL']);
    const [before] = await storedPassword(guest);
    expect(before?.hash).toMatch(/^\$argon2id\$/);
    await setPassword(guest, 'another quiet garden');
    expect((await storedPassword(guest))[0]?.hash).not.toBe(before?.hash);
    await guest.browser.submit(await open(guest), '/password/remove');
    expect(await kindsOf(guest)).toEqual([]);
    expect(await signInTypesOf(guest)).toEqual(['EMAIL_PASSCODE']);
  });

  it('that is changed ends the sessions of other browsers', async () => {
    const guest = await newGuest();
    await setPassword(guest, 'a quiet garden');
    const session = () =>
      gateway.sql<{ reason: string | null }>(
        'select end_reason as reason from guest_session where external_user_id = $1 order by created_at',
        [guest.externalUserId],
      );
    const elsewhere = new GuestBrowser();
    const start = await elsewhere.get(guest.page('/sign-in?with=account'));
    const page = await elsewhere.submit(start, '/sign-in', { email: guest.email });
    await elsewhere.submit(page, '/password', { password: 'a quiet garden' });
    expect(await session()).toEqual([{ reason: null }, { reason: null }]);
    await setPassword(guest, 'a louder garden');
    expect(await session()).toEqual([{ reason: null }, { reason: 'PASSWORD_CHANGED' }]);
  });

  it('hashed with weaker parameters is hashed anew when it is next used', async () => {
    const guest = await newGuest();
    await setPassword(guest, 'a quiet garden');
    const older = await hash('a quiet garden', { memoryCost: 8192, timeCost: 1, parallelism: 1 });
    await gateway.sql('update local_password set password_hash = $2 where external_user_id = $1', [
      guest.externalUserId,
      Buffer.from(older),
    ]);
    const browser = new GuestBrowser();
    const start = await browser.get(guest.page('/sign-in?with=account'));
    const page = await browser.submit(start, '/sign-in', { email: guest.email });
    const apps = await browser.submit(page, '/password', { password: 'a quiet garden' });
    expect(apps.url.pathname).toBe(`/t/${tenant.slug}/apps`);
    expect((await storedPassword(guest))[0]?.hash).toContain('m=19456,t=2,p=1');
  });

  it('that is short, common or made of the address is refused, and the page says why', async () => {
    const guest = await newGuest();
    for (const [password, said] of [
      ['short', 'This password cannot be used'],
      ['password1', 'This password is too easy to guess'],
      [guest.email, 'This password is too easy to guess'],
      [tenant.slug, 'This password is too easy to guess'],
    ] as const) {
      const page = await setPassword(guest, password);
      expect(page.status).toBe(422);
      expect(page.html).toContain(said);
    }
    expect(await kindsOf(guest)).toEqual([]);
  });
});

function storedPassword({ externalUserId }: SignedInGuest): Promise<{ hash: string }[]> {
  return gateway.sql<{ hash: string }>(
    "select convert_from(password_hash, 'UTF8') as hash from local_password where external_user_id = $1",
    [externalUserId],
  );
}

describe('an authenticator app', () => {
  it('is turned on by a first code; recovery codes are shown once', async () => {
    const guest = await newGuest();
    const page = await open(guest, `${SECURITY}/totp`);
    const seed = seedOn(page);
    expect(seed).toMatch(/^[A-Z2-7]{32}$/);
    expect(page.html).toContain('<svg class="qr"');
    expect(await kindsOf(guest)).toEqual([]);
    const wrong = await guest.browser.submit(page, '/totp', { code: '000000' });
    expect(wrong.status).toBe(422);
    expect(seedOn(wrong)).toBe(seed);
    const shown = await guest.browser.submit(wrong, '/totp', { code: codeOf(seed) });
    expect(codesOn(shown)).toHaveLength(10);
    expect(shown.headers.get('cache-control')).toBe('no-store');
    expect(await kindsOf(guest)).toEqual(['RECOVERY_CODES', 'TOTP']);
    expect((await open(guest)).html).toContain('10 of 10 are left');
  });

  it('keeps its seed sealed, and nothing of it but for the page it was shown on', async () => {
    const [one, other] = [await newGuest(), await newGuest()];
    const page = await open(one, `${SECURITY}/totp`);
    const stolen = await open(other, `${SECURITY}/totp`);
    const form = { seed: page.forms[0]?.fields.seed ?? '', code: codeOf(seedOn(page)) };
    const refused = await other.browser.submit(stolen, '/totp', form);
    expect(refused.status).toBe(422);
    const { seed } = await turnOnTotp(one);
    const [stored] = await gateway.sql<{ text: string }>("select encode(sealed_seed, 'escape') as text from totp");
    expect(stored?.text).not.toContain(seed);
  });

  it('once on, is needed to change anything, with a code that was not used before', async () => {
    const guest = await newGuest();
    const { seed } = await turnOnTotp(guest);
    gateway.clock.advance(16 * MINUTE);
    const page = await open(guest);
    expect(page.html).toContain('confirm with your second factor');
    expect(page.forms.filter(({ action }) => action.includes(SECURITY))).toEqual([]);
    const code = codeOf(seed);
    const confirmed = await confirm(guest, code);
    expect(confirmed.url.pathname).toBe(`/t/${tenant.slug}${SECURITY}`);
    expect((await confirm(guest, code)).status).toBe(422);
    expect((await guest.browser.submit(confirmed, '/totp/remove')).html).toContain('Set up an authenticator app');
    expect(await kindsOf(guest)).toEqual([]);
  });

  it('takes codes of the step before and after, not of the one before that', async () => {
    const guest = await newGuest();
    const { seed } = await turnOnTotp(guest);
    beginStep();
    nextStep();
    const late = codeOf(seed);
    nextStep();
    nextStep();
    expect((await confirm(guest, late)).status).toBe(422);
    const before = codeOf(seed);
    nextStep();
    expect((await confirm(guest, before)).status).toBe(200);
  });

  it('is locked by ten tries in an hour, also for the right code; passkeys and the account are not', async () => {
    const guest = await newGuest();
    const { seed } = await turnOnTotp(guest);
    nextStep();
    for (let tries = 0; tries < 10; tries++) expect((await confirm(guest, '000000')).status).toBe(422);
    const locked = await confirm(guest, codeOf(seed));
    expect(locked.status).toBe(429);
    expect(Number(locked.headers.get('retry-after'))).toBeGreaterThan(3000);
    gateway.clock.advance(HOUR);
    expect((await confirm(guest, codeOf(seed))).status).toBe(200);
  });

  it('gives ten tries in all to many at once', async () => {
    const guest = await newGuest();
    await turnOnTotp(guest);
    const page = await open(guest, '/second-factor/code');
    const { action = '', fields = {} } = page.forms[0] ?? {};
    const tries = Array.from({ length: 16 }, () =>
      guest.browser.post(new URL(action, page.url), { ...fields, code: '000000' }),
    );
    const statuses = (await Promise.all(tries)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 422)).toHaveLength(10);
    expect(statuses.filter((status) => status === 429)).toHaveLength(6);
  });
});

describe('a recovery code', () => {
  it('stands in for the app once, however it is typed, and new ones end the old', async () => {
    const guest = await newGuest();
    const { codes } = await turnOnTotp(guest);
    const [first = '', second = ''] = codes;
    expect((await confirm(guest, first.toUpperCase().replace('-', ' '))).status).toBe(200);
    expect((await confirm(guest, first)).status).toBe(422);
    const page = await open(guest);
    expect(page.html).toContain('9 of 10 are left');
    const renewed = codesOn(await guest.browser.submit(page, '/recovery-codes'));
    expect(renewed).toHaveLength(10);
    expect((await confirm(guest, second)).status).toBe(422);
    expect((await confirm(guest, renewed[0] as string)).status).toBe(200);
    const stored = await gateway.sql<{ text: string }>("select encode(code_hash, 'escape') as text from recovery_code");
    for (const { text } of stored) for (const code of renewed) expect(text).not.toContain(code);
  });
});

describe('the session', () => {
  it('gets a new token when a second factor is shown, and says so; the old one opens nothing', async () => {
    const guest = await newGuest();
    const before = new Map(guest.browser.cookies);
    const { seed } = await turnOnTotp(guest);
    const cookieHeader = [...before].map(([name, value]) => `${name}=${value}`).join('; ');
    const old = await fetch(guest.page(SECURITY), { redirect: 'manual', headers: { cookie: cookieHeader } });
    expect(old.status).toBe(303);
    nextStep();
    await confirm(guest, codeOf(seed));
    const [session] = await gateway.sql<{ amr: string[]; shown: boolean }>(
      'select amr, second_factor_at is not null as shown from guest_session where external_user_id = $1 and ended_at is null',
      [guest.externalUserId],
    );
    expect(session).toMatchObject({ shown: true });
    expect(session?.amr.sort()).toEqual(['mfa', 'otp']);
  });

  it('never leads to another origin afterwards', async () => {
    const guest = await newGuest();
    const { codes } = await turnOnTotp(guest);
    for (const returnTo of ['https://evil.example/', '//evil.example', `/t/${tenant.slug}/../../x`, '/graphql']) {
      const page = await open(guest, `/second-factor/code?return_to=${encodeURIComponent(returnTo)}`);
      const { action = '', fields = {} } = page.forms[0] ?? {};
      const done = await guest.browser.post(new URL(action, page.url), { ...fields, code: codes.pop() ?? '' });
      expect(done.url.origin).toBe(gateway.url);
      expect(done.url.pathname).toBe(`/t/${tenant.slug}/apps`);
    }
  });
});

describe('resetSecondFactor', () => {
  const reset = (externalUserId: string, key?: string) =>
    gateway.gql(
      'mutation ($input: ResetSecondFactorInput!) { resetSecondFactor(input: $input) { externalUser { id credentials { kind } } userErrors { code } } }',
      { input: { externalUserId } },
      key === undefined ? {} : { key },
    );

  it('takes every second factor and the sessions, and leaves the password', async () => {
    const guest = await newGuest();
    await setPassword(guest, 'a quiet garden');
    await turnOnTotp(guest);
    const { data } = await reset(guest.externalUserId);
    expect(data.resetSecondFactor).toEqual({
      externalUser: { id: guest.externalUserId, credentials: [{ kind: 'PASSWORD' }] },
      userErrors: [],
    });
    const response = await fetch(guest.page(SECURITY), {
      redirect: 'manual',
      headers: { cookie: [...guest.browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    expect(response.status).toBe(303);
  });

  it('of somebody who bears a role needs the right to give it', async () => {
    const guest = await newGuest();
    const app = await gateway.ask(
      'mutation ($input: RegisterAppInput!) { registerApp(input: $input) { app { id } userErrors { code } } }',
      {
        input: { tenantId: tenant.id, displayName: 'Orders', homePageUrl: 'https://orders.example/', roles: ['admin'] },
      },
    );
    await gateway.ask('mutation ($input: AssignAppInput!) { assignApp(input: $input) { userErrors { code } } }', {
      input: { appId: app.registerApp.app.id, externalUserId: guest.externalUserId, role: 'admin' },
    });
    const helpdesk = await gateway.ask(
      'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret userErrors { code } } }',
      { input: { tenantId: tenant.id, name: 'Helpdesk', permissions: ['EXTERNAL_USER_READ', 'EXTERNAL_USER_WRITE'] } },
    );
    const { errors } = await reset(guest.externalUserId, helpdesk.createApiKey.secret);
    expect(errors?.[0]?.extensions.code).toBe('FORBIDDEN');
    const admin = await newGuest();
    await gateway.ask('mutation ($input: AssignRoleInput!) { assignRole(input: $input) { userErrors { code } } }', {
      input: { tenantId: tenant.id, role: 'READER', externalUserId: admin.externalUserId },
    });
    expect((await reset(admin.externalUserId, helpdesk.createApiKey.secret)).errors?.[0]?.extensions.code).toBe(
      'FORBIDDEN',
    );
    const other = await newGuest();
    const { data } = await reset(other.externalUserId, helpdesk.createApiKey.secret);
    expect(data.resetSecondFactor.userErrors).toEqual([]);
  });
});
