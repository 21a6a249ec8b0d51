/** A person's access token for the API. */
import * as client from 'openid-client';
import type { TestGateway } from '../support/gateway.js';
import type { GuestBrowser } from '../web/guest-browser.js';
import { open } from './guest.js';
import { discover, issuerOf, registerApp } from './relying-party.js';
import { beginAuthorization } from './sign-in.js';

/** Of a console that the operator says yes to. */
export async function apiToken(
  gateway: TestGateway,
  tenant: { id: string; slug: string },
  browser: GuestBrowser,
): Promise<string> {
  const resource = `${gateway.url}/graphql`;
  const app = await registerApp(gateway, tenant.id, { apiAccess: true });
  const config = await discover(issuerOf(gateway, tenant.slug), app);
  const { url, checks } = await beginAuthorization(config, { scope: 'openid read write', resource });
  const { page } = await open(browser, url);
  const leaving = await browser.submit(page, '/accept');
  const back = (await open(browser, leaving.refreshTo as string)).url as URL;
  return (await client.authorizationCodeGrant(config, back, checks, { resource })).access_token;
}
