import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HOUR, MINUTE } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { GuestBrowser, proveByPasscode, requestPasscode, startAt } from '../web/guest-browser.js';
import { addPartner } from '../web/partner.js';

const MOST = 12;

let gateway: TestGateway;
/** Another process on the same database. */
let second: TestGateway;
let tenantId: string;
let people = 0;

const env = { TRUSTED_PROXIES: '127.0.0.1/32,::1/128', GUEST_STEPS_PER_NETWORK: String(MOST) };

beforeAll(async () => {
  gateway = await startTestGateway({ env });
  second = await startTestGateway({ env, databaseUrl: gateway.databaseUrl, smtp: gateway.smtp });
  // To the beginning of an hour: no window ends in the middle of a test.
  const left = HOUR - (gateway.clock.now().getTime() % HOUR);
  gateway.clock.advance(left);
  second.clock.advance(left);
  tenantId = (await gateway.createTenant({ displayName: 'Contoso' })).id;
});
afterAll(async () => {
  await second.stop();
  await gateway.stop();
});

const from = (address: string) => new GuestBrowser({ 'x-forwarded-for': address });

async function invite(domain = 'fabrikam.example') {
  const email = `guest${++people}@${domain}`;
  return { email, ...(await gateway.inviteUser({ tenantId, email })) };
}

async function refusalsOf(invitationId: string) {
  return gateway.sql<{ reason: string; detail: string }>(
    "select reason, detail from event where invitation_id = $1 and type = 'STEP_REFUSED' order by seq",
    [invitationId],
  );
}

async function begin(redeemUrl: string, headers: Record<string, string>, key: string | null = null) {
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers, ...(key && { authorization: `Bearer ${key}` }) },
    body: JSON.stringify({
      query:
        'mutation ($token: String!) { beginRedemption(input: { token: $token }) { userErrors { code retryAfterSeconds } } }',
      variables: { token: redeemUrl.split('/').at(-1) },
    }),
  });
  return ((await response.json()) as { data: { beginRedemption: { userErrors: object[] } } }).data.beginRedemption
    .userErrors;
}

describe('guests behind one address', () => {
  it('take so many steps in ten minutes, over all processes; then they are told when to go on', async () => {
    const guest = await invite();
    for (let step = 0; step < MOST; step++) {
      const process = step % 2 === 0 ? gateway : second;
      const link = new URL(new URL(guest.redeemUrl).pathname, process.url);
      expect((await startAt(from('203.0.113.7'), link.href)).status).toBe(200);
    }
    for (const process of [gateway, second, gateway]) {
      const refused = await startAt(from('203.0.113.7'), new URL(new URL(guest.redeemUrl).pathname, process.url).href);
      expect(refused.status).toBe(429);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(refused.html).toContain('Too many requests');
      expect(refused.html).toMatch(/You can try again in \d+ minutes?\./);
    }
    expect((await startAt(from('203.0.113.8'), guest.redeemUrl)).status).toBe(200);
    gateway.clock.advance(10 * MINUTE);
    expect((await startAt(from('203.0.113.7'), guest.redeemUrl)).status).toBe(200);
  });

  it('are counted by /64 in IPv6, where addresses are made up at will', async () => {
    const guest = await invite();
    for (let step = 0; step < MOST; step++)
      expect((await startAt(from(`2001:db8:1:2::${step + 1}`), guest.redeemUrl)).status).toBe(200);
    expect((await startAt(from('2001:db8:1:2:ffff::1'), guest.redeemUrl)).status).toBe(429);
    expect((await startAt(from('2001:db8:1:3::1'), guest.redeemUrl)).status).toBe(200);
  });

  it('are refused over GraphQL as well; whoever holds a key is not counted', async () => {
    const guest = await invite();
    const headers = { 'x-forwarded-for': '198.51.100.1' };
    for (let step = 0; step < MOST; step++) expect(await begin(guest.redeemUrl, headers)).toEqual([]);
    expect(await begin(guest.redeemUrl, headers)).toEqual([
      { code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number) },
    ]);
    expect(await begin(guest.redeemUrl, headers, gateway.bootstrapKey)).toEqual([]);
  });

  it('open good links as often as they like, unknown ones do not go on for ever', async () => {
    const guest = await invite();
    const scanner = from('198.51.100.2');
    for (let step = 0; step < 3 * MOST; step++) expect((await scanner.get(guest.redeemUrl)).status).toBe(200);
    const made = (step: number) => `${gateway.url}/redeem/${guest.id}.made-up-${step}`;
    for (let step = 0; step < MOST; step++) expect((await scanner.get(made(step))).status).toBe(404);
    expect((await scanner.get(made(MOST))).status).toBe(429);
    expect((await scanner.get(guest.redeemUrl)).status).toBe(200);
  });

  it('sign in so often, whoever they say they are', async () => {
    const { slug } = await gateway.createTenant();
    const browser = from('198.51.100.4');
    const door = await browser.get(`${gateway.url}/t/${slug}/sign-in`);
    const statuses = [];
    for (let step = 0; step < MOST; step++)
      statuses.push((await browser.submit(door, '/sign-in', { email: `nobody${step}@fabrikam.example` })).status);
    // Each counts twice: the address, and the code that would be sent.
    expect(statuses.filter((status) => status === 200)).toHaveLength(MOST / 2);
    const refused = await browser.submit(door, '/sign-in', { email: 'nobody@fabrikam.example' });
    expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([429, true]);
  });

  it('cannot name another address than the proxy saw', async () => {
    const guest = await invite();
    for (let step = 0; step < MOST; step++)
      expect((await startAt(from(`198.51.100.${50 + step}, 198.51.100.3`), guest.redeemUrl)).status).toBe(200);
    expect((await startAt(from('198.51.100.99, 198.51.100.3'), guest.redeemUrl)).status).toBe(429);
  });
});

