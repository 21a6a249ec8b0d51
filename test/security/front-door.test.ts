/** The HTTP server as a stranger's tool finds it: odd addresses, methods, headers and forms. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { GuestBrowser, requestPasscode, startAt } from '../web/guest-browser.js';

let gateway: TestGateway;
let tenantId: string;
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant({ displayName: 'Contoso' })).id;
});
afterAll(() => gateway.stop());

async function invite(input: object = {}) {
  const email = `guest${++people}@fabrikam.example`;
  return { email, ...(await gateway.inviteUser({ tenantId, email, ...input })) };
}

/** Sends a request line as it is, which no HTTP client of ours would. */
async function raw(requestLine: string, ...headers: string[]): Promise<{ status: number; head: string; body: string }> {
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
  await once(socket, 'connect');
  const host = headers.some((header) => /^host:/i.test(header)) ? [] : ['Host: vestibule.example'];
  socket.write([`${requestLine} HTTP/1.1`, ...host, ...headers, 'Connection: close', '', ''].join('\r\n'));
  const [head = '', ...body] = (await text(socket)).split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), head, body: body.join('\r\n\r\n') };
}

describe('where nothing is', () => {
  const nowhere = [
    '/',
    '/nothing-here',
    '/redeem',
    '/redeem/a/b',
    '//evil.example/redeem/x',
    '/redeem/../r/x',
    '/redeem/%2e%2e/r',
    '/metrics',
    '/assets/',
    '/assets/../../package.json',
    '/.env',
    '/graphql/',
  ];

  it.each(nowhere)('a browser gets a page: %s', async (path) => {
    const { status, head, body } = await raw(`GET ${path}`, 'Accept: text/html,*/*;q=0.8', 'Accept-Language: ko');
    expect(status).toBe(404);
    expect(head.toLowerCase()).toContain("content-security-policy: default-src 'none'");
    expect(head.toLowerCase()).toContain('cache-control: no-store');
    expect(body).toContain('<html lang="ko">');
    expect(body).toContain('페이지를 찾을 수 없습니다');
  });

  it.each(nowhere)('a script gets the errors of the API, and its address is not repeated: %s', async (path) => {
    const { status, head, body } = await raw(`GET ${path}`);
    expect([status, head.includes('application/json')]).toEqual([404, true]);
    expect(JSON.parse(body)).toEqual({
      errors: [{ message: 'There is nothing at this address.', extensions: { code: 'NOT_FOUND' } }],
    });
  });

  it.each(['/%', '/redeem/%E0%A4%A', `/redeem/${'x'.repeat(3000)}`])(
    'nobody gets more than a sentence for an address that cannot be read: %#',
    async (path) => {
      const { status, head, body } = await raw(`GET ${path}`, 'Accept: text/html');
      expect([status, head.includes('content-type: text/plain'), body]).toEqual([
        404,
        true,
        'There is nothing at this address.',
      ]);
    },
  );

  it.each(['PUT', 'PATCH', 'DELETE', 'TRACE', 'OPTIONS', 'PROPFIND'])(
    'no page takes %s, and the answer does not repeat the link',
    async (method) => {
      const { redeemUrl } = await invite();
      const { pathname } = new URL(redeemUrl);
      const { status, head, body } = await raw(`${method} ${pathname}`, 'Content-Length: 0');
      expect([status >= 400 && status < 500, (head + body).includes(pathname)]).toEqual([true, false]);
      expect(head.toLowerCase()).not.toContain('access-control-allow');
    },
  );

  it('headers of 20 KB are refused, and the server goes on', async () => {
    expect((await raw('GET /', `X-Long: ${'x'.repeat(20_000)}`)).status).toBe(431);
    expect((await raw('GET /health/live')).status).toBe(200);
  });
});

