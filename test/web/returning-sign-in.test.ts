import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { HOUR, MINUTE } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { signInAt } from '../support/openid-provider.js';
import { until } from '../support/until.js';
import { GuestBrowser, passcodesTo, proveByPasscode, startAt, type WebPage } from './guest-browser.js';
import { addPartner, type Partner } from './partner.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let partner: Partner;
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = await gateway.createTenant({ displayName: 'Contoso' });
  partner = await addPartner(gateway, tenant.id, 'fabrikam.example');
});
afterEach(() => {
  for (const quirk of Object.keys(partner.provider.quirks)) delete partner.provider.quirks[quirk as 'isDown'];
});
afterAll(async () => {
  await partner.provider.stop();
  await gateway.stop();
});

const door = (query = '') => `${gateway.url}/t/${tenant.slug}/sign-in${query}`;
const appsUrl = () => `${gateway.url}/t/${tenant.slug}/apps`;
const cookieName = () => `vestibule_s_${tenant.id.slice(4)}`;

/** Somebody who accepted by passcode, in a browser of long ago. */
async function acceptedByPasscode() {
  const email = `guest${++people}@litware.example`;
  const guest = await gateway.inviteUser({ tenantId: tenant.id, email });
  const browser = new GuestBrowser();
  await browser.submit(await proveByPasscode(gateway, browser, guest.redeemUrl, email), '/accept');
  return { ...guest, email, browser };
}

async function acceptedByProvider() {
  const email = `guest${++people}@fabrikam.example`;
  const guest = await gateway.inviteUser({ tenantId: tenant.id, email });
  const browser = new GuestBrowser();
  const leaving = await browser.submit(await startAt(browser, guest.redeemUrl), '/sign-in');
  const consent = await browser.get(await signInAt(partner.provider, leaving.refreshTo ?? '', email));
  await browser.submit(consent, '/accept');
  return { ...guest, email, browser };
}

async function enterAddress(browser: GuestBrowser, email: string, query = ''): Promise<WebPage> {
  return browser.submit(await browser.get(door(query)), '/sign-in', { email });
}

async function signInByPasscode(browser: GuestBrowser, email: string, query = ''): Promise<WebPage> {
  const before = passcodesTo(gateway, email).length;
  const page = await enterAddress(browser, email, query);
  const passcode = await until(() => passcodesTo(gateway, email)[before], 'the passcode');
  return browser.submit(page, '/passcode', { passcode });
}

const toProvider = async (page: WebPage, browser: GuestBrowser, as: string) =>
  signInAt(partner.provider, (await browser.submit(page, '/sign-in')).refreshTo ?? '', as);

async function setEnabled(externalUserId: string, accountEnabled: boolean) {
  await gateway.ask(
    'mutation ($input: UpdateExternalUserInput!) { updateExternalUser(input: $input) { userErrors { code } } }',
    { input: { externalUserId, accountEnabled } },
  );
}

