/** Passkeys in a real Chromium with a virtual authenticator (WebAuthn over the DevTools protocol). */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import chromium from '@sparticuz/chromium';
import { type Browser, type CDPSession, type Page, chromium as playwright } from 'playwright-core';
import { MINUTE } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { passcodesTo } from './guest-browser.js';
import { type SignedInGuest, signInGuest } from './signed-in-guest.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let browser: Browser;
let people = 0;

beforeAll(async () => {
  // Passkeys need a host name; browsers take this one for safe without TLS.
  gateway = await startTestGateway({ env: { PUBLIC_URL: 'http://localhost:0' } });
  tenant = await gateway.createTenant({ displayName: 'Contoso' });
  browser = await playwright.launch({ executablePath: await chromium.executablePath(), args: ['--no-sandbox'] });
}, 60_000);
afterAll(async () => {
  await browser.close();
  await gateway.stop();
});

interface Device {
  guest: SignedInGuest;
  page: Page;
  authenticator: Authenticator;
  violations: string[];
}

interface Authenticator {
  cdp: CDPSession;
  id: string;
}

/** The guest's session in a browser with an authenticator that verifies its person. */
async function openDevice(guest?: SignedInGuest): Promise<Device> {
  const signedIn = guest ?? (await signInGuest(gateway, tenant, `guest${++people}@fabrikam.example`));
  const context = await browser.newContext();
  await context.addCookies(
    [...signedIn.browser.cookies].map(([name, value]) => ({ name, value, url: gateway.url, sameSite: 'Lax' as const })),
  );
  const page = await context.newPage();
  const violations: string[] = [];
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) violations.push(message.text());
  });
  page.on('pageerror', (error) => violations.push(error.message));
  return { guest: signedIn, page, authenticator: await addAuthenticator(page), violations };
}

async function addAuthenticator(page: Page, isUserVerified = true): Promise<Authenticator> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified,
      automaticPresenceSimulation: true,
    },
  });
  return { cdp, id: authenticatorId };
}

async function addPasskey({ page, guest }: Device, label: string): Promise<void> {
  await page.goto(guest.page('/account/security'));
  await page.getByRole('link', { name: 'Add a passkey' }).click();
  await page.getByLabel('Name of the passkey').fill(label);
  await page.getByRole('button', { name: 'Create passkey' }).click();
}

function requireSecondFactor(required: boolean) {
  return gateway.ask(
    'mutation ($input: UpdateSecondFactorPolicyInput!) { updateSecondFactorPolicy(input: $input) { userErrors { code } } }',
    { input: { tenantId: tenant.id, required } },
  );
}

async function passkeysOf({ externalUserId }: SignedInGuest) {
  return gateway.sql<{ label: string; counter: string; used: boolean }>(
    'select label, counter, last_used_at is not null as used from passkey where external_user_id = $1 order by created_at',
    [externalUserId],
  );
}

