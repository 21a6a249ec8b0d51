/** The tenant's pages in a real browser: by keyboard alone, under the policy against scripts and foreign forms. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import chromium from '@sparticuz/chromium';
import { type Browser, type Page, chromium as playwright } from 'playwright-core';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { passcodesTo } from './guest-browser.js';
import { addPartner, type Partner } from './partner.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let partner: Partner;
let browser: Browser;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = await gateway.createTenant({ displayName: 'Contoso' });
  partner = await addPartner(gateway, tenant.id, 'fabrikam.example');
  browser = await playwright.launch({ executablePath: await chromium.executablePath(), args: ['--no-sandbox'] });
}, 60_000);
afterAll(async () => {
  await browser.close();
  await partner.provider.stop();
  await gateway.stop();
});

async function addGuest(email: string): Promise<void> {
  await gateway.ask(
    'mutation ($input: AddExternalUserInput!) { addExternalUser(input: $input) { userErrors { code } } }',
    { input: { tenantId: tenant.id, email, displayName: 'Ada Lovelace' } },
  );
}

async function registerApp(displayName: string): Promise<void> {
  const input = { tenantId: tenant.id, displayName, homePageUrl: 'https://a.example/', assignmentRequired: false };
  await gateway.ask('mutation ($input: RegisterAppInput!) { registerApp(input: $input) { userErrors { code } } }', {
    input,
  });
}

/** A page whose violations of its own policy are collected. */
async function openPage(): Promise<{ page: Page; violations: string[] }> {
  const context = await browser.newContext({ locale: 'en' });
  const page = await context.newPage();
  const violations: string[] = [];
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) violations.push(message.text());
  });
  return { page, violations };
}

/** To look at: `SCREENSHOTS=/tmp/shots npm test …` keeps a picture of each page. */
async function look(page: Page, name: string): Promise<void> {
  if (process.env.SCREENSHOTS)
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}.png`, fullPage: true });
}

const pressEnter = (page: Page) => Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
const clickButton = (page: Page, name: string) =>
  Promise.all([page.waitForEvent('load'), page.getByRole('button', { name, exact: true }).click()]);

it('a guest signs in by passcode, sees the apps and the account, and signs out', async () => {
  const email = 'ada@litware.example';
  await addGuest(email);
  await registerApp('Orders');
  const { page, violations } = await openPage();
  await page.goto(`${gateway.url}/t/${tenant.slug}/apps`);
  await look(page, 'sign-in-start');
  expect(await page.locator(':focus').getAttribute('name')).toBe('email');
  await page.keyboard.type(email);
  await pressEnter(page);
  await look(page, 'passcode');
  await page.locator('input[name=passcode]:focus').waitFor();
  const code = await until(() => passcodesTo(gateway, email)[0], 'the passcode');
  await page.keyboard.type(code);
  await pressEnter(page);
  await look(page, 'consent');
  await clickButton(page, 'Accept');
  expect(new URL(page.url()).pathname).toBe(`/t/${tenant.slug}/apps`);
  expect(await page.getByRole('link', { name: 'Orders' }).count()).toBe(1);
  await look(page, 'apps');
  await page.goto(`${gateway.url}/t/${tenant.slug}/account`);
  await look(page, 'account');
  expect(await page.getByText('this browser').count()).toBe(1);
  await page.getByLabel('Name', { exact: true }).fill('Ada King');
  await clickButton(page, 'Save');
  expect(await page.getByText('Signed in as Ada King').count()).toBe(1);
  await clickButton(page, 'Sign out');
  await look(page, 'signed-out');
  await page.goto(`${gateway.url}/t/${tenant.slug}/apps`);
  expect(new URL(page.url()).pathname).toBe(`/t/${tenant.slug}/sign-in`);
  expect(violations).toEqual([]);
});

it('a guest signs in at the provider and comes back signed in, with one click here', async () => {
  const email = 'grace@fabrikam.example';
  await addGuest(email);
  const { page, violations } = await openPage();
  await page.goto(`${gateway.url}/t/${tenant.slug}/sign-in`);
  await page.getByLabel('E-mail address').fill(email);
  await pressEnter(page);
  await look(page, 'provider');
  await clickButton(page, 'Continue with Fabrikam');
  await page.waitForURL(`${partner.provider.issuer}/interaction/**`);
  await page.locator('button').first().click();
  await page.waitForURL(`${gateway.url}/s/**`);
  await clickButton(page, 'Accept');
  expect(new URL(page.url()).pathname).toBe(`/t/${tenant.slug}/apps`);
  expect(violations).toEqual([]);
});
