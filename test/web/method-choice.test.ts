/** A guest who may prove the address in several ways sees them all, in the tenant's order, and chooses by one click. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import chromium from '@sparticuz/chromium';
import { type Browser, chromium as playwright } from 'playwright-core';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { signInAt } from '../support/openid-provider.js';
import { until } from '../support/until.js';
import { GuestBrowser, passcodesTo, requestPasscode, startAt, type WebPage } from './guest-browser.js';
import { addPartner, type Partner } from './partner.js';

let gateway: TestGateway;
let tenantId: string;
let partner: Partner;
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway({ env: { PUBLIC_URL: 'http://localhost:0', HOST: '127.0.0.1' } });
});
beforeEach(async () => {
  tenantId = (await gateway.createTenant({ displayName: 'Contoso' })).id;
  await partner?.provider.stop();
  partner = await addPartner(gateway, tenantId, 'fabrikam.example');
});
afterAll(async () => {
  await partner.provider.stop();
  await gateway.stop();
});

const setPolicy = (order: string[], fallback: string) =>
  gateway.ask(
    'mutation ($input: UpdateSignInPolicyInput!) { updateSignInPolicy(input: $input) { userErrors { code } } }',
    { input: { tenantId, order, fallback } },
  );

async function invite() {
  const email = `guest${++people}@fabrikam.example`;
  return { email, ...(await gateway.inviteUser({ tenantId, email })) };
}

const steps = (page: WebPage) => page.forms.map(({ action }) => action.split('/').slice(3).join('/'));

describe('with a passcode to fall back to', () => {
  beforeEach(() => setPolicy(['TENANT_PROVIDERS', 'EMAIL_PASSCODE'], 'EMAIL_PASSCODE'));

  it('the provider comes first, the passcode is the other way, and each proves the address', async () => {
    const [byCode, byProvider] = [await invite(), await invite()];
    const browser = new GuestBrowser();
    const choice = await startAt(browser, byCode.redeemUrl);
    expect(steps(choice)).toEqual(['sign-in', 'decline', 'passcode/send']);
    const { page, passcode } = await requestPasscode(gateway, browser, choice, byCode.email);
    expect(steps(page)).toEqual(['passcode', 'passcode/send', 'decline', 'sign-in']);
    expect((await browser.submit(page, '/passcode', { passcode })).html).toContain('/accept');

    const other = new GuestBrowser();
    const leaving = await other.submit(await startAt(other, byProvider.redeemUrl), '/sign-in');
    const back = await signInAt(partner.provider, leaving.refreshTo ?? '', byProvider.email);
    expect((await other.get(back)).html).toContain('/accept');
  });

  it('a guest who asked for a code may still sign in at the provider', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const { page } = await requestPasscode(gateway, browser, await startAt(browser, guest.redeemUrl), guest.email);
    const leaving = await browser.submit(page, '/sign-in');
    const back = await signInAt(partner.provider, leaving.refreshTo ?? '', guest.email);
    expect((await browser.get(back)).html).toContain('/accept');
  });

  it('the order of the tenant is the order on the page', async () => {
    await setPolicy(['EMAIL_PASSCODE', 'TENANT_PROVIDERS'], 'EMAIL_PASSCODE');
    const { redeemUrl } = await invite();
    expect(steps(await startAt(new GuestBrowser(), redeemUrl))).toEqual(['passcode/send', 'decline', 'sign-in']);
  });

  it('a code proves nothing any more once the fallback is taken away', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const choice = await startAt(browser, guest.redeemUrl);
    const { page, passcode } = await requestPasscode(gateway, browser, choice, guest.email);
    await setPolicy(['TENANT_PROVIDERS', 'EMAIL_PASSCODE'], 'NONE');
    const refused = await browser.submit(page, '/passcode', { passcode });
    expect([refused.status, steps(refused)]).toEqual([403, ['sign-in', 'decline']]);
  });

  it('nor does a proof by a code at the accept', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const choice = await startAt(browser, guest.redeemUrl);
    const { page, passcode } = await requestPasscode(gateway, browser, choice, guest.email);
    const consent = await browser.submit(page, '/passcode', { passcode });
    await setPolicy(['TENANT_PROVIDERS', 'EMAIL_PASSCODE'], 'NONE');
    expect((await browser.submit(consent, '/accept')).status).toBe(403);
    expect(await gateway.sql('select status from invitation where id = $1', [guest.id])).toEqual([
      { status: 'PENDING' },
    ]);
  });
});

it('a provider that is down adds no way in where the tenant configured none', async () => {
  const guest = await invite();
  const browser = new GuestBrowser();
  await partner.provider.stop();
  const page = await startAt(browser, guest.redeemUrl);
  const failed = await browser.submit(page, '/sign-in');
  expect([failed.status, steps(failed)]).toEqual([503, ['sign-in', 'decline']]);
});

describe('in a real browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await playwright.launch({ executablePath: await chromium.executablePath(), args: ['--no-sandbox'] });
  }, 60_000);
  afterAll(() => browser.close());

  it('a guest takes the other way by keyboard and by click', async () => {
    await setPolicy(['TENANT_PROVIDERS', 'EMAIL_PASSCODE'], 'EMAIL_PASSCODE');
    const guest = await invite();
    const page = await (await browser.newContext()).newPage();
    await page.goto(guest.redeemUrl);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('button', { name: 'Continue with Fabrikam' }).waitFor();
    if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/choice.png` });
    await page.getByRole('button', { name: 'Get a code by e-mail' }).focus();
    await page.keyboard.press('Enter');
    const code = await until(() => passcodesTo(gateway, guest.email)[0], 'a passcode');
    await page.getByLabel('Code from the mail').fill(code);
    if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/code.png` });
    await page.getByRole('button', { name: 'Check code' }).click();
    await page.getByRole('button', { name: 'Accept' }).click();
    await page.getByText('You are a guest of Contoso now').waitFor();
    expect(await gateway.sql('select status from invitation where id = $1', [guest.id])).toEqual([
      { status: 'REDEEMED' },
    ]);
  }, 60_000);
});
