import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { GuestBrowser, proveByPasscode, requestPasscode, startAt } from './guest-browser.js';

let gateway: TestGateway;
let tenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant({ displayName: 'Contoso' })).id;
});
afterAll(() => gateway.stop());

it('walks', async () => {
  const { redeemUrl } = await gateway.inviteUser({ tenantId, email: 'a@b.example' });
  const browser = new GuestBrowser();
  const page = await proveByPasscode(gateway, browser, redeemUrl, 'a@b.example');
  console.log(page.html, page.headers);
  const done = await browser.submit(page, '/accept');
  console.log(done.html);
});
