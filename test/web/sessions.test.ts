import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DAY, HOUR, MINUTE } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { GuestBrowser, proveByPasscode } from './guest-browser.js';

let gateway: TestGateway;
let tenantId: string;
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant({ displayName: 'Contoso' })).id;
});
afterAll(() => gateway.stop());

const FIREFOX = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0';

async function accepted(browser = new GuestBrowser({ 'user-agent': FIREFOX })) {
  const email = `guest${++people}@fabrikam.example`;
  const guest = await gateway.inviteUser({ tenantId, email });
  const consent = await proveByPasscode(gateway, browser, guest.redeemUrl, email);
  await browser.submit(consent, '/accept');
  return { ...guest, email, browser, consent };
}

const cookieName = () => `vestibule_s_${tenantId.slice(4)}`;

interface ShownSession {
  id: string;
  device: string | null;
  amr: string[];
  authenticatedAt: string;
  createdAt: string;
  expiresAt: string;
  endReason: string | null;
}

async function sessionsOf(externalUserId: string, includeEnded = false): Promise<ShownSession[]> {
  const { node } = await gateway.ask(
    `query ($id: ID!, $includeEnded: Boolean!) { node(id: $id) { ... on ExternalUser {
      sessions(includeEnded: $includeEnded) { nodes { id device amr authenticatedAt createdAt expiresAt endReason } }
    } } }`,
    { id: externalUserId, includeEnded },
  );
  return node.sessions.nodes;
}

const update = (input: object) =>
  gateway.ask(
    'mutation ($input: UpdateExternalUserInput!) { updateExternalUser(input: $input) { userErrors { code } } }',
    { input },
  );

describe('a guest who accepts in a browser', () => {
  it('is signed in there, and the directory says since when', async () => {
    const before = gateway.clock.now();
    const { externalUserId, browser } = await accepted();
    const [session] = await sessionsOf(externalUserId);
    expect(session).toMatchObject({ device: 'Firefox on Windows', amr: ['otp'], endReason: null });
    expect(new Date(session?.authenticatedAt ?? 0).getTime()).toBeGreaterThanOrEqual(before.getTime());
    expect(Date.parse(session?.expiresAt ?? '') - Date.parse(session?.createdAt ?? '')).toBe(24 * HOUR);
    const [user] = await gateway.sql<{ last_sign_in_at: Date }>(
      'select last_sign_in_at from external_user where id = $1',
      [externalUserId],
    );
    expect(user?.last_sign_in_at.getTime()).toBeGreaterThanOrEqual(before.getTime());
    expect(browser.cookies.get(cookieName())).toMatch(/^[\w-]{43}$/);
  });

  it('holds a token that the database does not', async () => {
    const { externalUserId, browser } = await accepted();
    const token = browser.cookies.get(cookieName()) ?? '';
    const [row] = await gateway.sql<{ row: string }>(
      'select s::text as row from guest_session s where external_user_id = $1',
      [externalUserId],
    );
    expect(row?.row).not.toContain(token);
    expect(row?.row).not.toContain(Buffer.from(token).toString('hex'));
  });

  it('is not signed in once more by going back and pressing again', async () => {
    const { externalUserId, browser, consent } = await accepted();
    const [session] = await sessionsOf(externalUserId);
    await gateway.ask('mutation ($input: SessionIdInput!) { endSession(input: $input) { userErrors { code } } }', {
      input: { sessionId: session?.id },
    });
    const again = await browser.submit(consent, '/accept');
    expect(again.html).toContain('You are a guest of Contoso now');
    expect(await sessionsOf(externalUserId)).toEqual([]);
  });

  it('takes the place of whoever was signed in in the same browser', async () => {
    const first = await accepted();
    const token = first.browser.cookies.get(cookieName());
    const second = await accepted(first.browser);
    expect(first.browser.cookies.get(cookieName())).not.toBe(token);
    expect(await sessionsOf(first.externalUserId)).toEqual([]);
    expect((await sessionsOf(first.externalUserId, true)).map((session) => session.endReason)).toEqual(['REPLACED']);
    expect(await sessionsOf(second.externalUserId)).toHaveLength(1);
  });

  it('by handle and passcode over GraphQL is not signed in anywhere', async () => {
    const guest = await gateway.inviteUser({ tenantId, email: 'script@fabrikam.example' });
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        query: 'mutation ($token: String!) { beginRedemption(input: { token: $token }) { redemption { id } } }',
        variables: { token: new URL(guest.redeemUrl).pathname.split('/').at(-1) },
      }),
    });
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(await sessionsOf(guest.externalUserId)).toEqual([]);
  });
});

describe('a session ends', () => {
  it('in every process at once', async () => {
    const { externalUserId, browser } = await accepted();
    const other = await startTestGateway({ databaseUrl: gateway.databaseUrl, smtp: gateway.smtp });
    const slug = (await gateway.sql<{ slug: string }>('select slug from tenant where id = $1', [tenantId]))[0]?.slug;
    const apps = () => browser.get(`${other.url}/t/${slug}/apps`);
    expect((await apps()).html).toContain('Your apps at Contoso');
    await update({ externalUserId, accountEnabled: false });
    expect((await apps()).url.pathname).toBe(`/t/${slug}/sign-in`);
    await other.stop();
  });

  it('and is forgotten 30 days later', async () => {
    const { externalUserId } = await accepted();
    const kept = () => gateway.sql('select from guest_session where external_user_id = $1', [externalUserId]);
    gateway.clock.advance(32 * DAY);
    await gateway.sql("select graphile_worker.add_job('clean_up')");
    await until(async () => (await kept()).length === 0, 'the session is forgotten');
  });

  it('at once when the user is blocked, and does not come back when the block is lifted', async () => {
    const { externalUserId } = await accepted();
    await update({ externalUserId, accountEnabled: false });
    expect(await sessionsOf(externalUserId)).toEqual([]);
    await update({ externalUserId, accountEnabled: true });
    expect(await sessionsOf(externalUserId)).toEqual([]);
    expect((await sessionsOf(externalUserId, true)).map((session) => session.endReason)).toEqual(['ACCOUNT_DISABLED']);
  });

  it('by an operator, everywhere at once', async () => {
    const { externalUserId } = await accepted();
    await gateway.ask(
      'mutation ($input: EndSessionsInput!) { endSessions(input: $input) { externalUser { id } userErrors { code } } }',
      { input: { externalUserId } },
    );
    expect((await sessionsOf(externalUserId, true)).map((session) => session.endReason)).toEqual(['ENDED']);
  });

  it('after eight hours without use, and after a day in any case', async () => {
    const { externalUserId } = await accepted();
    gateway.clock.advance(8 * HOUR + MINUTE);
    expect(await sessionsOf(externalUserId)).toEqual([]);
    expect((await sessionsOf(externalUserId, true)).map((session) => session.endReason)).toEqual([null]);
  });
});
