/** An app that wants more than a session: a second factor, a sign-in made for it, somebody in particular, no page at all. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret, TOTP } from 'otpauth';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { passcodesTo, type WebPage } from '../web/guest-browser.js';
import { type Guest, open, signInGuest } from './guest.js';
import { discover, issuerOf, registerApp } from './relying-party.js';
import { type Attempt, authorize, beginAuthorization, finishAuthorization } from './sign-in.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let guest: Guest;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = await gateway.createTenant();
  guest = await signInGuest(gateway, tenant.id);
});
afterAll(() => gateway.stop());

const config = async (input: object = {}) =>
  discover(issuerOf(gateway, tenant.slug), await registerApp(gateway, tenant.id, input));

/** At the gateway's sign-in page. */
async function signInThere(page: WebPage, { browser, email }: Guest): Promise<WebPage> {
  expect(page.url.pathname).toBe(`/t/${tenant.slug}/sign-in`);
  const before = passcodesTo(gateway, email).length;
  const asking = await browser.submit(page, '/sign-in', { email });
  const passcode = await until(() => passcodesTo(gateway, email)[before], 'the passcode');
  return browser.submit(asking, '/passcode', { passcode });
}

/** From the page that leads back to the app. */
async function arrive(attempt: Attempt, { browser }: Guest, leaving: WebPage) {
  expect([leaving.status, leaving.forms]).toEqual([200, []]);
  const { url } = await open(browser, new URL(leaving.refreshTo as string, gateway.url));
  return finishAuthorization(attempt, url as URL);
}

/** Without a page: the app is answered, by a code or an error. */
async function answered(attempt: Attempt, { browser }: Guest): Promise<URLSearchParams> {
  const { url } = await open(browser, attempt.url);
  return (url as URL).searchParams;
}

/** So that who signed in a moment ago does not pass for somebody who signs in now. */
const ageSessions = () =>
  gateway.sql(
    "update guest_session set authenticated_at = authenticated_at - interval '1 hour' where ended_at is null",
  );

describe('an app that requires a second factor', () => {
  it('sends the guest for one, gets them back with it, and has the token say so; once per session', async () => {
    const visitor = await signInGuest(gateway, tenant.id);
    const strict = await config({ secondFactorRequired: true });
    expect((await authorize(await config(), visitor.browser)).claims()?.amr).not.toContain('mfa');
    expect((await answered(await beginAuthorization(strict, { prompt: 'none' }), visitor)).get('error')).toBe(
      'login_required',
    );
    const attempt = await beginAuthorization(strict);
    const { page } = await open(visitor.browser, attempt.url);
    expect(page.url.pathname).toBe(`/t/${tenant.slug}/second-factor`);
    const { pathname, search, origin } = page.url;
    const totp = await visitor.browser.get(`${origin}${pathname}/totp${search}`);
    const seed = (/<code class="seed">([^<]*)</.exec(totp.html)?.[1] ?? '').replaceAll(' ', '');
    const form = totp.forms.find(({ action }) => action.includes('/totp'));
    const code = new TOTP({ secret: Secret.fromBase32(seed) }).generate();
    const codes = await visitor.browser.post(new URL(form?.action ?? '', origin), { ...form?.fields, code });
    const next = page.url.searchParams.get('return_to') as string;
    expect(codes.html).toContain(`href="${next}"`);
    const { url } = await open(visitor.browser, new URL(next, origin));
    const claims = (await finishAuthorization(attempt, url as URL)).claims();
    expect(claims?.amr).toEqual(expect.arrayContaining(['otp', 'mfa']));
    const again = await config({ secondFactorRequired: true });
    expect((await authorize(again, visitor.browser)).claims()?.amr).toContain('mfa');
  });
});

describe('an app that wants a sign-in made for it', () => {
  it.each([
    ['always, by prompt=login', { prompt: 'login' }],
    ['not older than a minute, by max_age', { max_age: '60' }],
  ])('%s, gets the guest back with a new auth_time', async (_what, parameters: Record<string, string>) => {
    await ageSessions();
    const app = await config();
    const old = (await authorize(app, guest.browser)).claims()?.auth_time as number;
    const attempt = await beginAuthorization(app, parameters);
    const { page } = await open(guest.browser, attempt.url);
    expect(page.url.searchParams.get('prompt')).toBe('login');
    Object.assign(attempt.checks, { maxAge: 60 });
    const tokens = await arrive(attempt, guest, await signInThere(page, guest));
    expect(tokens.claims()?.sub).toBe(guest.externalUserId);
    expect(Number(tokens.claims()?.auth_time)).toBeGreaterThan(old);
  });

  it('is content with one that is young enough', async () => {
    const attempt = await beginAuthorization(await config(), { max_age: '600', prompt: 'none' });
    Object.assign(attempt.checks, { maxAge: 600 });
    const { url } = await open(guest.browser, attempt.url);
    expect((await finishAuthorization(attempt, url as URL)).claims()?.sub).toBe(guest.externalUserId);
  });
});

describe('an app that wants no page (prompt=none)', () => {
  const silently = async (input: object, parameters: object = {}) =>
    answered(await beginAuthorization(await config(input), { prompt: 'none', ...parameters }), guest);

  it('gets a code for a guest who is signed in', async () => {
    expect((await silently({})).get('code')).toBeTruthy();
  });

  it.each([
    ['sign-in that is too old', {}, { max_age: '0' }, 'login_required'],
    ['guest who would have to be asked', { consentRequired: true }, {}, 'consent_required'],
    ['guest it is not assigned to', { assignmentRequired: true }, {}, 'access_denied'],
  ])('gets an error for a %s', async (_what, input, parameters, error) => {
    const answer = await silently(input, parameters);
    expect([answer.get('error'), answer.get('code')]).toEqual([error, null]);
  });
});

describe('an app that wants somebody in particular (id_token_hint)', () => {
  it('gets them without a question, and nobody else', async () => {
    const app = await config();
    const other = await signInGuest(gateway, tenant.id);
    const hintOf = async ({ browser }: Guest) => (await authorize(app, browser)).id_token as string;
    const ask = (hint: string) => beginAuthorization(app, { prompt: 'none', id_token_hint: hint });
    expect((await answered(await ask(await hintOf(guest)), guest)).get('code')).toBeTruthy();
    expect((await answered(await ask(await hintOf(other)), guest)).get('error')).toBe('login_required');
  });

  it('has whoever is signed in sign in as the one that is wanted', async () => {
    const app = await config();
    const wanted = await signInGuest(gateway, tenant.id);
    const hint = (await authorize(app, wanted.browser)).id_token as string;
    const attempt = await beginAuthorization(app, { id_token_hint: hint });
    const visitor = await signInGuest(gateway, tenant.id);
    await ageSessions();
    const { page } = await open(visitor.browser, attempt.url);
    const leaving = await signInThere(page, { ...wanted, browser: visitor.browser });
    expect((await arrive(attempt, visitor, leaving)).claims()?.sub).toBe(wanted.externalUserId);
  });
});
