import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HOUR } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { GuestBrowser, passcodesTo, startAt, type WebPage } from './guest-browser.js';
import { addPartner, type Partner } from './partner.js';
import { type SignedInGuest, signInGuest } from './signed-in-guest.js';

const PASSWORD = 'a quiet garden';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let partner: Partner;
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = await gateway.createTenant({ displayName: 'Contoso' });
  partner = await addPartner(gateway, tenant.id, 'fabrikam.example');
});
afterAll(async () => {
  await partner.provider.stop();
  await gateway.stop();
});

const door = (query = '') => `${gateway.url}/t/${tenant.slug}/sign-in${query}`;
const APPS = () => `/t/${tenant.slug}/apps`;

async function guestWithPassword(password = PASSWORD): Promise<SignedInGuest> {
  const guest = await signInGuest(gateway, tenant, `guest${++people}@litware.example`);
  await guest.browser.submit(await guest.browser.get(guest.page('/account/security')), '/password', { password });
  return guest;
}

/** By the link of the sign-in page for whoever has an account here. */
async function passwordPage(browser: GuestBrowser, email: string): Promise<WebPage> {
  return browser.submit(await browser.get(door('?with=account')), '/sign-in', { email });
}

async function enterPassword(browser: GuestBrowser, email: string, password: string): Promise<WebPage> {
  return browser.submit(await passwordPage(browser, email), '/password', { password });
}

async function policy(order: string[], fallback = 'NONE') {
  const { data } = await gateway.gql(
    'mutation ($input: UpdateSignInPolicyInput!) { updateSignInPolicy(input: $input) { userErrors { code field } } }',
    { input: { tenantId: tenant.id, order, fallback } },
  );
  return data.updateSignInPolicy.userErrors;
}

describe('a guest with a password', () => {
  it('signs in with it, without a mail, and the session says how', async () => {
    const { email, externalUserId } = await guestWithPassword();
    const mails = passcodesTo(gateway, email).length;
    const browser = new GuestBrowser();
    const start = await browser.get(door());
    expect(start.html).toContain('I have a passkey or a password here');
    const page = await enterPassword(browser, email, PASSWORD);
    expect([page.status, page.url.pathname]).toEqual([200, APPS()]);
    expect(passcodesTo(gateway, email)).toHaveLength(mails);
    const [session] = await gateway.sql<{ amr: string[]; kind: string }>(
      `select s.amr, i.sign_in_type as kind from guest_session s join identity i on i.id = s.identity_id
       where s.external_user_id = $1 order by s.created_at desc limit 1`,
      [externalUserId],
    );
    expect(session).toEqual({ amr: ['pwd'], kind: 'LOCAL' });
  });

  it('signs in whichever keyboard the password is typed on, and with nothing else than the whole of it', async () => {
    const { email } = await guestWithPassword('Amélie’s garden');
    expect((await enterPassword(new GuestBrowser(), email, 'Ame\u0301lie’s\u00a0garden')).url.pathname).toBe(APPS());
    for (const password of ['', 'amélie’s garden', 'Amélie’s garden ', 'x'.repeat(5000)]) {
      const page = await enterPassword(new GuestBrowser(), email, password);
      expect([page.status, page.url.pathname.endsWith('/password')]).toEqual([422, true]);
    }
  });

  it('who has forgotten it signs in by a code, and sets another', async () => {
    const guest = await guestWithPassword();
    const browser = new GuestBrowser();
    const flow = await browser.get((await passwordPage(browser, guest.email)).url.href.replace(/\/password$/, ''));
    const before = passcodesTo(gateway, guest.email).length;
    const page = await browser.submit(flow, '/passcode/send');
    await gateway.waitForMail(guest.email, gateway.mails(guest.email).length);
    const passcode = await passcodeAfter(guest.email, before);
    await browser.submit(page, '/passcode', { passcode });
    await browser.submit(await browser.get(guest.page('/account/security')), '/password', {
      password: 'a louder garden',
    });
    expect((await enterPassword(new GuestBrowser(), guest.email, PASSWORD)).status).toBe(422);
    expect((await enterPassword(new GuestBrowser(), guest.email, 'a louder garden')).url.pathname).toBe(APPS());
  });

  it('is offered it at the next invitation, and a guest without one is not', async () => {
    const guest = await guestWithPassword();
    await gateway.sql("update external_user set state = 'PENDING_ACCEPTANCE' where id = $1", [guest.externalUserId]);
    const { redeemUrl, id } = await gateway.inviteUser({ tenantId: tenant.id, email: guest.email });
    const browser = new GuestBrowser();
    const started = await startAt(browser, redeemUrl);
    expect(started.html).toContain('Use a password');
    const password = await browser.get(`${started.url.href}/password`);
    expect(password.html).not.toContain(guest.email);
    const consent = await browser.submit(password, '/password', { password: PASSWORD });
    await browser.submit(consent, '/accept');
    const [invitation] = await gateway.sql(
      'select status, identity_provider_kind as kind from invitation where id = $1',
      [id],
    );
    expect(invitation).toEqual({ status: 'REDEEMED', kind: 'LOCAL' });

    const other = await gateway.inviteUser({ tenantId: tenant.id, email: 'newcomer@litware.example' });
    const newcomer = new GuestBrowser();
    const first = await startAt(newcomer, other.redeemUrl);
    expect(first.html).not.toContain('Use a password');
    expect((await newcomer.get(`${first.url.href}/password`)).url.pathname).toBe(first.url.pathname);
  });
});

