/** Guests of every organisation of Entra, and of Google, by presets: found by their domain, believed by their own claims. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { JWTPayload } from 'jose';
import { DAY } from '../../src/kernel/clock.js';
import { type ClaimsProvider, entraClaims, googleClaims, startClaimsProvider } from '../support/claims-provider.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { GuestBrowser, passcodesTo, requestPasscode, startAt, type WebPage } from './guest-browser.js';

const FABRIKAM = '3f1d0c52-1111-4222-8333-444455556666';
const LITWARE = '9a9a9a9a-1111-4222-8333-444455556666';
const organizations: Record<string, string> = { 'fabrikam.example': FABRIKAM, 'litware.example': LITWARE };

let gateway: TestGateway;
let tenantId: string;
let slug: string;
let anyOrganization: string;
let entra: ClaimsProvider;
let changes: JWTPayload = {};
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
  ({ id: tenantId, slug } = await gateway.createTenant({ displayName: 'Contoso' }));
  entra = await startClaimsProvider({
    claimsOf: (email, path) => entraClaims(email, path, changes),
    issuerPath: (path) => {
      const [, asked = ''] = path.split('/');
      const id = Object.values(organizations).includes(asked) ? asked : organizations[asked];
      return id === undefined ? null : `/${id}/v2.0`;
    },
  });
  anyOrganization = await addProvider({ preset: 'ENTRA_ANY_ORGANIZATION', issuer: `${entra.origin}/{tenantid}/v2.0` });
});
afterEach(() => {
  changes = {};
  entra.isDown = false;
});
afterAll(async () => {
  await entra.stop();
  await gateway.stop();
});

async function addProvider(oidc: object, displayName = 'Microsoft'): Promise<string> {
  const { createIdentityProvider } = await gateway.ask(
    'mutation ($input: CreateIdentityProviderInput!) { createIdentityProvider(input: $input) { identityProvider { id } userErrors { code field } } }',
    {
      input: {
        tenantId,
        kind: 'OIDC',
        displayName,
        domains: [],
        oidc: { clientId: 'vestibule', clientSecret: 'a secret', ...oidc },
      },
    },
  );
  return createIdentityProvider.identityProvider.id;
}

async function invite(domain = 'fabrikam.example') {
  const email = `guest${++people}@${domain}`;
  return { email, ...(await gateway.inviteUser({ tenantId, email })) };
}

const steps = (page: WebPage) => page.forms.map(({ action }) => action.split('/').slice(3).join('/'));

/** To the provider and back. */
async function signIn(browser: GuestBrowser, page: WebPage, provider = entra, email?: string): Promise<WebPage> {
  const leaving = await browser.submit(page, '/sign-in');
  return browser.get(await provider.signIn(leaving.refreshTo ?? '', email));
}

const identitiesOf = (externalUserId: string) =>
  gateway.sql('select issuer, subject, sign_in_type from identity where external_user_id = $1', [externalUserId]);

