/** What only a real browser shows: that redirects, cookies and our pages' policy let a guest through, and out again. */
import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import chromium from '@sparticuz/chromium';
import { type Browser, type Page, chromium as playwright } from 'playwright-core';
import { type OrdersApp, startOrdersApp } from '../../demo/orders-app.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { passcodesTo } from '../web/guest-browser.js';
import { issuerOf, registerApp } from './relying-party.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let app: OrdersApp;
let appId: string;
let browser: Browser;
let page: Page;
const violations: string[] = [];
const email = 'ana@fabrikam.example';
/** `SCREENSHOTS=<folder> npm test …` keeps what the guest sees. */
const screenshots = process.env.SCREENSHOTS;

beforeAll(async () => {
  // Another site than the app's, which is at 127.0.0.1.
  gateway = await startTestGateway({ env: { PUBLIC_URL: 'http://localhost:0', HOST: '127.0.0.1' } });
  tenant = await gateway.createTenant({ displayName: 'Contoso' });
  app = await startOrdersApp(0);
  const registered = await registerApp(gateway, tenant.id, {
    displayName: 'Orders',
    homePageUrl: app.url,
    redirectUris: [app.redirectUri],
    postLogoutRedirectUris: [app.url],
    initiateLoginUrl: app.initiateLoginUrl,
    assignmentRequired: true,
  });
  appId = registered.id;
  await app.connect({ issuer: issuerOf(gateway, tenant.slug), ...registered });
  browser = await playwright.launch({ executablePath: await chromium.executablePath(), args: ['--no-sandbox'] });
  page = await (await browser.newContext()).newPage();
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) violations.push(message.text());
  });
}, 60_000);
afterAll(async () => {
  await browser.close();
  app.stop();
  await gateway.stop();
});

async function shot(name: string): Promise<void> {
  if (!screenshots) return;
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: `${screenshots}/${name}.png` });
}

it('a guest accepts and is in the app, signed in, with no further click', async () => {
  const { redeemUrl } = await gateway.inviteUser({
    tenantId: tenant.id,
    email,
    displayName: 'Ana Silva',
    appIds: [appId],
    landingAppId: appId,
  });
  await page.goto(redeemUrl);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('button', { name: 'Send code' }).click();
  await page.locator('input[name=passcode]').fill(await until(() => passcodesTo(gateway, email)[0], 'the passcode'));
  await page.getByRole('button', { name: 'Check code' }).click();
  await page.getByRole('button', { name: 'Accept' }).click();
  await page.getByText('You have landed, Ana Silva').waitFor();
  await shot('landed');
  expect(violations).toEqual([]);
});

it('is told whom to ask when the app is taken away, and gets back to it', async () => {
  await gateway.sql('delete from app_assignment where app_id = $1', [appId]);
  await page.context().clearCookies({ name: 'orders' });
  await page.goto(app.url);
  await page.getByText('You have no access to Orders').waitFor();
  await shot('no-access');
  await page.getByRole('button', { name: 'Back to Orders' }).click();
  await page.getByText('Orders cannot sign you in').waitFor();
  expect(violations).toEqual([]);
});

it('signs out at the app and everywhere', async () => {
  await gateway.sql('update app set assignment_required = false where id = $1', [appId]);
  await page.goto(app.url);
  await page.getByText('You have landed').waitFor();
  await page.getByRole('link', { name: 'Sign out' }).click();
  await page.getByText('Do you want to sign out?').waitFor();
  await shot('sign-out');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(/\/sign-in/);
  await shot('sign-in');
  expect(new URL(page.url()).origin).toBe(gateway.url);
  expect(violations).toEqual([]);
});

it('signs in by passcode where the app sent them, and is back in the app', async () => {
  await page.locator('input[name=email]').fill(email);
  await page.getByRole('button', { name: 'Continue' }).click();
  const code = await until(() => passcodesTo(gateway, email)[1], 'the passcode');
  await page.locator('input[name=passcode]').fill(code);
  await page.getByRole('button', { name: 'Check code' }).click();
  await page.getByText('You have landed').waitFor();
  expect(violations).toEqual([]);
});