describe('a guest who comes back', () => {
  it('signs in by a passcode that is sent with the address, and lands at the apps', async () => {
    const { email } = await acceptedByPasscode();
    const browser = new GuestBrowser();
    const page = await signInByPasscode(browser, email);
    expect([page.status, page.url.pathname]).toEqual([200, `/t/${tenant.slug}/apps`]);
    expect(page.html).toContain('Your apps at Contoso');
    expect(page.html).toContain(email);
    expect(browser.cookies.get(cookieName())).toMatch(/^[\w-]{43}$/);
  });

  it('comes to the apps by the address of the tenant alone, by way of signing in', async () => {
    const page = await new GuestBrowser().get(`${gateway.url}/t/${tenant.slug}`);
    expect(page.url.pathname).toBe(`/t/${tenant.slug}/sign-in`);
    const { browser } = await acceptedByPasscode();
    expect((await browser.get(`${gateway.url}/t/${tenant.slug}`)).url.href).toBe(appsUrl());
    expect((await browser.get(`${gateway.url}/t/nobody-is-here`)).status).toBe(404);
  });

  it('signs in at the provider, found by identity whatever the address there is by now', async () => {
    const { email, externalUserId } = await acceptedByProvider();
    const browser = new GuestBrowser();
    const page = await enterAddress(browser, email);
    partner.provider.quirks.claimedEmail = 'renamed@fabrikam.example';
    const apps = await browser.get(await toProvider(page, browser, email));
    expect(apps.url.pathname).toBe(`/t/${tenant.slug}/apps`);
    const [session] = await gateway.sql<{ amr: string[]; issuer: string }>(
      `select s.amr, i.issuer from guest_session s join identity i on i.id = s.identity_id
       where s.external_user_id = $1 order by s.created_at desc limit 1`,
      [externalUserId],
    );
    expect(session).toEqual({ amr: ['fed'], issuer: partner.provider.issuer });
  });

  it('goes on to where they wanted, and nowhere else', async () => {
    const { email } = await acceptedByPasscode();
    const wanted = `/t/${tenant.slug}/apps?from=orders`;
    const page = await signInByPasscode(new GuestBrowser(), email, `?return_to=${encodeURIComponent(wanted)}`);
    expect(page.url.pathname + page.url.search).toBe(wanted);
    for (const hostile of [
      'https://evil.example/',
      '//evil.example/',
      '/\\evil.example/',
      `/t/${tenant.slug}/../../redeem/x`,
      '/t/other/apps',
      `/t/${tenant.slug}/%2e%2e/%2e%2e/x`,
      'javascript:alert(1)',
    ]) {
      const { html } = await new GuestBrowser().get(door(`?return_to=${encodeURIComponent(hostile)}`));
      expect([hostile, /name="returnTo" value="([^"]*)"/.exec(html)?.[1]]).toEqual([hostile, '']);
    }
  });

  it('is sent to sign in by a page of theirs, and comes back to it', async () => {
    const { email } = await acceptedByPasscode();
    const browser = new GuestBrowser();
    const start = await browser.get(appsUrl());
    expect(start.url.pathname).toBe(`/t/${tenant.slug}/sign-in`);
    const before = passcodesTo(gateway, email).length;
    const page = await browser.submit(start, '/sign-in', { email });
    const passcode = await until(() => passcodesTo(gateway, email)[before], 'the passcode');
    expect((await browser.submit(page, '/passcode', { passcode })).url.pathname).toBe(`/t/${tenant.slug}/apps`);
  });

  it('who is signed in already need not do it again, and may switch to another account', async () => {
    const [first, second] = [await acceptedByPasscode(), await acceptedByPasscode()];
    const known = await first.browser.get(door());
    expect(known.html).toContain('You are signed in to Contoso');
    const forth = await first.browser.get(door(`?return_to=${encodeURIComponent(`/t/${tenant.slug}/apps`)}`));
    expect(forth.url.pathname).toBe(`/t/${tenant.slug}/apps`);
    const apps = await signInByPasscode(first.browser, second.email, '?prompt=login');
    expect(apps.html).toContain(second.email);
    const [ended] = await gateway.sql('select end_reason from guest_session where external_user_id = $1', [
      first.externalUserId,
    ]);
    expect(ended).toEqual({ end_reason: 'REPLACED' });
  });

  it('sees the apps assigned to them, to a group of theirs, or to everybody', async () => {
    const register = async (displayName: string, assignmentRequired: boolean): Promise<string> =>
      (
        await gateway.ask(
          'mutation ($input: RegisterAppInput!) { registerApp(input: $input) { app { id } userErrors { code field } } }',
          {
            input: {
              tenantId: tenant.id,
              displayName,
              homePageUrl: `https://${displayName.toLowerCase()}.contoso.example/`,
              assignmentRequired,
            },
          },
        )
      ).registerApp.app.id;
    const [orders] = [
      await register('Orders', true),
      await register('Payroll', true),
      await register('Canteen', false),
    ];
    const { browser, externalUserId } = await acceptedByPasscode();
    await gateway.ask('mutation ($input: AssignAppInput!) { assignApp(input: $input) { userErrors { code } } }', {
      input: { appId: orders, externalUserId },
    });
    const { html } = await browser.get(appsUrl());
    expect(html).toContain(`<a href="/t/${tenant.slug}/apps/${orders}/open" rel="noreferrer">Orders</a>`);
    expect(html).toContain('Canteen');
    expect(html).not.toContain('Payroll');
  });
});

