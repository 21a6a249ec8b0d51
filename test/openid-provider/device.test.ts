/** A terminal signs a guest in: device authorization (RFC 8628). */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as client from 'openid-client';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { type Guest, open, signInGuest } from './guest.js';
import { discover, issuerOf, registerApp } from './relying-party.js';

let gateway: TestGateway;
let issuer: string;
let guest: Guest;
let config: client.Configuration;

beforeAll(async () => {
  gateway = await startTestGateway();
  const tenant = await gateway.createTenant();
  issuer = issuerOf(gateway, tenant.slug);
  guest = await signInGuest(gateway, tenant.id);
  const app = await registerApp(gateway, tenant.id, {
    displayName: 'Orders Terminal',
    redirectUris: [],
    grantTypes: ['DEVICE_CODE', 'REFRESH_TOKEN'],
    clientAuthentication: 'NONE',
  });
  config = await discover(issuer, app, client.None());
});
afterAll(() => gateway.stop());

const ask = () => client.initiateDeviceAuthorization(config, { scope: 'openid email' });
/** As soon as the library lets one ask again. */
const collect = async (device: client.DeviceAuthorizationResponse) =>
  client.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:device_code', {
    device_code: device.device_code,
  });

describe('a device', () => {
  it('is signed in once the guest has compared the code and said yes', async () => {
    const device = await ask();
    await expect(collect(device)).rejects.toMatchObject({ error: 'authorization_pending' });
    const { page } = await open(guest.browser, device.verification_uri_complete as string);
    expect(page.html).toContain(`value="${device.user_code}"`);
    expect(page.html).not.toContain('<script');
    await expect(collect(device)).rejects.toMatchObject({ error: 'authorization_pending' });
    const confirm = await guest.browser.submit(page, '/oauth2/device', { user_code: device.user_code });
    expect(confirm.html).toContain('Sign in to Orders Terminal on another device?');
    expect(confirm.html).toContain(device.user_code);
    const done = await guest.browser.submit(confirm, '/oauth2/device', { confirm: 'yes' });
    expect(done.html).toContain('Go on at your device');
    expect((await collect(device)).claims()?.email).toBe(guest.email);
    await expect(collect(device)).rejects.toMatchObject({ error: 'invalid_grant' });
  });

  it('is refused when the guest says no', async () => {
    const device = await ask();
    const { page } = await open(guest.browser, device.verification_uri);
    const confirm = await guest.browser.submit(page, '/oauth2/device', { user_code: device.user_code.toLowerCase() });
    const declining = confirm.forms.find((form) => 'abort' in form.fields);
    await guest.browser.post(new URL(declining?.action ?? '', confirm.url), declining?.fields ?? {});
    await expect(collect(device)).rejects.toMatchObject({ error: 'access_denied' });
  });

  it('gets nothing for a code nobody knows, and the guest is told', async () => {
    const { page } = await open(guest.browser, `${issuer}/oauth2/device`);
    const wrong = await guest.browser.submit(page, '/oauth2/device', { user_code: 'BBBB-BBBB' });
    expect(wrong.html).toContain('This code is not right');
  });
});
