import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import chromium from '@sparticuz/chromium';
import { type Browser, type Page, chromium as playwright } from 'playwright-core';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { passcodesTo } from './guest-browser.js';
import { addPartner, type Partner } from './partner.js';

let gateway: TestGateway;
let tenantId: string;
let partner: Partner;
let browser: Browser;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant({ displayName: 'Contoso' })).id;
  partner = await addPartner(gateway, tenantId, 'fabrikam.example');
  browser = await playwright.launch({ executablePath: await chromium.executablePath(), args: ['--no-sandbox'] });
}, 60_000);
afterAll(async () => {
  await browser.close();
  await partner.provider.stop();
  await gateway.stop();
});

// Run in the browser, whose types are not ours.
const OUTLINE_OF_FOCUSED = 'getComputedStyle(document.activeElement).outlineStyle';
const NAMELESS = `[...document.querySelectorAll('button, a, input:not([type=hidden])')]
  .filter((each) => (each.tagName === 'INPUT' ? each.labels.length : each.textContent.trim().length) === 0).length`;

/** Tabs to the button that says so and presses it. */
async function press(page: Page, label: string): Promise<void> {
  for (let tab = 0; tab < 20; tab++) {
    await page.keyboard.press('Tab');
    const focused = page.locator(':focus');
    if ((await focused.count()) === 0 || (await focused.textContent()) !== label) continue;
    expect(await page.evaluate(OUTLINE_OF_FOCUSED)).toBe('solid');
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
    return;
  }
  throw new Error(`No "${label}" within reach at ${new URL(page.url()).pathname}.`);
}

/** The field has to have the focus by itself; a page that is just loaded takes a moment. */
async function typeCode(page: Page, email: string): Promise<void> {
  await page.locator('input[name=passcode]:focus').waitFor();
  await page.keyboard.type(await until(() => passcodesTo(gateway, email)[0], 'the passcode'));
}

/** A page whose violations of its own policy are collected. */
async function openPage(): Promise<{ page: Page; violations: string[] }> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const violations: string[] = [];
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) violations.push(message.text());
  });
  return { page, violations };
}

describe('in a real browser, by keyboard alone', () => {
  it.each([
    ['en', ['Continue', 'Send code', 'Accept']],
    ['ko', ['계속', '코드 보내기', '수락']],
  ] as const)('a guest accepts with a passcode, in %s', async (language, [go, send, accept]) => {
    const email = `${language}@guest.example`;
    const { redeemUrl, id } = await gateway.inviteUser({ tenantId, email, language });
    const { page, violations } = await openPage();
    await page.goto(redeemUrl);
    expect(await page.locator('html').getAttribute('lang')).toBe(language);
    await press(page, go);
    await press(page, send);
    const code = await until(() => passcodesTo(gateway, email)[0], 'the passcode');
    expect(await page.locator(':focus').getAttribute('name')).toBe('passcode');
    await page.keyboard.type('00000000');
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
    expect(await page.getByRole('alert').count()).toBe(1);
    expect(await page.locator(':focus').getAttribute('aria-invalid')).toBe('true');
    await page.keyboard.type(code);
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
    await press(page, accept);
    expect(await gateway.sql('select status from invitation where id = $1', [id])).toEqual([{ status: 'REDEEMED' }]);
    expect(violations).toEqual([]);
  });

  it('a guest gets to the provider and back, under the policy against scripts and foreign forms', async () => {
    const email = 'ada@fabrikam.example';
    const { redeemUrl } = await gateway.inviteUser({ tenantId, email });
    const { page, violations } = await openPage();
    await page.goto(redeemUrl);
    await press(page, 'Continue');
    await page.waitForURL(`${partner.provider.issuer}/interaction/**`);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(`${gateway.url}/r/**`);
    await press(page, 'Accept');
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('You are a guest of Contoso now');
    expect(violations).toEqual([]);
  });

  it('a guest reads the terms of use where they are agreed to', async () => {
    const { id } = await gateway.createTenant({ displayName: 'Litware' });
    const markdown = Array.from({ length: 60 }, (_, index) => `${index + 1}. Be kind.`).join('\n');
    await gateway.ask(
      'mutation ($input: PublishTermsOfUseInput!) { publishTermsOfUse(input: $input) { userErrors { code field message } } }',
      { input: { tenantId: id, texts: [{ language: 'en', markdown }] } },
    );
    const email = 'reader@guest.example';
    const { redeemUrl, externalUserId } = await gateway.inviteUser({ tenantId: id, email });
    const { page, violations } = await openPage();
    await page.goto(redeemUrl);
    await press(page, 'Continue');
    await press(page, 'Send code');
    await typeCode(page, email);
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
    const terms = page.getByRole('region', { name: 'Terms of use of Litware' });
    await terms.focus();
    expect(await page.evaluate(OUTLINE_OF_FOCUSED)).toBe('solid');
    await page.keyboard.press('End');
    await until(async () => (await terms.evaluate((region) => region.scrollTop)) > 0, 'the terms to scroll');
    await press(page, 'Agree to the terms and accept');
    expect(
      await gateway.sql('select version from terms_acceptance where external_user_id = $1', [externalUserId]),
    ).toEqual([{ version: 1 }]);
    expect(violations).toEqual([]);
  });

  it('a guest ends further invitations, and allows them again', async () => {
    const email = 'quiet@guest.example';
    await gateway.inviteUser({ tenantId, email });
    const { mail } = await gateway.waitForMail(email);
    const { page, violations } = await openPage();
    await page.goto(/(http\S+\/unsubscribe\/\S+)/.exec(mail.text ?? '')?.[1] ?? '');
    await press(page, 'Send code');
    await typeCode(page, email);
    await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
    await press(page, 'No more invitations');
    expect(await page.getByRole('status').textContent()).toContain('does not invite quiet@guest.example any more');
    await press(page, 'Allow invitations again');
    expect(await page.getByRole('status').textContent()).toContain('may invite quiet@guest.example');
    expect(violations).toEqual([]);
  });

  it('every page has one heading, a main landmark, a language, and a name for each field and button', async () => {
    const { redeemUrl } = await gateway.inviteUser({ tenantId, email: 'names@guest.example', message: 'Hello' });
    const { page } = await openPage();
    const check = async () => {
      expect(await page.getByRole('heading', { level: 1 }).count()).toBe(1);
      expect(await page.getByRole('main').count()).toBe(1);
      expect(await page.title()).not.toBe('');
      expect(await page.evaluate(NAMELESS)).toBe(0);
    };
    await page.goto(redeemUrl);
    await check();
    await press(page, 'Continue');
    await check();
    await press(page, 'Send code');
    await check();
    await press(page, 'Decline');
    await check();
    await page.getByRole('link', { name: 'No more invitations from Contoso' }).click();
    await check();
    await press(page, 'Send code');
    await check();
    await page.goto(`${gateway.url}/redeem/x`);
    await check();
  });
});
