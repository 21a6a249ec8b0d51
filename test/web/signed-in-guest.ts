/** A guest who has just accepted an invitation by passcode, and so is signed in, in a browser of their own. */
import type { TestGateway } from '../support/gateway.js';
import { GuestBrowser, proveByPasscode } from './guest-browser.js';

export interface SignedInGuest {
  browser: GuestBrowser;
  email: string;
  externalUserId: string;
  /** Of the tenant's pages. */
  page(path: string): string;
}

export async function signInGuest(
  gateway: TestGateway,
  tenant: { id: string; slug: string },
  email: string,
): Promise<SignedInGuest> {
  const { redeemUrl, externalUserId } = await gateway.inviteUser({ tenantId: tenant.id, email });
  const browser = new GuestBrowser();
  await browser.submit(await proveByPasscode(gateway, browser, redeemUrl, email), '/accept');
  return { browser, email, externalUserId, page: (path) => `${gateway.url}/t/${tenant.slug}${path}` };
}
