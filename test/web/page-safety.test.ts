import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { pino } from 'pino';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { GuestBrowser, proveByPasscode, requestPasscode, startAt } from './guest-browser.js';

let gateway: TestGateway;
let tenantId: string;
let people = 0;
const logged: string[] = [];

beforeAll(async () => {
  const sink = new Writable({
    write(chunk, _encoding, done) {
      logged.push(String(chunk));
      done();
    },
  });
  gateway = await startTestGateway({ log: pino({ level: 'debug' }, sink) });
  tenantId = (await gateway.createTenant({ displayName: 'Contoso' })).id;
});
afterAll(() => gateway.stop());

async function invite(input: object = {}) {
  const email = `guest${++people}@fabrikam.example`;
  return { email, ...(await gateway.inviteUser({ tenantId, email, ...input })) };
}

/** Everything of an invitation that a click could change. */
async function snapshot(invitationId: string) {
  const flows = await gateway.sql('select * from redemption_flow where invitation_id = $1', [invitationId]);
  const events = await gateway.sql("select type from event where invitation_id = $1 and type not like 'MAIL%'", [
    invitationId,
  ]);
  const [invitation] = await gateway.sql('select status, started_at from invitation where id = $1', [invitationId]);
  return { flows, events, invitation };
}

describe('a mail scanner', () => {
  it('changes nothing by opening the link, in whichever way', async () => {
    const guest = await invite();
    const before = await snapshot(guest.id);
    const scanner = new GuestBrowser();
    for (const method of ['GET', 'HEAD', 'GET', 'OPTIONS']) await scanner.request(guest.redeemUrl, { method });
    await scanner.request(`${guest.redeemUrl}/decline`, { method: 'GET' });
    expect(scanner.cookies.size).toBe(0);
    expect(await snapshot(guest.id)).toEqual(before);
  });

  it('that presses every button does not cost the guest the invitation', async () => {
    const guest = await invite();
    const scanner = new GuestBrowser();
    const page = await scanner.get(guest.redeemUrl);
    for (const form of page.forms) {
      const next = await scanner.post(new URL(form.action, page.url), form.fields);
      for (const inner of next.forms) await scanner.post(new URL(inner.action, next.url), inner.fields);
    }
    const person = new GuestBrowser();
    const consent = await proveByPasscode(gateway, person, guest.redeemUrl, guest.email);
    expect((await person.submit(consent, '/accept')).html).toContain('You are a guest of Contoso now');
  });
});

describe('a form', () => {
  it('without its token, or with that of another form, does nothing', async () => {
    const [guest, other] = [await invite(), await invite()];
    const browser = new GuestBrowser();
    const { page } = await requestPasscode(gateway, browser, await startAt(browser, guest.redeemUrl), guest.email);
    const foreign = (await new GuestBrowser().get(other.redeemUrl)).forms[0]?.fields.csrf ?? '';
    for (const csrf of ['', foreign, 'x'.repeat(43)]) {
      for (const step of ['/passcode', '/passcode/send', '/accept', '/decline', '/sign-in']) {
        expect((await browser.post(`${page.url}${step}`, { csrf, passcode: '1' })).status).toBe(403);
      }
      expect((await browser.post(guest.redeemUrl, { csrf })).status).toBe(403);
      expect((await browser.post(`${guest.redeemUrl}/decline`, { csrf })).status).toBe(403);
    }
    expect((await snapshot(guest.id)).events.map((event) => (event as { type: string }).type)).toEqual([
      'INVITED',
      'STARTED',
      'PASSCODE_SENT',
    ]);
  });

  it.each(['cross-site', 'same-site'])('sent from a %s page does nothing', async (site) => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const link = await browser.get(guest.redeemUrl);
    expect((await browser.submit(link, new URL(guest.redeemUrl).pathname, {}, { 'sec-fetch-site': site })).status).toBe(
      403,
    );
    const flow = await startAt(browser, guest.redeemUrl);
    expect((await browser.submit(flow, '/decline', {}, { 'sec-fetch-site': site })).status).toBe(403);
    expect((await browser.submit(flow, '/passcode/send', {}, { 'sec-fetch-site': 'same-origin' })).status).toBe(200);
  });

  it('works in the browser that started the flow, and nowhere else', async () => {
    const guest = await invite();
    const [mine, other] = [new GuestBrowser(), new GuestBrowser()];
    const consent = await proveByPasscode(gateway, mine, guest.redeemUrl, guest.email);
    await startAt(other, guest.redeemUrl);
    for (const browser of [other, new GuestBrowser()]) {
      expect((await browser.submit(consent, '/accept')).status).toBeGreaterThanOrEqual(403);
      expect((await browser.get(consent.url)).status).toBe(404);
    }
    expect((await snapshot(guest.id)).invitation).toMatchObject({ status: 'PENDING' });
  });

  it('larger than 64 KB, or of another kind, is refused', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    expect((await browser.post(guest.redeemUrl, { csrf: 'x'.repeat(70_000) })).status).toBe(400);
    const json = await fetch(guest.redeemUrl, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'text/plain' },
    });
    expect(json.status).toBe(400);
  });
});