describe('a stranger learns nothing', () => {
  const comparable = ({ status, html }: WebPage, email: string) => ({
    status,
    html: html.replaceAll(email, '@').replace(/rdm_\w+|value="[^"]*"/g, ''),
  });

  it('from the address: a known and an unknown one get the same page, and the same work is done', async () => {
    const { email } = await acceptedByPasscode();
    const unknown = `nobody${++people}@litware.example`;
    const sent = passcodesTo(gateway, email).length;
    const pages = [
      comparable(await enterAddress(new GuestBrowser(), email), email),
      comparable(await enterAddress(new GuestBrowser(), unknown), unknown),
    ];
    expect(pages[0]).toEqual(pages[1]);
    await until(() => passcodesTo(gateway, email)[sent], 'the passcode of the known one');
    await until(
      async () => (await gateway.sql('select from graphile_worker._private_jobs')).length === 0,
      'no job is left',
    );
    expect(gateway.mails(unknown)).toEqual([]);
    const rows = await gateway.sql<{ codes: string; mails: string }>(
      `select count(p.id) as codes, (select count(*) from mail_request m where m.address_key = f.email_key) as mails
       from redemption_flow f join passcode p on p.flow_id = f.id where f.email_key = $1 group by f.email_key`,
      [unknown],
    );
    expect(rows).toEqual([{ codes: '1', mails: '1' }]);
  });

  it('from the limit of mails, which holds for both', async () => {
    const { email } = await acceptedByPasscode();
    const unknown = `nobody${++people}@litware.example`;
    const pages: ReturnType<typeof comparable>[] = [];
    for (const address of [email, unknown]) {
      const count = address === email ? 8 : 10;
      for (let mail = 0; mail < count; mail++) await enterAddress(new GuestBrowser(), address);
      const page = await enterAddress(new GuestBrowser(), address);
      expect(page.html).toContain('Too many requests');
      pages.push(comparable(page, address));
    }
    expect(pages[0]).toEqual(pages[1]);
  });

  it('from signing in at the provider with an account nobody here has', async () => {
    const { email } = await acceptedByProvider();
    const pages: ReturnType<typeof comparable>[] = [];
    for (const typed of [email, `nobody${++people}@fabrikam.example`]) {
      const browser = new GuestBrowser();
      const back = await toProvider(await enterAddress(browser, typed), browser, `stranger@fabrikam.example`);
      const page = await browser.get(back);
      expect(page.html).toContain('Nobody here signs in with this account');
      expect(browser.cookies.has(cookieName())).toBe(false);
      pages.push(comparable(page, typed));
    }
    expect(pages[0]).toEqual(pages[1]);
  });
});

