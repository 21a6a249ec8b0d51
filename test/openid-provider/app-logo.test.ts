/** Logos of apps: fetched once, shown from our own origin. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { fetchAppLogo } from '../../src/features/apps/app-logo.service.js';
import { systemActor } from '../../src/kernel/actor.js';
import { RequestContext } from '../../src/request/request-context.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { type Guest, signInGuest } from './guest.js';
import { registerApp, type TestApp, updateApp } from './relying-party.js';

const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const logoUrl = 'https://orders.contoso.example/logo.png';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let guest: Guest;
let app: TestApp;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = await gateway.createTenant();
  guest = await signInGuest(gateway, tenant.id);
  app = await registerApp(gateway, tenant.id, { displayName: 'Orders', logoUrl });
});
afterAll(() => gateway.stop());

/** What the job does, with the answer of the logo's host: the real client refuses everything this machine could serve. */
const fetched = (body: Buffer, from = logoUrl, tenantId = tenant.id) =>
  fetchAppLogo(
    new RequestContext(gateway.app.ground, systemActor('test')),
    async () => new Response(new Uint8Array(body)),
    { tenantId, appId: app.id, logoUrl: from },
  );

async function logoPath(): Promise<string | null> {
  const { html } = await guest.browser.get(`${gateway.url}/t/${tenant.slug}/apps`);
  expect(html).not.toContain('orders.contoso.example');
  return /<img class="app-logo" src="([^"]*)"/.exec(html)?.[1] ?? null;
}

it('is asked for by a job as soon as the app names it', async () => {
  expect(await gateway.sql('select from graphile_worker.jobs where key = $1', [`app-logo/${app.id}`])).toHaveLength(1);
});

it('is not taken when it is no picture, of another address by now, or for another tenant', async () => {
  await fetched(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'));
  await fetched(png, 'https://orders.contoso.example/older.png');
  await fetched(png, logoUrl, (await gateway.createTenant()).id);
  expect(await logoPath()).toBeNull();
});

it('is shown on the page of apps, from our own origin, as what its bytes are', async () => {
  await fetched(png);
  const path = (await logoPath()) as string;
  const response = await fetch(new URL(path, gateway.url));
  expect(response.headers.get('content-type')).toBe('image/png');
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect(Buffer.from(await response.arrayBuffer()).equals(png)).toBe(true);
  const { slug } = await gateway.createTenant();
  expect((await fetch(new URL(path.replace(tenant.slug, slug), gateway.url))).status).toBe(404);
});

it('goes when the app has none any more', async () => {
  await updateApp(gateway, app.id, { logoUrl: null });
  expect(await logoPath()).toBeNull();
  expect(await gateway.sql('select from app_logo')).toEqual([]);
});
