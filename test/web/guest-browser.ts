/** A guest's browser without a screen: keeps cookies, follows redirects of its own site, fills in and sends the forms of a page. */

import type { TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';

export interface Form {
  action: string;
  fields: Record<string, string>;
}

export interface WebPage {
  url: URL;
  status: number;
  headers: Headers;
  html: string;
  forms: Form[];
  /** Where the page sends the browser by itself. */
  refreshTo: string | null;
}

export class GuestBrowser {
  readonly cookies = new Map<string, string>();
  /** Headers of every request, such as `accept-language`. */
  readonly headers: Record<string, string>;

  constructor(headers: Record<string, string> = {}) {
    this.headers = headers;
  }

  get(url: string | URL): Promise<WebPage> {
    return this.request(url, { method: 'GET' });
  }

  /** Sends the form whose action ends so. */
  submit(
    page: WebPage,
    actionEnd: string,
    fields: Record<string, string> = {},
    headers: Record<string, string> = {},
  ): Promise<WebPage> {
    const form = page.forms.find(({ action }) => action.endsWith(actionEnd));
    if (!form)
      throw new Error(`No form to ${actionEnd} at ${page.url.pathname}: ${page.forms.map((each) => each.action)}`);
    return this.post(new URL(form.action, page.url), { ...form.fields, ...fields }, headers);
  }

  post(url: string | URL, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<WebPage> {
    return this.request(url, { method: 'POST', body: new URLSearchParams(fields), headers });
  }

  async request(
    url: string | URL,
    init: { method: string; body?: URLSearchParams; headers?: Record<string, string> },
  ): Promise<WebPage> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { ...this.headers, ...init.headers, ...(cookie && { cookie }) };
    const response = await fetch(url, { ...init, headers, redirect: 'manual' });
    this.#keepCookies(response);
    const location = response.headers.get('location');
    if (response.status === 303 && location) return this.get(new URL(location, url));
    return readPage(new URL(url), response);
  }

  #keepCookies(response: Response): void {
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      this.cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
    }
  }
}

export async function readPage(url: URL, response: Response): Promise<WebPage> {
  const html = await response.text();
  const forms = [...html.matchAll(/<form[^>]* action="([^"]*)"[^>]*>(.*?)<\/form>/gs)].map(
    ([, action = '', body = '']) => ({
      action: unescaped(action),
      fields: Object.fromEntries(
        [...body.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)].map(([, name, value = '']) => [
          name,
          unescaped(value),
        ]),
      ),
    }),
  );
  const refresh = /<meta http-equiv="refresh" content="0;url=([^"]*)">/.exec(html)?.[1];
  return {
    url,
    status: response.status,
    headers: response.headers,
    html,
    forms,
    refreshTo: refresh ? unescaped(refresh) : null,
  };
}

/** The entities that Handlebars writes. */
function unescaped(text: string): string {
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"' };
  return text.replace(/&(?:#x([0-9A-F]+)|(\w+));/gi, (_all, hex: string | undefined, name: string) =>
    hex ? String.fromCodePoint(Number.parseInt(hex, 16)) : (named[name] ?? _all),
  );
}

/** Opens the link and presses the first button. */
export async function pressContinue(browser: GuestBrowser, redeemUrl: string): Promise<WebPage> {
  const page = await browser.get(redeemUrl);
  return browser.submit(page, new URL(redeemUrl).pathname);
}

/** Opens the link and presses the first button: on the flow's own page, back from the way to a provider. */
export async function startAt(browser: GuestBrowser, redeemUrl: string): Promise<WebPage> {
  const page = await pressContinue(browser, redeemUrl);
  const back = page.refreshTo && /<a href="(\/r\/[^"]+)"/.exec(page.html)?.[1];
  return back ? browser.get(new URL(back, page.url)) : page;
}

/** Has a code sent and reads it from the mail. `count`: how many mails the address has had by then. */
export async function requestPasscode(
  gateway: TestGateway,
  browser: GuestBrowser,
  page: WebPage,
  email: string,
): Promise<{ page: WebPage; passcode: string }> {
  const before = passcodesTo(gateway, email).length;
  const next = await browser.submit(page, '/passcode/send');
  const passcode = await until(() => passcodesTo(gateway, email)[before], `passcode ${before + 1} to ${email}`);
  return { page: next, passcode };
}

export function passcodesTo(gateway: TestGateway, email: string): string[] {
  return gateway.mails(email).flatMap(({ mail }) => /^\s*(\d{8})\s*$/m.exec(mail.text ?? '')?.[1] ?? []);
}

/** From the link to the page that asks for consent, by passcode. */
export async function proveByPasscode(
  gateway: TestGateway,
  browser: GuestBrowser,
  redeemUrl: string,
  email: string,
): Promise<WebPage> {
  const started = await startAt(browser, redeemUrl);
  const { page, passcode } = await requestPasscode(gateway, browser, started, email);
  return browser.submit(page, '/passcode', { passcode });
}