describe('an address signs nobody in', () => {
  it('who accepted with an identity of a provider, when the provider is gone and a passcode is the way', async () => {
    const other = await gateway.createTenant({ displayName: 'Contoso' });
    const gone = await addPartner(gateway, other.id, 'gone.example', 'Gone');
    const guest = await gateway.inviteUser({ tenantId: other.id, email: 'ada@gone.example' });
    const first = new GuestBrowser();
    const leaving = await first.submit(await startAt(first, guest.redeemUrl), '/sign-in');
    const consent = await first.get(await signInAt(gone.provider, leaving.refreshTo ?? '', 'ada@gone.example'));
    await first.submit(consent, '/accept');
    await gateway.ask(
      'mutation ($input: UpdateIdentityProviderInput!) { updateIdentityProvider(input: $input) { userErrors { code } } }',
      { input: { identityProviderId: gone.providerId, enabled: false } },
    );
    await gone.provider.stop();
    const browser = new GuestBrowser();
    const start = await browser.get(`${gateway.url}/t/${other.slug}/sign-in`);
    await browser.submit(start, '/sign-in', { email: 'ada@gone.example' });
    await until(
      async () => (await gateway.sql('select from graphile_worker._private_jobs')).length === 0,
      'no job is left',
    );
    expect(passcodesTo(gateway, 'ada@gone.example')).toEqual([]);
  });

  it('who has an invitation that waits: that is accepted by its link', async () => {
    const email = `guest${++people}@litware.example`;
    await gateway.inviteUser({ tenantId: tenant.id, email });
    await gateway.waitForMail(email);
    await enterAddress(new GuestBrowser(), email);
    await until(
      async () => (await gateway.sql('select from graphile_worker._private_jobs')).length === 0,
      'no job is left',
    );
    expect(passcodesTo(gateway, email)).toEqual([]);
  });
});