describe('one link', () => {
  it('starts so many flows, from wherever; the flow begun before goes on, and so does the link later', async () => {
    const guest = await invite();
    const browser = from('192.0.2.1');
    const page = await startAt(browser, guest.redeemUrl);
    for (let step = 1; step < 30; step++) await startAt(from(`192.0.2.${step + 1}`), guest.redeemUrl);
    expect((await startAt(from('192.0.2.100'), guest.redeemUrl)).status).toBe(429);
    expect((await startAt(from('192.0.2.101'), (await invite()).redeemUrl)).status).toBe(200);
    const sent = await requestPasscode(gateway, browser, page, guest.email);
    const consent = await browser.submit(sent.page, '/passcode', { passcode: sent.passcode });
    expect((await browser.submit(consent, '/accept')).html).toContain('You are a guest of Contoso now');
  });

  it('tells operators that it was refused, once an hour and not each time', async () => {
    const guest = await invite();
    for (let step = 0; step < 40; step++) await startAt(from(`192.0.3.${step}`), guest.redeemUrl);
    expect(await refusalsOf(guest.id)).toEqual([{ reason: 'RATE_LIMITED', detail: 'Starting from the link.' }]);
    gateway.clock.advance(HOUR);
    for (let step = 0; step < 40; step++) await startAt(from(`192.0.4.${step}`), guest.redeemUrl);
    expect(await refusalsOf(guest.id)).toHaveLength(2);
  });
});

describe('one flow', () => {
  it('goes to the provider so many times', async () => {
    const { provider } = await addPartner(gateway, tenantId, 'tailspin.example');
    const guest = await invite('tailspin.example');
    let address = 0;
    const browser = from('192.0.5.1');
    // The click that starts leads there for the first time.
    const page = await startAt(browser, guest.redeemUrl);
    for (let step = 1; step < 20; step++) {
      browser.headers['x-forwarded-for'] = `192.0.5.${++address}`;
      expect((await browser.submit(page, '/sign-in')).status).toBe(200);
    }
    const refused = await browser.submit(page, '/sign-in');
    expect([refused.status, refused.html.includes('Too many requests')]).toEqual([429, true]);
    expect(await refusalsOf(guest.id)).toEqual([{ reason: 'RATE_LIMITED', detail: 'Signing in at a provider.' }]);
    await provider.stop();
  });
});

describe('what stands in the way of a guest', () => {
  it('is told to operators with its reason', async () => {
    const guest = await invite();
    const browser = from('192.0.6.1');
    const consent = await proveByPasscode(gateway, browser, guest.redeemUrl, guest.email);
    await gateway.ask(
      'mutation ($input: UpdateExternalUserInput!) { updateExternalUser(input: $input) { userErrors { code field message } } }',
      { input: { externalUserId: guest.externalUserId, accountEnabled: false } },
    );
    for (let attempt = 0; attempt < 3; attempt++) await browser.submit(consent, '/accept');
    expect(await refusalsOf(guest.id)).toEqual([{ reason: 'ACCOUNT_DISABLED', detail: 'Accepting.' }]);
  });
});

it('counts are kept no longer than their window, and name nobody', async () => {
  await startAt(from('203.0.113.200'), (await invite()).redeemUrl);
  const rows = await gateway.sql<{ text: string }>('select to_jsonb(rate_count)::text as text from rate_count');
  expect(rows.length).toBeGreaterThan(0);
  expect(rows.filter(({ text }) => text.includes('203.0.113'))).toEqual([]);
  for (const { clock } of [gateway, second]) clock.advance(4 * HOUR);
  await gateway.sql("select graphile_worker.add_job('clean_up')");
  await until(async () => (await gateway.sql('select from rate_count')).length === 0, 'counts to be forgotten');
});
