/** A guest with a browser: invited, accepted, signed in at the gateway; follows redirects until one leads away from it. */
import type { TestGateway } from '../support/gateway.js';
import { GuestBrowser, proveByPasscode, readPage, type WebPage } from '../web/guest-browser.js';

export interface Guest {
  browser: GuestBrowser;
  externalUserId: string;
  email: string;
}

let count = 0;

export async function signInGuest(
  gateway: TestGateway,
  tenantId: string,
  { email = `guest${++count}@fabrikam.example`, ...input }: { email?: string; [field: string]: unknown } = {},
): Promise<Guest> {
  const { redeemUrl, externalUserId } = await gateway.inviteUser({
    tenantId,
    email,
    displayName: 'Ana Silva',
    ...input,
  });
  const browser = new GuestBrowser();
  const consent = await proveByPasscode(gateway, browser, redeemUrl, email);
  await browser.submit(consent, '/accept');
  return { browser, externalUserId, email };
}

/** Where a browser ends up that opens this address. */
export interface Arrival {
  /** Away from the gateway; null: it shows a page. */
  url: URL | null;
  page: WebPage;
}

export async function open(browser: GuestBrowser, address: string | URL): Promise<Arrival> {
  const { origin } = new URL(address);
  for (let [url, step] = [new URL(address), 0]; step < 12; step++) {
    const page = await visit(browser, url);
    const location = page.headers.get('location') ?? page.refreshTo;
    if (!location) return { url: null, page };
    url = new URL(location, url);
    if (url.origin !== origin) return { url, page };
  }
  throw new Error(`Circles at ${address}`);
}

/** Unlike the browser of the pages' tests it stops at every redirect. */
async function visit(browser: GuestBrowser, url: URL): Promise<WebPage> {
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const response = await fetch(url, {
    redirect: 'manual',
    headers: { accept: 'text/html', cookie, ...browser.headers },
  });
  for (const line of response.headers.getSetCookie()) {
    const [pair = ''] = line.split(';');
    browser.cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
  }
  return readPage(url, response);
}