describe('a sign-in', () => {
  it('works in the browser that began it, once', async () => {
    const { email } = await acceptedByPasscode();
    const [mine, other] = [new GuestBrowser(), new GuestBrowser()];
    const before = passcodesTo(gateway, email).length;
    const page = await enterAddress(mine, email);
    const passcode = await until(() => passcodesTo(gateway, email)[before], 'the passcode');
    await other.get(door());
    expect((await other.get(page.url)).status).toBe(404);
    expect((await other.submit(page, '/passcode', { passcode })).status).toBeGreaterThanOrEqual(403);
    await mine.submit(page, '/passcode', { passcode });
    mine.cookies.delete(cookieName());
    const again = await mine.submit(page, '/passcode', { passcode });
    expect(mine.cookies.has(cookieName())).toBe(false);
    expect(again.html).not.toContain('Your apps');
  });

  it('opens one session, also when the last button is pressed twice at once', async () => {
    const { email, externalUserId } = await acceptedByPasscode();
    const browser = new GuestBrowser();
    const before = passcodesTo(gateway, email).length;
    const page = await enterAddress(browser, email);
    const passcode = await until(() => passcodesTo(gateway, email)[before], 'the passcode');
    const count = async () =>
      (await gateway.sql('select from guest_session where external_user_id = $1', [externalUserId])).length;
    const sessions = await count();
    await Promise.all([1, 2, 3].map(() => browser.submit(page, '/passcode', { passcode })));
    expect(await count()).toBe(sessions + 1);
  });

  it('begun by a form of another browser or another site is none', async () => {
    const { email } = await acceptedByPasscode();
    const start = await new GuestBrowser().get(door());
    const victim = new GuestBrowser();
    await victim.get(door());
    expect((await victim.submit(start, '/sign-in', { email })).status).toBe(403);
    const own = await victim.get(door());
    expect((await victim.submit(own, '/sign-in', { email }, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  });

  it('is refused to somebody who is blocked, before and after', async () => {
    const { email, externalUserId, browser } = await acceptedByProvider();
    await setEnabled(externalUserId, false);
    expect((await browser.get(appsUrl())).url.pathname).toBe(`/t/${tenant.slug}/sign-in`);
    const fresh = new GuestBrowser();
    const page = await fresh.get(await toProvider(await enterAddress(fresh, email), fresh, email));
    expect(page.html).toContain('Your guest account is disabled');
    expect(fresh.cookies.has(cookieName())).toBe(false);
    await setEnabled(externalUserId, true);
    expect((await browser.get(appsUrl())).url.pathname).toBe(`/t/${tenant.slug}/sign-in`);
  });

  it('says what is wrong with an address, and keeps it', async () => {
    const page = await enterAddress(new GuestBrowser(), 'not an address');
    expect([page.status, page.html.includes('This is not an e-mail address')]).toEqual([422, true]);
    expect(page.html).toContain('value="not an address"');
  });

  it('is guessed at 25 times an hour, whoever guesses, and then for nobody', async () => {
    const { email } = await acceptedByPasscode();
    for (let flow = 0; flow < 5; flow++) {
      const browser = new GuestBrowser();
      let page = await enterAddress(browser, email);
      for (let wrong = 0; wrong < 5; wrong++) page = await browser.submit(page, '/passcode', { passcode: '00000000' });
    }
    const browser = new GuestBrowser();
    gateway.clock.advance(10 * MINUTE);
    const before = passcodesTo(gateway, email).length;
    const page = await enterAddress(browser, email);
    const passcode = await until(() => passcodesTo(gateway, email)[before], 'the passcode');
    const refused = await browser.submit(page, '/passcode', { passcode });
    expect([refused.status, refused.html.includes('Too many wrong codes')]).toEqual([429, true]);
    gateway.clock.advance(HOUR);
    expect((await signInByPasscode(new GuestBrowser(), email)).url.pathname).toBe(`/t/${tenant.slug}/apps`);
  });

  it('of no tenant there is is not there', async () => {
    for (const slug of ['nobody', 'x', '%00', '..%2F..']) {
      expect([slug, (await new GuestBrowser().get(`${gateway.url}/t/${slug}/sign-in`)).status]).toEqual([slug, 404]);
    }
  });
});

describe('a redeemed link', () => {
  it('shows the way on to whoever is signed in as the guest, and the sign-in to everybody else', async () => {
    const { email, redeemUrl } = await acceptedByPasscode();
    const browser = new GuestBrowser();
    await signInByPasscode(browser, email);
    const mine = await browser.get(redeemUrl);
    expect([mine.status, mine.html.includes('You are a guest of Contoso now')]).toEqual([200, true]);
    const other = (await acceptedByPasscode()).browser;
    for (const stranger of [new GuestBrowser(), other]) {
      const page = await stranger.get(redeemUrl);
      expect([page.status, page.html.includes(`href="/t/${tenant.slug}/sign-in"`)]).toEqual([409, true]);
    }
  });
});

describe('signing out', () => {
  it('ends the session, and the cookie with it', async () => {
    const { browser } = await acceptedByPasscode();
    const stolen = new GuestBrowser();
    for (const [name, value] of browser.cookies) stolen.cookies.set(name, value);
    const apps = await browser.get(appsUrl());
    expect((await browser.submit(apps, '/sign-out')).html).toContain('You are signed out');
    for (const each of [browser, stolen]) {
      expect((await each.get(appsUrl())).url.pathname).toBe(`/t/${tenant.slug}/sign-in`);
    }
  });

  it('needs the form of the session', async () => {
    const { browser } = await acceptedByPasscode();
    const foreign = await (await acceptedByPasscode()).browser.get(appsUrl());
    await browser.submit(foreign, '/sign-out');
    expect((await browser.get(appsUrl())).html).toContain('Your apps at Contoso');
  });

  it('after eight hours without use goes by itself, and use keeps it', async () => {
    const { browser } = await acceptedByPasscode();
    gateway.clock.advance(5 * HOUR);
    expect((await browser.get(appsUrl())).html).toContain('Your apps at Contoso');
    gateway.clock.advance(5 * HOUR);
    expect((await browser.get(appsUrl())).html).toContain('Your apps at Contoso');
    gateway.clock.advance(8 * HOUR);
    expect((await browser.get(appsUrl())).url.pathname).toBe(`/t/${tenant.slug}/sign-in`);
  });
});

it('a session of one tenant opens nothing of another', async () => {
  const { browser } = await acceptedByPasscode();
  const other = await gateway.createTenant({ displayName: 'Northwind' });
  browser.cookies.set(`vestibule_s_${other.id.slice(4)}`, browser.cookies.get(cookieName()) ?? '');
  expect((await browser.get(`${gateway.url}/t/${other.slug}/apps`)).url.pathname).toBe(`/t/${other.slug}/sign-in`);
});