describe('every answer', () => {
  it('of a page has the same headers to HEAD as to GET, and no script', async () => {
    const { redeemUrl } = await invite();
    const answers = ['GET', 'HEAD'].map((method) => fetch(redeemUrl, { method }));
    const [get, head] = (await Promise.all(answers)).map(({ status, headers }) => ({
      status,
      headers: Object.fromEntries(
        [...headers].filter(([name]) => !['date', 'connection', 'keep-alive'].includes(name)),
      ),
    }));
    expect(head).toEqual(get);
    expect(get?.headers).toMatchObject({
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'cross-origin-opener-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
    });
    expect(await (await fetch(redeemUrl)).text()).not.toMatch(/<script|\son\w+=|javascript:|style="/i);
  });

  it('that is a stylesheet cannot be taken for anything else', async () => {
    for (const path of ['/assets/style.css', '/assets/theme/1f5fbf.css']) {
      const { headers } = await fetch(gateway.url + path);
      expect([headers.get('content-type'), headers.get('x-content-type-options')]).toEqual([
        'text/css; charset=utf-8',
        'nosniff',
      ]);
    }
  });

  it('names no software', async () => {
    const { headers } = await fetch(gateway.url);
    expect([headers.get('server'), headers.get('x-powered-by')]).toEqual([null, null]);
  });
});

describe('a host that is not ours', () => {
  const foreign = [
    'Host: evil.example',
    'X-Forwarded-Host: evil.example',
    'X-Forwarded-Proto: https',
    'Forwarded: host=evil.example;proto=https',
    'X-Original-URL: /evil',
  ];

  it('is in no page and in no redirect', async () => {
    const { pathname } = new URL((await invite()).redeemUrl);
    for (const path of [pathname, `${pathname}/decline`, '/nothing', '/r/x/passcode']) {
      const { head, body } = await raw(`GET ${path}`, 'Accept: text/html', ...foreign);
      expect([path, (head + body).includes('evil')]).toEqual([path, false]);
    }
    const { head, body } = await raw(`GET http://evil.example${pathname}`, 'Accept: text/html');
    expect((head + body).includes('evil')).toBe(false);
  });

  it('is in no mail and in no answer', async () => {
    const body = JSON.stringify({
      query: 'mutation ($input: InviteUserInput!) { inviteUser(input: $input) { redeemUrl userErrors { code } } }',
      variables: { input: { tenantId, email: 'host@fabrikam.example' } },
    });
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${gateway.bootstrapKey}`,
        'x-forwarded-host': 'evil.example',
        'x-forwarded-proto': 'https',
      },
      body,
    });
    expect(await response.text()).toContain(`${gateway.url}/redeem/`);
    const { raw: mail } = await gateway.waitForMail('host@fabrikam.example');
    expect(mail).not.toContain('evil.example');
  });
});

describe('a form', () => {
  it('is not taken as JSON, as text or in parts', async () => {
    const guest = await invite();
    const page = await new GuestBrowser().get(guest.redeemUrl);
    const fields = page.forms[0]?.fields ?? {};
    for (const [type, body] of [
      ['application/json', JSON.stringify(fields)],
      ['text/plain', new URLSearchParams(fields).toString()],
      [
        'multipart/form-data; boundary=x',
        `--x\r\ncontent-disposition: form-data; name="csrf"\r\n\r\n${fields.csrf}\r\n--x--`,
      ],
    ] as const) {
      const answer = await fetch(guest.redeemUrl, { method: 'POST', headers: { 'content-type': type }, body });
      expect([type, answer.status, answer.headers.getSetCookie()]).toEqual([type, 400, []]);
    }
  });

  it('with a field twice counts as without it', async () => {
    const guest = await invite();
    const { csrf = '' } = (await new GuestBrowser().get(guest.redeemUrl)).forms[0]?.fields ?? {};
    const body = new URLSearchParams([
      ['csrf', csrf],
      ['csrf', csrf],
    ]);
    expect((await fetch(guest.redeemUrl, { method: 'POST', body })).status).toBe(403);
  });

  it('takes no token of another flow of the same browser, nor of the same flow in another browser', async () => {
    const [first, second] = [await invite(), await invite()];
    const browser = new GuestBrowser();
    const flow = await startAt(browser, first.redeemUrl);
    const other = await startAt(browser, second.redeemUrl);
    const stranger = new GuestBrowser();
    const foreign = await startAt(stranger, first.redeemUrl);
    for (const page of [other, foreign]) {
      const { csrf = '' } = page.forms[0]?.fields ?? {};
      expect((await browser.submit(flow, '/passcode/send', { csrf })).status).toBe(403);
    }
    expect(gateway.mails(first.email).filter(({ mail }) => mail.subject?.includes('code'))).toEqual([]);
  });
});

describe('a cookie planted before', () => {
  it('is worth nothing to who planted it once the guest has proven the address', async () => {
    const guest = await invite();
    const attacker = new GuestBrowser();
    await startAt(attacker, (await invite()).redeemUrl);
    const planted = [...attacker.cookies];
    const victim = new GuestBrowser();
    for (const [name, value] of planted) victim.cookies.set(name, value);
    const { page, passcode } = await requestPasscode(
      gateway,
      victim,
      await startAt(victim, guest.redeemUrl),
      guest.email,
    );
    const consent = await victim.submit(page, '/passcode', { passcode });
    expect(consent.forms.some(({ action }) => action.endsWith('/accept'))).toBe(true);
    expect([...victim.cookies]).not.toEqual(planted);
    expect((await attacker.get(consent.url)).status).toBe(404);
    expect((await attacker.submit(consent, '/accept')).status).toBe(404);
    expect(await gateway.sql('select status from invitation where id = $1', [guest.id])).toEqual([
      { status: 'PENDING' },
    ]);
  });

  it('of a shape of its own is replaced by one of ours', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    browser.cookies.set('vestibule', 'chosen-by-somebody');
    await startAt(browser, guest.redeemUrl);
    expect(browser.cookies.get('vestibule')).toMatch(/^[\w-]{43}\.[\w-]{43}$/);
  });
});

describe('where a guest lands', () => {
  const registered = 'https://orders.contoso.example/callback';

  it.each([
    'https://evil.example/',
    'https://orders.contoso.example.evil.example/callback',
    'https://orders.contoso.example@evil.example/callback',
    'https://orders.contoso.example/callback/../evil',
    'https://orders.contoso.example/callback?next=https://evil.example',
    'https://orders.contoso.example:8443/callback',
    'http://orders.contoso.example/callback',
    '//orders.contoso.example/callback',
    'javascript:alert(1)',
    'https:\\\\evil.example',
  ])('is not %s, which no app has registered', async (redirectUrl) => {
    await registerApp({ displayName: `Orders ${redirectUrl.replace(/\W/g, ' ')}`, redirectUris: [registered] });
    const { data } = await gateway.gql(
      'mutation ($input: InviteUserInput!) { inviteUser(input: $input) { userErrors { code field } } }',
      { input: { tenantId, email: 'landing@fabrikam.example', redirectUrl } },
    );
    expect(data.inviteUser.userErrors).toEqual([{ code: 'REDIRECT_NOT_REGISTERED', field: ['redirectUrl'] }]);
  });

  it.each([
    'javascript:alert(1)',
    'data:text/html,x',
    'http://orders.contoso.example',
    'https://user:pw@orders.contoso.example',
    'https://orders.contoso.example/#fragment',
    'ftp://orders.contoso.example',
    '/relative',
    'https://',
  ])('is never %s, which no app can have', async (url) => {
    const { userErrors } = await registerApp({ displayName: 'Bad', homePageUrl: url, redirectUris: [url] });
    expect(userErrors.map((error: { field: string[] }) => error.field[0]).sort()).toEqual([
      'homePageUrl',
      'redirectUris',
    ]);
  });

  async function registerApp(input: object) {
    const { data } = await gateway.gql(
      'mutation ($input: RegisterAppInput!) { registerApp(input: $input) { userErrors { code field } } }',
      { input: { tenantId, homePageUrl: 'https://orders.contoso.example/', redirectUris: [], roles: [], ...input } },
    );
    return data.registerApp;
  }
});
