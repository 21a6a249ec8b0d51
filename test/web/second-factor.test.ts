import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret, TOTP } from 'otpauth';
import { SECOND } from '../../src/kernel/clock.js';
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
afterEach(async () => {
  delete partner.provider.quirks.amr;
  await require2fa(false);
  await trust(false);
});
afterAll(async () => {
  await partner.provider.stop();
  await gateway.stop();
});

const seedOn = ({ html }: WebPage) => (/<code class="seed">([^<]*)</.exec(html)?.[1] ?? '').replaceAll(' ', '');
const codesOn = ({ html }: WebPage) => [...html.matchAll(/<li><code>([^<]*)<\/code>/g)].map(([, code = '']) => code);
const codeOf = (seed: string) =>
  new TOTP({ secret: Secret.fromBase32(seed) }).generate({ timestamp: gateway.clock.now().getTime() });
const nextStep = () => gateway.clock.advance(30 * SECOND);
const newAddress = (domain = 'litware.example') => `guest${++people}@${domain}`;

async function require2fa(required: boolean): Promise<void> {
  const data = await gateway.ask(
    `mutation ($input: UpdateSecondFactorPolicyInput!) {
      updateSecondFactorPolicy(input: $input) { tenant { secondFactorRequired } userErrors { code } }
    }`,
    { input: { tenantId: tenant.id, required } },
  );
  expect(data.updateSecondFactorPolicy).toEqual({ tenant: { secondFactorRequired: required }, userErrors: [] });
}

async function trust(trustsSecondFactor: boolean): Promise<void> {
  const data = await gateway.ask(
    `mutation ($input: UpdateIdentityProviderInput!) {
      updateIdentityProvider(input: $input) { identityProvider { trustsSecondFactor } userErrors { code } }
    }`,
    { input: { identityProviderId: partner.providerId, trustsSecondFactor } },
  );
  expect(data.updateIdentityProvider.identityProvider).toEqual({ trustsSecondFactor });
}

async function setUpTotp(browser: GuestBrowser, page: WebPage): Promise<{ seed: string; codes: WebPage }> {
  expect(page.html).toContain('Set up a second factor');
  const totp = await browser.get(`${page.url.href}/second-factor/totp`);
  const seed = seedOn(totp);
  return { seed, codes: await browser.submit(totp, '/second-factor/totp', { code: codeOf(seed) }) };
}

async function signInByPasscode(browser: GuestBrowser, email: string): Promise<WebPage> {
  const before = passcodesTo(gateway, email).length;
  const start = await browser.get(`${gateway.url}/t/${tenant.slug}/sign-in`);
  const page = await browser.submit(start, '/sign-in', { email });
  const passcode = await until(() => passcodesTo(gateway, email)[before], 'the passcode');
  return browser.submit(page, '/passcode', { passcode });
}

/** Accepted with an authenticator app set up on the way. */
async function guestWithTotp() {
  await require2fa(true);
  const email = newAddress();
  const { redeemUrl, id, externalUserId } = await gateway.inviteUser({ tenantId: tenant.id, email });
  const browser = new GuestBrowser();
  const { seed, codes } = await setUpTotp(browser, await proveByPasscode(gateway, browser, redeemUrl, email));
  await browser.submit(await browser.submit(codes, '/second-factor/done'), '/accept');
  await require2fa(false);
  return { email, seed, codes: codesOn(codes), invitationId: id, externalUserId, browser };
}

async function lastSession(externalUserId: string) {
  const [session] = await gateway.sql<{ amr: string[]; shown: boolean }>(
    `select amr, second_factor_at is not null as shown from guest_session
     where external_user_id = $1 and ended_at is null order by created_at desc limit 1`,
    [externalUserId],
  );
  return session && { ...session, amr: session.amr.sort() };
}