describe('a passkey', () => {
  it('is made in the browser, under a policy that lets only the two scripts of the page run', async () => {
    const device = await openDevice();
    await addPasskey(device, 'Work laptop');
    await device.page.getByRole('heading', { name: 'Your recovery codes' }).waitFor();
    await device.page.getByRole('link', { name: 'I have kept them' }).click();
    expect(await device.page.getByText('Work laptop').count()).toBe(1);
    expect(await passkeysOf(device.guest)).toMatchObject([{ label: 'Work laptop', used: false }]);
    const { credentials } = await device.authenticator.cdp.send('WebAuthn.getCredentials', {
      authenticatorId: device.authenticator.id,
    });
    expect(credentials).toMatchObject([{ rpId: 'localhost', isResidentCredential: true }]);
    expect(device.violations).toEqual([]);
  });

  it('confirms a session as a second factor, and its counter moves on', async () => {
    const device = await openDevice();
    await addPasskey(device, '');
    await device.page.getByRole('link', { name: 'I have kept them' }).click();
    gateway.clock.advance(16 * MINUTE);
    await device.page.goto(device.guest.page('/account/security'));
    await device.page.getByRole('link', { name: 'Confirm' }).click();
    await device.page.getByRole('button', { name: 'Use passkey' }).click();
    await device.page.getByRole('link', { name: 'Add a passkey' }).waitFor();
    const [passkey] = await passkeysOf(device.guest);
    expect(passkey).toMatchObject({ used: true });
    expect(Number(passkey?.counter)).toBeGreaterThan(0);
    expect(device.violations).toEqual([]);
  });

  it('that was copied, with a counter that does not grow, is refused', async () => {
    const device = await openDevice();
    await addPasskey(device, '');
    await device.page.getByRole('link', { name: 'I have kept them' }).click();
    await gateway.sql('update passkey set counter = 1000 where external_user_id = $1', [device.guest.externalUserId]);
    await device.page.goto(device.guest.page('/second-factor'));
    await device.page.getByRole('button', { name: 'Use passkey' }).click();
    await device.page.getByText('This passkey was not accepted').waitFor();
  });

  it('counts for its own user only', async () => {
    const device = await openDevice();
    await addPasskey(device, '');
    await device.page.getByRole('link', { name: 'I have kept them' }).click();
    const { externalUserId } = device.guest;
    // So that there is a second factor to show still.
    await gateway.sql(
      "insert into totp (external_user_id, tenant_id, sealed_seed, last_step, created_at) values ($1, $2, '', 0, now())",
      [externalUserId, tenant.id],
    );
    await device.page.goto(device.guest.page('/second-factor/passkey'));
    const other = await signInGuest(gateway, tenant, `guest${++people}@fabrikam.example`);
    await gateway.sql('update passkey set external_user_id = $2 where external_user_id = $1', [
      externalUserId,
      other.externalUserId,
    ]);
    await device.page.getByRole('button', { name: 'Use passkey' }).click();
    await device.page.getByText('This passkey was not accepted').waitFor();
    expect(await passkeysOf(other)).toMatchObject([{ used: false }]);
  });

  it('without the person (no fingerprint, face or PIN) is neither made nor used', async () => {
    const device = await openDevice();
    await device.authenticator.cdp.send('WebAuthn.setUserVerified', {
      authenticatorId: device.authenticator.id,
      isUserVerified: false,
    });
    await addPasskey(device, '');
    await device.page.getByText('The passkey could not be used').waitFor();
    expect(await passkeysOf(device.guest)).toEqual([]);
  });
});

async function openPasskeyPage(page: Page, email: string): Promise<void> {
  await page.goto(`${gateway.url}/t/${tenant.slug}/sign-in`);
  await page.getByRole('link', { name: 'I have a passkey or a password here' }).click();
  await page.getByLabel('address').fill(email);
  await page.getByRole('button').first().click();
  await page.getByRole('link', { name: 'Use a passkey' }).click();
}

describe('a guest with a passkey', () => {
  /** As after signing out: the authenticator stays, the session is gone. */
  async function signedOutDevice(): Promise<Device> {
    const device = await openDevice();
    await addPasskey(device, 'Phone');
    await device.page.getByRole('link', { name: 'I have kept them' }).click();
    await device.page.context().clearCookies();
    return device;
  }

  it('signs in with it alone, and that counts as two factors', async () => {
    const device = await signedOutDevice();
    await requireSecondFactor(true);
    await openPasskeyPage(device.page, device.guest.email);
    await device.page.getByRole('button', { name: 'Use passkey' }).click();
    await device.page.waitForURL('**/apps');
    const [session] = await gateway.sql<{ amr: string[]; shown: boolean; kind: string }>(
      `select s.amr, s.second_factor_at is not null as shown, i.sign_in_type as kind
       from guest_session s join identity i on i.id = s.identity_id
       where s.external_user_id = $1 order by s.created_at desc limit 1`,
      [device.guest.externalUserId],
    );
    expect(session).toEqual({ amr: ['pop', 'user', 'mfa'], shown: true, kind: 'LOCAL' });
    expect(device.violations).toEqual([]);
    await requireSecondFactor(false);
  });

  it('does not sign in as somebody else, whose address was typed', async () => {
    const device = await signedOutDevice();
    const other = await signInGuest(gateway, tenant, `guest${++people}@fabrikam.example`);
    for (const email of [other.email, 'nobody@fabrikam.example']) {
      await openPasskeyPage(device.page, email);
      await device.page.getByRole('button', { name: 'Use passkey' }).click();
      await device.page.getByText('This passkey was not accepted').waitFor();
    }
  });

  it('is named to nobody who types the address', async () => {
    const device = await signedOutDevice();
    const optionsFor = async (email: string) => {
      await openPasskeyPage(device.page, email);
      return JSON.parse((await device.page.locator('form[data-passkey]').getAttribute('data-options')) ?? '');
    };
    const { challenge: _one, ...known } = await optionsFor(device.guest.email);
    const { challenge: _other, ...unknown } = await optionsFor('nobody@fabrikam.example');
    expect(known).toEqual(unknown);
    expect(known.allowCredentials).toBeUndefined();
  });
});