describe('a guest of an organisation of Entra', () => {
  it('is sent to the organisation of the domain and linked by tid and oid', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const started = await startAt(browser, guest.redeemUrl);
    expect(steps(started)).toEqual(['sign-in', 'decline']);
    await browser.submit(await signIn(browser, started), '/accept');
    expect(await identitiesOf(guest.externalUserId)).toEqual([
      {
        issuer: `${entra.origin}/${FABRIKAM}/v2.0`,
        subject: expect.stringContaining(`${FABRIKAM}.`),
        sign_in_type: 'OIDC',
      },
    ]);
  });

  it('whose address Entra does not vouch for shows it once by a passcode, and is linked all the same', async () => {
    changes = { xms_edov: undefined };
    const guest = await invite();
    const browser = new GuestBrowser();
    const started = await startAt(browser, guest.redeemUrl);
    const back = await signIn(browser, started);
    expect(steps(back)).toEqual(['passcode/send', 'decline', 'sign-in']);
    expect(back.html).toContain('You are signed in at Microsoft');
    const { page, passcode } = await requestPasscode(gateway, browser, back, guest.email);
    await browser.submit(await browser.submit(page, '/passcode', { passcode }), '/accept');
    expect(await identitiesOf(guest.externalUserId)).toEqual([
      expect.objectContaining({ subject: expect.stringContaining(`${FABRIKAM}.`), sign_in_type: 'OIDC' }),
    ]);
  });

  it('gets no passcode before signing in', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const { url, forms } = await startAt(browser, guest.redeemUrl);
    const csrf = forms[0]?.fields.csrf ?? '';
    expect((await browser.post(`${url}/passcode/send`, { csrf })).status).toBe(403);
  });

  it.each([
    ['is a guest there', { acct: 1 }],
    ['is at home elsewhere', { acct: undefined, idp: 'https://sts.windows.net/elsewhere/' }],
  ])('who %s is refused, and gets no passcode either', async (_name, claims) => {
    changes = claims;
    const guest = await invite();
    const browser = new GuestBrowser();
    const page = await signIn(browser, await startAt(browser, guest.redeemUrl));
    expect([page.html.includes('IDENTITY_UNVERIFIED') || page.html.includes('not confirmed'), steps(page)]).toEqual([
      true,
      ['sign-in', 'decline'],
    ]);
  });

  it('who signed in as somebody else there is refused, whether the address is vouched for or not', async () => {
    for (const xms_edov of [true, undefined]) {
      changes = { xms_edov };
      const guest = await invite();
      const browser = new GuestBrowser();
      const started = await startAt(browser, guest.redeemUrl);
      const page = await signIn(browser, started, entra, 'boss@fabrikam.example');
      const refused = [page.html.includes('not confirmed') || page.html.includes('another account'), steps(page)];
      expect(refused).toEqual([true, ['sign-in', 'decline']]);
    }
  });

  it('proves nothing with an answer of another organisation', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const leaving = await browser.submit(await startAt(browser, guest.redeemUrl), '/sign-in');
    const elsewhere = (leaving.refreshTo ?? '').replace(FABRIKAM, LITWARE);
    const page = await browser.get(await entra.signIn(elsewhere, guest.email));
    expect(page.html).toContain('does not answer');
  });

  it('proves nothing any more once the domain belongs to another organisation', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const consent = await signIn(browser, await startAt(browser, guest.redeemUrl));
    organizations['fabrikam.example'] = LITWARE;
    await gateway.sql("update entra_organization set checked_at = checked_at - interval '2 days'");
    await startAt(new GuestBrowser(), (await invite()).redeemUrl);
    organizations['fabrikam.example'] = FABRIKAM;
    expect((await browser.submit(consent, '/accept')).status).toBe(403);
    await gateway.sql('delete from entra_organization');
  });
});

describe('a guest who has signed in and has only the address left to show', () => {
  const enable = (enabled: boolean) =>
    gateway.ask(
      'mutation ($input: UpdateIdentityProviderInput!) { updateIdentityProvider(input: $input) { userErrors { code } } }',
      { input: { identityProviderId: anyOrganization, enabled } },
    );

  async function halfWay() {
    changes = { xms_edov: undefined };
    const guest = await invite();
    const browser = new GuestBrowser();
    return { guest, browser, page: await signIn(browser, await startAt(browser, guest.redeemUrl)) };
  }

  it('gets no passcode any more once the domain belongs to another organisation', async () => {
    const { browser, page } = await halfWay();
    await gateway.sql('update entra_organization set issuer = $1', [`${entra.origin}/${LITWARE}/v2.0`]);
    const refused = await browser.submit(page, '/passcode/send');
    expect([refused.status, steps(refused)]).toEqual([403, ['sign-in', 'decline']]);
    await gateway.sql('delete from entra_organization');
  });

  it('is known by the passcode alone once the provider is not entitled any more', async () => {
    const { guest, browser, page } = await halfWay();
    await enable(false);
    const { page: next, passcode } = await requestPasscode(gateway, browser, page, guest.email);
    await browser.submit(await browser.submit(next, '/passcode', { passcode }), '/accept');
    await enable(true);
    expect(await identitiesOf(guest.externalUserId)).toEqual([
      { issuer: 'mail', subject: guest.email, sign_in_type: 'EMAIL_PASSCODE' },
    ]);
  });

  it('is asked for the address no second time: signing in again is enough, and can be ended at Entra, too', async () => {
    const { guest, browser, page } = await halfWay();
    const { page: next, passcode } = await requestPasscode(gateway, browser, page, guest.email);
    await browser.submit(await browser.submit(next, '/passcode', { passcode }), '/accept');
    const later = new GuestBrowser();
    const door = await later.get(`${gateway.url}/t/${slug}/sign-in`);
    const begun = await later.submit(door, '/sign-in', { email: guest.email });
    expect(begun.html).toContain('Continue with Microsoft');
    const back = await signIn(later, begun);
    expect(back.url.pathname).toBe(`/t/${slug}/apps`);
    expect(passcodesTo(gateway, guest.email)).toHaveLength(1);

    const out = await later.submit(back, '/sign-out');
    const path = /href="([^"]*sign-out[^"]*)"[^>]*>Sign out at Microsoft, too/.exec(out.html)?.[1] ?? '';
    const leaving = await fetch(new URL(path, gateway.url), { redirect: 'manual' });
    expect(leaving.headers.get('location')).toBe(`${entra.origin}/${FABRIKAM}/v2.0/logout?client_id=vestibule`);
  });
});