describe('a tenant that asks for a second factor', () => {
  it('has a guest set one up between proof and consent, and the session says that it was shown', async () => {
    await require2fa(true);
    const email = newAddress();
    const { redeemUrl, externalUserId } = await gateway.inviteUser({ tenantId: tenant.id, email });
    const browser = new GuestBrowser();
    const asked = await proveByPasscode(gateway, browser, redeemUrl, email);
    expect(asked.html).not.toContain('consentVersion');
    expect(asked.forms.some(({ action }) => action.endsWith('/decline'))).toBe(true);
    const { codes } = await setUpTotp(browser, asked);
    expect(codesOn(codes)).toHaveLength(10);
    const consent = await browser.submit(codes, '/second-factor/done');
    await browser.submit(consent, '/accept');
    expect(await lastSession(externalUserId)).toEqual({ amr: ['mfa', 'otp'], shown: true });
  });

  it('accepts nobody without, whatever form is sent', async () => {
    const email = newAddress();
    const { redeemUrl, id } = await gateway.inviteUser({ tenantId: tenant.id, email });
    const browser = new GuestBrowser();
    const consent = await proveByPasscode(gateway, browser, redeemUrl, email);
    await require2fa(true);
    const refused = await browser.submit(consent, '/accept');
    expect(refused.status).toBe(403);
    expect(refused.html).toContain('Set up a second factor');
    expect(await gateway.sql('select status from invitation where id = $1', [id])).toEqual([{ status: 'PENDING' }]);
  });

  it('refuses a redemption over GraphQL, where none can be shown', async () => {
    await require2fa(true);
    const email = newAddress();
    const { redeemUrl } = await gateway.inviteUser({ tenantId: tenant.id, email });
    const begun = await gateway.gql(
      `mutation ($input: BeginRedemptionInput!) { beginRedemption(input: $input) { redemption { id consentVersion methods { kind } } } }`,
      { input: { token: redeemUrl.slice(redeemUrl.lastIndexOf('/') + 1) } },
      { key: null },
    );
    const { id: redemptionId, consentVersion, methods } = begun.data.beginRedemption.redemption;
    expect(methods).toEqual([{ kind: 'EMAIL_PASSCODE' }]);
    await gateway.gql(
      'mutation ($input: RedemptionIdInput!) { sendRedemptionPasscode(input: $input) { userErrors { code } } }',
      { input: { redemptionId } },
      { key: null },
    );
    const passcode = await until(() => passcodesTo(gateway, email)[0], 'the passcode');
    const redeemed = await gateway.gql(
      'mutation ($input: RedeemInvitationInput!) { redeemInvitation(input: $input) { redemption { status } userErrors { code } } }',
      { input: { redemptionId, passcode, consent: true, consentVersion } },
      { key: null },
    );
    expect(redeemed.data.redeemInvitation).toEqual({
      redemption: null,
      userErrors: [{ code: 'SECOND_FACTOR_REQUIRED' }],
    });
  });

  it('asks who comes back without one to set it up, before there is a session', async () => {
    const email = newAddress();
    const { redeemUrl, externalUserId } = await gateway.inviteUser({ tenantId: tenant.id, email });
    const first = new GuestBrowser();
    await first.submit(await proveByPasscode(gateway, first, redeemUrl, email), '/accept');
    await require2fa(true);
    const browser = new GuestBrowser();
    const asked = await signInByPasscode(browser, email);
    expect([...browser.cookies.keys()].some((name) => name.startsWith('vestibule_s_'))).toBe(false);
    const { codes } = await setUpTotp(browser, asked);
    const done = await browser.get(asked.url);
    expect(done.html).toContain('Your second factor is set up');
    const apps = await browser.submit(codes, '/second-factor/done');
    expect(apps.url.pathname).toBe(`/t/${tenant.slug}/apps`);
    expect(await lastSession(externalUserId)).toEqual({ amr: ['mfa', 'otp'], shown: true });
  });
});

describe('a guest with an authenticator app', () => {
  it('is asked for a code at every sign-in, also where the tenant asks for none', async () => {
    const { email, seed, externalUserId } = await guestWithTotp();
    nextStep();
    const browser = new GuestBrowser();
    const asked = await signInByPasscode(browser, email);
    expect(asked.html).toContain('Confirm that it is you');
    expect((await browser.submit(asked, '/second-factor/code', { code: '000000' })).status).toBe(422);
    const apps = await browser.submit(asked, '/second-factor/code', { code: codeOf(seed) });
    expect(apps.url.pathname).toBe(`/t/${tenant.slug}/apps`);
    expect(await lastSession(externalUserId)).toEqual({ amr: ['mfa', 'otp'], shown: true });
  });

  it('gets in with a recovery code', async () => {
    const { email, codes } = await guestWithTotp();
    const browser = new GuestBrowser();
    const apps = await browser.submit(await signInByPasscode(browser, email), '/second-factor/code', {
      code: codes[3] ?? '',
    });
    expect(apps.url.pathname).toBe(`/t/${tenant.slug}/apps`);
  });

  it('cannot put another factor in its place with the mailbox alone', async () => {
    const { email, externalUserId } = await guestWithTotp();
    const browser = new GuestBrowser();
    const asked = await signInByPasscode(browser, email);
    const csrf = asked.forms[0]?.fields.csrf ?? '';
    const totp = await browser.get(`${asked.url.href}/second-factor/totp`);
    const seed = seedOn(totp);
    const form = { csrf, seed: totp.forms[0]?.fields.seed ?? '', code: seed ? codeOf(seed) : '' };
    const refused = await browser.post(`${asked.url.href}/second-factor/totp`, form);
    expect([refused.status, refused.html.includes('recovery codes</h1>')]).toEqual([403, false]);
    for (const part of ['/second-factor/done', '/accept', '/second-factor/passkey']) {
      await browser.post(`${asked.url.href}${part}`, { csrf });
      expect([...browser.cookies.keys()].some((name) => name.startsWith('vestibule_s_'))).toBe(false);
    }
    expect(await gateway.sql('select from totp where external_user_id = $1', [externalUserId])).toHaveLength(1);
  });

  it('is asked anew by the same flow when the proof was given anew', async () => {
    const { email, seed } = await guestWithTotp();
    nextStep();
    const browser = new GuestBrowser();
    const asked = await signInByPasscode(browser, email);
    gateway.clock.advance(16 * 60 * SECOND);
    const late = await browser.submit(asked, '/second-factor/code', { code: codeOf(seed) });
    expect(late.url.pathname).not.toBe(`/t/${tenant.slug}/apps`);
    expect([...browser.cookies.keys()].some((name) => name.startsWith('vestibule_s_'))).toBe(false);
  });
});

