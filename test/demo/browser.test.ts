/** The demo's browser against a tiny site, because what it proves is only as good as it behaves like a browser. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it } from '@jest/globals';
import { Browser } from '../../demo/browser.js';

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown;

let server: Server;
afterEach(() => {
  server.close();
  server.closeAllConnections();
});

async function serve(routes: Record<string, Answer>): Promise<string> {
  server = createServer((request, response) => routes[request.url ?? '']?.(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it('sends a form with its hidden fields, what was filled in, and the cookies it was given', async () => {
  const site = await serve({
    '/': (_request, response) => {
      response.setHeader('set-cookie', ['flow=1; Path=/; HttpOnly', 'elsewhere=2; Path=/other']);
      response.end(
        '<form method="post" action="/check"><input type="hidden" name="csrf" value="&quot;t&amp;k&quot;"><input name="passcode"><button>Check <b>code</b></button></form>',
      );
    },
    '/check': async (request, response) =>
      response.end(`<main>${request.headers.cookie} ${await text(request)}</main>`),
  });
  const browser = new Browser();
  const page = await browser.open(site);
  expect(page.forms).toMatchObject([{ fields: { csrf: '"t&k"', passcode: '' }, button: 'Check code' }]);
  const next = await browser.submit(page.forms[0] as NonNullable<(typeof page.forms)[0]>, { passcode: '12345678' });
  expect(next.text).toBe('flow=1 csrf=%22t%26k%22&passcode=12345678');
});

it('follows redirects and pages that refresh themselves, and says where it ended', async () => {
  const site = await serve({
    '/': (_request, response) => response.writeHead(303, { location: '/leaving' }).end(),
    '/leaving': (_request, response) =>
      response.end('<meta http-equiv="Refresh" content="0;url=/app?a=1&amp;b=2"><h1>Leaving</h1>'),
    '/app?a=1&b=2': (_request, response) => response.end('<h1>You have\nlanded</h1>'),
  });
  const page = await new Browser().open(site);
  expect([page.url.href, page.title]).toEqual([`${site}/app?a=1&b=2`, 'You have landed']);
});

it('gives up on a site that redirects without end', async () => {
  const site = await serve({ '/': (_request, response) => response.writeHead(302, { location: '/' }).end() });
  await expect(new Browser().open(site)).rejects.toThrow('redirects without end');
});