function passcodeAfter(email: string, count: number): Promise<string> {
  return until(() => passcodesTo(gateway, email)[count], 'the passcode');
}

describe('a stranger', () => {
  it('sees the same for an address nobody has, for one without a password, and for a wrong password', async () => {
    const { email } = await guestWithPassword();
    const without = await signInGuest(gateway, tenant, `guest${++people}@litware.example`);
    const blocked = await guestWithPassword();
    await gateway.ask(
      'mutation ($input: UpdateExternalUserInput!) { updateExternalUser(input: $input) { userErrors { code } } }',
      { input: { externalUserId: blocked.externalUserId, accountEnabled: false } },
    );
    const pages = await Promise.all(
      [email, without.email, 'nobody@litware.example', blocked.email].map(async (address) => {
        const asked = await passwordPage(new GuestBrowser(), address);
        const browser = new GuestBrowser();
        const answered = await enterPassword(browser, address, address === blocked.email ? PASSWORD : 'wrong password');
        return [asked, answered].map(({ status, html }) => [status, alike(html, address)]);
      }),
    );
    for (const page of pages) expect(page).toEqual(pages[0]);
  });

  it('has ten tries in an hour for an address, known or not; the code by mail goes on', async () => {
    const { email } = await guestWithPassword();
    for (const address of [email, 'nobody-at-all@litware.example']) {
      for (let tries = 0; tries < 10; tries++)
        expect((await enterPassword(new GuestBrowser(), address, `guess ${tries}`)).status).toBe(422);
      const locked = await enterPassword(new GuestBrowser(), address, PASSWORD);
      expect(locked.status).toBe(429);
      expect(locked.html).toContain('Too many wrong passwords');
      expect(Number(locked.headers.get('retry-after'))).toBeGreaterThan(3000);
    }
    const browser = new GuestBrowser();
    const before = passcodesTo(gateway, email).length;
    const page = await browser.submit(await browser.get(door()), '/sign-in', { email });
    expect(
      (await browser.submit(page, '/passcode', { passcode: await passcodeAfter(email, before) })).url.pathname,
    ).toBe(APPS());
    gateway.clock.advance(HOUR);
    expect((await enterPassword(new GuestBrowser(), email, PASSWORD)).url.pathname).toBe(APPS());
  });

  it('counts in one tenant only', async () => {
    const { email } = await guestWithPassword();
    const other = await gateway.createTenant();
    for (let tries = 0; tries < 11; tries++) {
      const browser = new GuestBrowser();
      const start = await browser.get(`${gateway.url}/t/${other.slug}/sign-in?with=account`);
      await browser.submit(await browser.submit(start, '/sign-in', { email }), '/password', { password: 'guess' });
    }
    expect((await enterPassword(new GuestBrowser(), email, PASSWORD)).url.pathname).toBe(APPS());
  });
});

/** Without what differs from page to page. */
function alike(html: string, address: string): string {
  return html
    .replaceAll(address, '(address)')
    .replace(/[\w-]{30,}/g, '(token)')
    .replace(/rdm_\w+/g, '(flow)');
}

describe('routing', () => {
  it('decides: where a provider is entitled, a password opens nothing, though there is one', async () => {
    const guest = await guestWithPassword();
    const moved = guest.email.replace('litware', 'fabrikam');
    await gateway.sql("update identity set subject = $2 where subject = $1 and sign_in_type = 'LOCAL'", [
      guest.email,
      moved,
    ]);
    const browser = new GuestBrowser();
    const page = await passwordPage(browser, moved);
    expect(page.url.pathname).not.toContain('/password');
    expect(page.html).toContain('Continue with Fabrikam');
    const csrf = page.forms[0]?.fields.csrf ?? '';
    const forced = await browser.post(`${page.url.origin}${page.url.pathname}/password`, { csrf, password: PASSWORD });
    expect(forced.html).not.toContain('Your apps at');
    expect(await sessionsBy(moved)).toBe(0);
  });

  it('switched off, signs nobody in and takes no new password; LOCAL alone is refused', async () => {
    const guest = await guestWithPassword();
    const security = await guest.browser.get(guest.page('/account/security'));
    const page = await passwordPage(new GuestBrowser(), guest.email);
    expect(page.url.pathname).toContain('/password');
    expect(await policy(['LOCAL'])).toEqual([{ code: 'INVALID', field: ['order'] }]);
    expect(await policy(['TENANT_PROVIDERS', 'EMAIL_PASSCODE'])).toEqual([]);
    expect((await passwordPage(new GuestBrowser(), guest.email)).url.pathname).not.toContain('/password');
    expect((await guest.browser.submit(security, '/password', { password: 'another garden' })).status).toBe(403);
    expect((await guest.browser.get(guest.page('/account/security'))).html).not.toContain('New password');
    expect(await policy(['LOCAL', 'TENANT_PROVIDERS', 'EMAIL_PASSCODE'])).toEqual([]);
    const browser = new GuestBrowser();
    const first = await browser.submit(await browser.get(door()), '/sign-in', { email: guest.email });
    expect(first.html).toContain('Sign in with your password');
    expect((await browser.submit(first, '/password', { password: PASSWORD })).url.pathname).toBe(APPS());
  });
});

async function sessionsBy(subject: string): Promise<number> {
  const rows = await gateway.sql(
    'select from guest_session s join identity i on i.id = s.identity_id where i.subject = $1',
    [subject],
  );
  return rows.length;
}
