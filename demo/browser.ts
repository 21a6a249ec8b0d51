/**
 * A guest's browser without a screen: keeps cookies by the rules of RFC 6265, follows redirects and pages that refresh
 * themselves to another address, and sends forms. It runs no scripts; our pages have none.
 */
import { type HTMLElement, parse } from 'node-html-parser';
import { CookieJar } from 'tough-cookie';
import { within } from './deadline.js';

export interface Page {
  url: URL;
  status: number;
  title: string;
  /** Of the part that tells what this page is about. */
  text: string;
  forms: Form[];
  refreshTo: URL | null;
}

export interface Form {
  action: URL;
  /** Values it comes with, hidden ones included. */
  fields: Record<string, string>;
  /** Words on its first button, which is the one that Enter presses. */
  button: string;
}

const ANSWER_SECONDS = 15;
const MAX_REDIRECTS = 20;

export class Browser {
  readonly #cookies = new CookieJar();

  open(url: string | URL): Promise<Page> {
    return this.#load(new URL(url), null);
  }

  submit(form: Form, fields: Record<string, string> = {}): Promise<Page> {
    return this.#load(form.action, new URLSearchParams({ ...form.fields, ...fields }));
  }

  async #load(start: URL, form: URLSearchParams | null): Promise<Page> {
    let [url, body] = [start, form];
    for (let redirects = 0; redirects < MAX_REDIRECTS; redirects++) {
      const response = await this.#request(url, body);
      const location = response.headers.get('location');
      const page = location ? null : readPage(url, response.status, await response.text());
      const next = location ? new URL(location, url) : page?.refreshTo;
      if (page && !next) return page;
      [url, body] = [next as URL, null];
    }
    throw new Error(`${start.origin} redirects without end.`);
  }

  async #request(url: URL, body: URLSearchParams | null): Promise<Response> {
    const cookie = await this.#cookies.getCookieString(url.href);
    const request = fetch(url, {
      method: body ? 'POST' : 'GET',
      body,
      redirect: 'manual',
      headers: cookie ? { cookie } : {},
    });
    const response = await within(ANSWER_SECONDS, `an answer of ${url.origin}`, request);
    for (const line of response.headers.getSetCookie()) await this.#cookies.setCookie(line, url.href);
    return response;
  }
}

function readPage(url: URL, status: number, html: string): Page {
  const document = parse(html);
  const refresh = document.querySelector('meta[http-equiv="refresh" i]')?.getAttribute('content');
  // `0;url=<address>` (HTML, section 4.2.5.3 "Refresh state").
  const target = refresh?.slice(refresh.indexOf('=') + 1);
  return {
    url,
    status,
    title: words(document.querySelector('h1')),
    text: words(document.querySelector('main')),
    forms: document.querySelectorAll('form').map((form) => readForm(form, url)),
    refreshTo: target ? new URL(target, url) : null,
  };
}

function readForm(form: HTMLElement, page: URL): Form {
  const inputs = form.querySelectorAll('input[name]');
  return {
    action: new URL(form.getAttribute('action') ?? page, page),
    fields: Object.fromEntries(inputs.map((input) => [input.getAttribute('name'), input.getAttribute('value') ?? ''])),
    button: words(form.querySelector('button')),
  };
}

function words(element: HTMLElement | null): string {
  return element?.text.replace(/\s+/g, ' ').trim() ?? '';
}