describe('a second factor at the organisation', () => {
  async function redeemAtProvider(): Promise<{ page: WebPage; browser: GuestBrowser; externalUserId: string }> {
    const email = newAddress('fabrikam.example');
    const { redeemUrl, externalUserId } = await gateway.inviteUser({ tenantId: tenant.id, email });
    const browser = new GuestBrowser();
    const leaving = await browser.submit(await startAt(browser, redeemUrl), '/sign-in');
    const page = await browser.get(await signInAt(partner.provider, leaving.refreshTo ?? '', email));
    return { page, browser, externalUserId };
  }

  it('is enough where the provider is trusted and says so', async () => {
    await require2fa(true);
    await trust(true);
    partner.provider.quirks.amr = ['pwd', 'mfa'];
    const { page, browser, externalUserId } = await redeemAtProvider();
    await browser.submit(page, '/accept');
    expect(await lastSession(externalUserId)).toEqual({ amr: ['fed', 'mfa'], shown: true });
  });

  it('is not enough where the provider is not trusted, or does not say so', async () => {
    await require2fa(true);
    partner.provider.quirks.amr = ['pwd', 'mfa'];
    expect((await redeemAtProvider()).page.html).toContain('Set up a second factor');
    await trust(true);
    partner.provider.quirks.amr = ['pwd'];
    expect((await redeemAtProvider()).page.html).toContain('Set up a second factor');
  });

  it('is enough where the partner of the domain is trusted', async () => {
    await require2fa(true);
    const data = await gateway.ask(
      'mutation ($input: CreatePartnerInput!) { createPartner(input: $input) { partner { id } userErrors { code } } }',
      {
        input: {
          tenantId: tenant.id,
          displayName: 'Fabrikam',
          domains: ['fabrikam.example'],
          trustsSecondFactor: true,
        },
      },
    );
    partner.provider.quirks.amr = ['mfa'];
    expect((await redeemAtProvider()).page.html).toContain('consentVersion');
    await gateway.ask('mutation ($input: PartnerIdInput!) { deletePartner(input: $input) { userErrors { code } } }', {
      input: { partnerId: data.createPartner.partner.id },
    });
  });
});

describe('an app that asks for a second factor', () => {
  const stepUp = () =>
    `${gateway.url}/t/${tenant.slug}/second-factor?return_to=${encodeURIComponent(`/t/${tenant.slug}/apps`)}`;

  it('has who is signed in without one set it up, and go on to where they wanted', async () => {
    const email = newAddress();
    const { redeemUrl, externalUserId } = await gateway.inviteUser({ tenantId: tenant.id, email });
    const browser = new GuestBrowser();
    await browser.submit(await proveByPasscode(gateway, browser, redeemUrl, email), '/accept');
    const page = await browser.get(stepUp());
    expect(page.html).toContain('Set up a second factor');
    const totp = await browser.get(`${page.url.origin}${page.url.pathname}/totp${page.url.search}`);
    const codes = await browser.post(new URL(totp.forms[0]?.action ?? '', page.url), {
      ...totp.forms[0]?.fields,
      code: codeOf(seedOn(totp)),
    });
    expect(codesOn(codes)).toHaveLength(10);
    expect(codes.html).toContain(`href="/t/${tenant.slug}/apps"`);
    expect(await lastSession(externalUserId)).toMatchObject({ shown: true });
  });

  it('has them sign in anew first, when that was long ago', async () => {
    const email = newAddress();
    const { redeemUrl } = await gateway.inviteUser({ tenantId: tenant.id, email });
    const browser = new GuestBrowser();
    await browser.submit(await proveByPasscode(gateway, browser, redeemUrl, email), '/accept');
    gateway.clock.advance(16 * 60 * SECOND);
    const page = await browser.get(stepUp());
    expect([page.url.pathname, page.url.searchParams.get('prompt')]).toEqual([`/t/${tenant.slug}/sign-in`, 'login']);
    expect(page.url.searchParams.get('return_to')).toContain('/second-factor?return_to=');
  });
});