describe('whether a domain is an organisation', () => {
  it('is asked once a day, and a domain that is none goes by passcode', async () => {
    const asked = () => entra.discoveries.filter((path) => path.includes('other.test')).length;
    const guests = [await invite('other.test'), await invite('other.test')];
    for (const { redeemUrl } of guests)
      expect(steps(await startAt(new GuestBrowser(), redeemUrl))).toEqual(['passcode/send', 'decline']);
    expect(asked()).toBe(1);
    await gateway.sql('update entra_organization set checked_at = $1', [new Date(Date.now() - 2 * DAY)]);
    await startAt(new GuestBrowser(), (await invite('other.test')).redeemUrl);
    expect(asked()).toBe(2);
  });

  it('stays open while Entra does not answer, which adds no other way in', async () => {
    const [organisation, none] = [await invite('litware.example'), await invite('unknown.test')];
    entra.isDown = true;
    const browsers = [new GuestBrowser(), new GuestBrowser()] as const;
    const pages = [
      await startAt(browsers[0], organisation.redeemUrl),
      await startAt(browsers[1], none.redeemUrl),
    ] as const;
    for (const page of pages) expect(steps(page)).toEqual(['sign-in', 'decline']);
    expect((await browsers[0].submit(pages[0], '/sign-in')).status).toBe(503);
    entra.isDown = false;
    expect((await signIn(browsers[0], pages[0])).html).toContain('/accept');
    expect(steps(await browsers[1].submit(pages[1], '/sign-in'))).toEqual(['passcode/send', 'decline']);
  });

  it('is told to an operator who asks before inviting', async () => {
    const explain = (email: string) =>
      gateway.ask(
        'query ($tenantId: ID!, $email: String!) { explainRedemption(tenantId: $tenantId, email: $email) { methods { kind rule } warnings { code } } }',
        { tenantId, email },
      );
    const { explainRedemption: found } = await explain('new@litware.example');
    expect(found).toEqual({ methods: [{ kind: 'OIDC', rule: 'ENTRA_ORGANIZATION' }], warnings: [] });
    entra.isDown = true;
    const { explainRedemption: open } = await explain('new@asked-later.test');
    expect(open.warnings).toEqual([{ code: 'ORGANIZATION_UNKNOWN' }]);
  });
});

it('a guest with a mailbox at Google signs in there, by its own claims', async () => {
  const google = await startClaimsProvider({ claimsOf: (email) => googleClaims(email) });
  const providerId = await addProvider({ preset: 'GOOGLE', issuer: google.origin }, 'Google');
  const guest = await invite('gmail.com');
  const browser = new GuestBrowser();
  const started = await startAt(browser, guest.redeemUrl);
  expect(started.html).toContain('Continue with Google');
  await browser.submit(await signIn(browser, started, google), '/accept');
  expect(
    await gateway.sql('select identity_provider_id from identity where external_user_id = $1', [guest.externalUserId]),
  ).toEqual([{ identity_provider_id: providerId }]);
  await google.stop();
});