describe('a page', () => {
  it('allows no script, no framing, no referrer and no caching, and its cookie is out of reach', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const link = await browser.get(guest.redeemUrl);
    const started = await fetch(guest.redeemUrl, {
      method: 'POST',
      body: new URLSearchParams(link.forms[0]?.fields),
      redirect: 'manual',
    });
    for (const headers of [link.headers, started.headers, (await browser.get(`${gateway.url}/r/unknown`)).headers]) {
      expect(headers.get('content-security-policy')).toBe(
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
      );
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
    }
    expect(started.status).toBe(303);
    expect(started.headers.getSetCookie()[0]).toMatch(
      /^vestibule=[\w-]{43}\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/,
    );
    expect(started.headers.get('location')).not.toContain(new URL(guest.redeemUrl).pathname.split('/').at(-1));
  });

  it('shows what tenants and inviters wrote as text', async () => {
    const hostile = await gateway.createTenant({ displayName: '<img src=x onerror=alert(1)>{{constructor}} "&' });
    const guest = await gateway.inviteUser({
      tenantId: hostile.id,
      email: 'x@fabrikam.example',
      inviterName: '"><script>alert(1)</script>',
      message: '</blockquote><script>alert(2)</script>\n{{tenant}}',
    });
    const browser = new GuestBrowser();
    const pages = [
      await browser.get(guest.redeemUrl),
      await proveByPasscode(gateway, browser, guest.redeemUrl, 'x@fabrikam.example'),
    ];
    for (const { html } of pages) {
      expect(html).not.toMatch(/<script|<img/);
      expect(html).toContain('&lt;img src&#x3D;x onerror&#x3D;alert(1)&gt;{{constructor}} &quot;&amp;');
    }
    expect(pages[0]?.html).toContain('&lt;/blockquote&gt;&lt;script&gt;alert(2)&lt;/script&gt;');
  });

  it('keeps the address masked until it is proven', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const { page } = await requestPasscode(gateway, browser, await startAt(browser, guest.redeemUrl), guest.email);
    for (const shown of [await browser.get(guest.redeemUrl), page]) {
      expect(shown.html).toContain('g•••@f•••.example');
      expect(shown.html).not.toContain(guest.email);
    }
  });

  it('says the same of a link that never was and of one whose token was changed', async () => {
    const guest = await invite();
    const changed = guest.redeemUrl.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    const pages = [];
    for (const url of [
      changed,
      `${gateway.url}/redeem/inv_01h455vb4pex5vsknk084sn02q.x`,
      `${gateway.url}/redeem/x`,
      `${guest.redeemUrl}${'x'.repeat(500)}`,
    ]) {
      pages.push(await new GuestBrowser().get(url));
    }
    expect(new Set(pages.map((page) => page.html)).size).toBe(1);
    expect(pages[0]?.status).toBe(404);
  });

  it('of no flow or sign-in there is says so, whatever stands in its address', async () => {
    const browser = new GuestBrowser();
    await startAt(browser, (await invite()).redeemUrl);
    for (const path of ['/r/x', '/r/%00', '/r/..%2F..', '/sign-in/callback/%00?state=x', '/sign-in/callback/x']) {
      expect([path, (await browser.get(gateway.url + path)).status]).toEqual([path, 404]);
    }
  });

  it('speaks the language of the invitation, or of the browser where there is none', async () => {
    const guest = await invite({ language: 'ko' });
    const page = await new GuestBrowser({ 'accept-language': 'en' }).get(guest.redeemUrl);
    expect(page.html).toContain('<html lang="ko">');
    expect(page.html).toContain('Contoso에 초대되었습니다');
    const lost = await new GuestBrowser({ 'accept-language': 'fr-CA, ko-KR;q=0.8, en;q=0.5' }).get(
      `${gateway.url}/redeem/x`,
    );
    expect(lost.html).toContain('유효하지 않은 링크입니다');
  });

  it('shows the logo of the tenant from our own origin, as an image and nothing else', async () => {
    const branded = await gateway.createTenant({ displayName: 'Branded' });
    const png = Buffer.from('89504e470d0a1a0a', 'hex');
    await gateway.sql(
      "insert into tenant_logo (tenant_id, source_url, content_type, image, hash, fetched_at) values ($1, 'https://cdn.example/l.png', 'image/png', $2, $3, now())",
      [branded.id, png, 'a'.repeat(32)],
    );
    const { redeemUrl } = await gateway.inviteUser({ tenantId: branded.id, email: 'logo@fabrikam.example' });
    const path = /<img class="logo" src="([^"]*)"/.exec((await new GuestBrowser().get(redeemUrl)).html)?.[1] ?? '';
    const image = await fetch(gateway.url + path);
    expect([image.status, image.headers.get('content-type'), image.headers.get('x-content-type-options')]).toEqual([
      200,
      'image/png',
      'nosniff',
    ]);
    expect(Buffer.from(await image.arrayBuffer())).toEqual(png);
    for (const wrong of [path.replace('aaa', 'bbb'), path.replace(branded.slug, 'other'), '/t/%00/logo/x']) {
      expect((await fetch(gateway.url + wrong)).status).toBe(404);
    }
  });

  it('takes its colours from our own origin', async () => {
    const css = await fetch(`${gateway.url}/assets/theme/ffe600.css`);
    expect(css.headers.get('content-type')).toContain('text/css');
    expect(await css.text()).toContain('--accent: #ffe600; --accent-text: #000000');
    for (const wrong of ['red', 'ffe60', '"}body{']) {
      expect((await fetch(`${gateway.url}/assets/theme/${encodeURIComponent(wrong)}.css`)).status).toBe(404);
    }
    expect((await fetch(`${gateway.url}/assets/style.css`)).status).toBe(200);
  });
});

it('nothing that was logged holds a token, a code, a cookie or a URL', async () => {
  const guest = await invite();
  const browser = new GuestBrowser();
  const { page, passcode } = await requestPasscode(
    gateway,
    browser,
    await startAt(browser, guest.redeemUrl),
    guest.email,
  );
  const before = [...browser.cookies.values()];
  await browser.submit(await browser.submit(page, '/passcode', { passcode }), '/accept');
  const all = logged.join('');
  expect(all).toContain('/redeem/:token');
  const secrets = [
    new URL(guest.redeemUrl).pathname.split('.').at(-1) as string,
    passcode,
    ...before,
    ...browser.cookies.values(),
    guest.email,
  ];
  for (const secret of secrets) expect([secret, all.includes(secret)]).toEqual([secret, false]);
});
