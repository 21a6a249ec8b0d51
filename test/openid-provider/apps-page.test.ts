/** `/t/<slug>/apps`: the apps a guest can open, and nothing else. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { type Guest, signInGuest } from './guest.js';
import { discover, issuerOf, registerApp, type TestApp, updateApp } from './relying-party.js';
import { authorize } from './sign-in.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let guest: Guest;
const apps: TestApp[] = [];

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = await gateway.createTenant();
  guest = await signInGuest(gateway, tenant.id);
  for (let n = 1; n <= 10; n++) apps.push(await registerApp(gateway, tenant.id, { displayName: `Warehouse ${n}` }));
});
afterAll(() => gateway.stop());

const page = (query = '') => guest.browser.get(`${gateway.url}/t/${tenant.slug}/apps${query}`);

it('lists what is open or assigned, and opens each by its own sign-in', async () => {
  await registerApp(gateway, tenant.id, { displayName: 'Somebody elses', assignmentRequired: true });
  await updateApp(gateway, (apps[9] as TestApp).id, { enabled: false });
  const { html } = await page();
  expect(html).toContain(`href="/t/${tenant.slug}/apps/${apps[0]?.id}/open"`);
  expect(html).toContain('Warehouse 9');
  expect(html).not.toMatch(/Warehouse 10|Somebody elses/);
});

it('searches by name once there are many', async () => {
  expect((await page()).html).toContain('type="search"');
  const { html } = await page('?q=WAREHOUSE%207');
  expect(html).toContain('Warehouse 7');
  expect(html).not.toContain('Warehouse 8');
  expect((await page('?q=%25')).html).toContain('None of your apps is called so.');
  expect((await page('?q=a&q=b')).status).toBe(200);
});

it('says when an app was last opened', async () => {
  await authorize(await discover(issuerOf(gateway, tenant.slug), apps[2] as TestApp), guest.browser);
  const { html } = await until(async () => {
    const shown = await page('?q=Warehouse%203');
    return shown.html.includes('last opened on') ? shown : undefined;
  }, 'the note');
  expect(html).toMatch(/last opened on \d+ \w+ \d{4}/);
});