describe('a second factor set up on the way', () => {
  it('can be a passkey, in the browser in which an invitation is accepted', async () => {
    await requireSecondFactor(true);
    const email = `guest${++people}@fabrikam.example`;
    const { redeemUrl, id } = await gateway.inviteUser({ tenantId: tenant.id, email });
    const page = await (await browser.newContext()).newPage();
    await addAuthenticator(page);
    await page.goto(redeemUrl);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('button', { name: 'Send code' }).click();
    await page.getByLabel('Code from the mail').fill(await until(() => passcodesTo(gateway, email)[0], 'the passcode'));
    await page.getByRole('button', { name: 'Check code' }).click();
    await page.getByRole('link', { name: 'Passkey' }).click();
    await page.getByRole('button', { name: 'Create passkey' }).click();
    await page.getByRole('button', { name: 'I have kept them' }).click();
    await page.getByRole('button', { name: 'Accept' }).click();
    await page.getByRole('heading', { name: 'You are a guest of Contoso now' }).waitFor();
    expect(await gateway.sql('select status from invitation where id = $1', [id])).toEqual([{ status: 'REDEEMED' }]);
    await page.context().clearCookies();
    await openPasskeyPage(page, email);
    await page.getByRole('button', { name: 'Use passkey' }).click();
    await page.waitForURL('**/apps');
    await requireSecondFactor(false);
  });
});

describe('an answer of a passkey', () => {
  /** The fields of the form as the browser would have sent them. */
  async function interceptAnswer(device: Device, press: () => Promise<void>): Promise<Record<string, string>> {
    const kept = device.page.waitForEvent('requestfailed', (request) => request.method() === 'POST');
    await device.page.route('**/passkey*', (route) =>
      route.request().method() === 'POST' ? route.abort() : route.continue(),
    );
    await press();
    const fields = new URLSearchParams((await kept).postData() ?? '');
    await device.page.unroute('**/passkey*');
    return Object.fromEntries(fields);
  }

  it('is taken once, within ten minutes, and in the session it was asked for', async () => {
    const device = await openDevice();
    const answerNow = () => interceptAnswer(device, () => addPasskey(device, 'Phone'));
    const post = async (guest: SignedInGuest, fields: Record<string, string>) => {
      const { csrf = '' } = (await guest.browser.get(guest.page('/account/security'))).forms[0]?.fields ?? {};
      return guest.browser.post(guest.page('/account/security/passkey'), { ...fields, csrf });
    };

    const late = await answerNow();
    gateway.clock.advance(11 * MINUTE);
    expect((await post(device.guest, late)).status).toBe(422);

    const fields = await answerNow();
    const other = await signInGuest(gateway, tenant, `guest${++people}@fabrikam.example`);
    expect((await post(other, fields)).status).toBe(422);
    expect((await post(device.guest, fields)).status).toBe(200);
    await gateway.sql('delete from passkey where external_user_id = $1', [device.guest.externalUserId]);
    expect((await post(device.guest, fields)).status).toBe(422);
    expect(await passkeysOf(device.guest)).toEqual([]);
  });

  it('that is missing, too long or no JSON is refused', async () => {
    const guest = await signInGuest(gateway, tenant, `guest${++people}@fabrikam.example`);
    const { csrf = '' } = (await guest.browser.get(guest.page('/account/security'))).forms[0]?.fields ?? {};
    for (const answer of ['', '{', 'null', '{"id":1}', '{"id":"x"}', `{"id":"${'x'.repeat(30_000)}"}`]) {
      const page = await guest.browser.post(guest.page('/account/security/passkey'), { csrf, answer });
      expect([answer.slice(0, 20), page.status]).toEqual([answer.slice(0, 20), 422]);
    }
  });
});

it('no other page has a script, or may run one', async () => {
  const guest = await signInGuest(gateway, tenant, `guest${++people}@fabrikam.example`);
  for (const path of ['/account/security', '/account/security/totp', '/second-factor', '/second-factor/code']) {
    const page = await guest.browser.get(guest.page(path));
    expect(page.html).not.toContain('<script');
    expect(page.headers.get('content-security-policy')).not.toContain('script-src');
  }
  const scripted = await guest.browser.get(guest.page('/account/security/passkey'));
  expect(scripted.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(scripted.headers.get('content-security-policy')).toContain("script-src 'self'");
  expect(scripted.headers.get('content-security-policy')).not.toMatch(/unsafe|connect-src/);
});
