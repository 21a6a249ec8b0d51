import cookie from '@fastify/cookie';
import { expect, it } from '@jest/globals';
import { silentLog } from '../../src/kernel/log.js';
import { BrowserCookie, lastingPart, newBrowserToken, renewedBrowserToken } from '../../src/web/browser-cookie.js';
import { createHttpServer } from '../../src/web/http-server.js';

it.each([
  ['https://guests.example', /^__Host-vestibule=[\w.-]+; Path=\/; HttpOnly; Secure; SameSite=Lax$/],
  ['http://localhost:4000', /^vestibule=[\w.-]+; Path=\/; HttpOnly; SameSite=Lax$/],
])('of %s is out of reach of scripts, other hosts and other sites', async (publicUrl, expected) => {
  const server = createHttpServer({ trustedProxies: [], log: silentLog });
  await server.register(cookie);
  const browserCookie = new BrowserCookie(new URL(publicUrl));
  server.get('/', async (_request, reply) => {
    browserCookie.write(reply, newBrowserToken());
    return '';
  });
  server.get('/read', async (request) => ({ token: browserCookie.read(request) }));
  const set = (await server.inject('/')).headers['set-cookie'] as string;
  expect(set).toMatch(expected);
  const [sent = ''] = set.split(';');
  expect((await server.inject({ url: '/read', headers: { cookie: sent } })).json().token).toBe(
    sent.slice(sent.indexOf('=') + 1),
  );
  expect(
    (await server.inject({ url: '/read', headers: { cookie: `${sent.split('=')[0]}=short` } })).json().token,
  ).toBeNull();
  await server.close();
});

it('when renewed keeps the part that forms are bound to, and nothing else', () => {
  const token = newBrowserToken();
  const renewed = renewedBrowserToken(token);
  expect(lastingPart(renewed)).toBe(lastingPart(token));
  expect(renewed).not.toBe(token);
});
