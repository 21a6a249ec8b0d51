/** From the invitation into the app, by the demo's own app, which is a relying party like any other. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { acceptInvitation } from '../../demo/guest.js';
import { type OrdersApp, startOrdersApp } from '../../demo/orders-app.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { passcodesTo } from '../web/guest-browser.js';
import { issuerOf, registerApp } from './relying-party.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let app: OrdersApp;
let appId: string;

const email = 'ana@fabrikam.example';

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = await gateway.createTenant();
  app = await startOrdersApp(0);
  const registered = await registerApp(gateway, tenant.id, {
    homePageUrl: app.url,
    redirectUris: [app.redirectUri],
    initiateLoginUrl: app.initiateLoginUrl,
    assignmentRequired: true,
  });
  appId = registered.id;
  await app.connect({ issuer: issuerOf(gateway, tenant.slug), ...registered });
});
afterAll(async () => {
  app.stop();
  await gateway.stop();
});

it('a guest who accepts ends signed in at the app, with no further click', async () => {
  const { redeemUrl } = await gateway.inviteUser({
    tenantId: tenant.id,
    email,
    displayName: 'Ana Silva',
    appIds: [appId],
    landingAppId: appId,
  });
  const mailbox = {
    linkTo: async () => redeemUrl,
    passcodeTo: () => until(() => passcodesTo(gateway, email)[0], 'the passcode'),
  };
  const clicked: string[] = [];
  const arrival = await acceptInvitation(
    { firstName: 'Ana', email },
    { mailbox: mailbox as never, appUrl: app.url, onClick: (what) => clicked.push(what) },
  );
  expect(arrival.title).toBe('You have landed, Ana Silva');
  expect(clicked.at(-1)).toMatch(/^Accept/);
});

it('the door to an app begins its sign-in, naming the issuer; unknown apps have none', async () => {
  const door = (id: string) => fetch(`${gateway.url}/t/${tenant.slug}/apps/${id}/open`, { redirect: 'manual' });
  const location = new URL((await door(appId)).headers.get('location') as string);
  expect(location.origin + location.pathname).toBe(app.initiateLoginUrl);
  expect(location.searchParams.get('iss')).toBe(issuerOf(gateway, tenant.slug));
  expect((await door('app_00000000000000000000000000')).status).toBe(404);
  expect((await fetch(`${app.initiateLoginUrl}?iss=https://evil.example`)).status).toBe(400);
});
