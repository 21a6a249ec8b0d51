/** What only a real browser shows: which cookies it brings along from another site, and that our pages' policy lets it pass. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import chromium from '@sparticuz/chromium';
import { type Browser, chromium as playwright } from 'playwright-core';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { addSamlPartner, type SamlPartner } from './saml-partner.js';

let gateway: TestGateway;
let partner: SamlPartner;
let tenantId: string;
let browser: Browser;
let app: Server;

beforeAll(async () => {
  // Another site than the provider's, which is at 127.0.0.1.
  gateway = await startTestGateway({ env: { PUBLIC_URL: 'http://localhost:0', HOST: '127.0.0.1' } });
  tenantId = (await gateway.createTenant({ displayName: 'Contoso' })).id;
  partner = await addSamlPartner(gateway, tenantId, 'fabrikam.example');
  app = createServer(async (request, response) => {
    await text(request);
    response.setHeader('content-type', 'text/html').end('<h1>Welcome to the app</h1>');
  });
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  browser = await playwright.launch({ executablePath: await chromium.executablePath(), args: ['--no-sandbox'] });
}, 60_000);
afterAll(async () => {
  await browser.close();
  app.closeAllConnections();
  app.close();
  await partner.provider.stop();
  await gateway.stop();
});

it('a guest signs in at a SAML provider on another site and lands in the app', async () => {
  const homePageUrl = `http://127.0.0.1:${(app.address() as AddressInfo).port}/`;
  const { registerApp } = await gateway.ask(
    'mutation ($input: RegisterAppInput!) { registerApp(input: $input) { app { id } userErrors { code message } } }',
    { input: { tenantId, displayName: 'Orders', homePageUrl, redirectUris: [homePageUrl] } },
  );
  const email = 'ada@fabrikam.example';
  const landingAppId = registerApp.app.id;
  const { id, redeemUrl } = await gateway.inviteUser({ tenantId, email, appIds: [landingAppId], landingAppId });
  const page = await (await browser.newContext()).newPage();
  const violations: string[] = [];
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) violations.push(message.text());
  });
  /** Cookies of the requests to our pages, by path. */
  const cookies = new Map<string, string | null>();
  page.on('request', async (request) => {
    const url = new URL(request.url());
    if (url.host === new URL(gateway.url).host) cookies.set(url.pathname, await request.headerValue('cookie'));
  });

  await page.goto(redeemUrl);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.locator('input[name=email]').fill(email);
  await page.locator('input[name=email]').press('Enter');
  await page.locator('button').click();
  await page.getByRole('button', { name: 'Accept' }).click();
  await page.getByText('Welcome to the app').waitFor();

  expect(violations).toEqual([]);
  expect(cookies.get(new URL(partner.acsUrl).pathname)).toBeNull();
  expect(cookies.get(`/sign-in/callback/${partner.providerId}`)).toContain('vestibule=');
  expect(await gateway.sql('select status from invitation where id = $1', [id])).toEqual([{ status: 'REDEEMED' }]);
});
