import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MINUTE } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { signInAt } from '../support/openid-provider.js';
import { until } from '../support/until.js';
import { GuestBrowser, passcodesTo, proveByPasscode, type WebPage } from './guest-browser.js';
import { addPartner, type Partner } from './partner.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let partner: Partner;
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = await gateway.createTenant({ displayName: 'Contoso' });
  partner = await addPartner(gateway, tenant.id, 'fabrikam.example');
});
afterAll(async () => {
  await partner.provider.stop();
  await gateway.stop();
});

const newAddress = (domain = 'litware.example') => `guest${++people}@${domain}`;
const accountUrl = () => `${gateway.url}/t/${tenant.slug}/account`;

async function accepted() {
  const email = newAddress();
  const guest = await gateway.inviteUser({ tenantId: tenant.id, email });
  const browser = new GuestBrowser();
  await browser.submit(await proveByPasscode(gateway, browser, guest.redeemUrl, email), '/accept');
  return { id: guest.externalUserId, email, browser, account: await browser.get(accountUrl()) };
}

/** Enters the code that was sent when the form was. */
async function enterCode(browser: GuestBrowser, send: () => Promise<WebPage>, email: string): Promise<WebPage> {
  const before = passcodesTo(gateway, email).length;
  const page = await send();
  const passcode = await until(() => passcodesTo(gateway, email)[before], `a passcode to ${email}`);
  return browser.submit(page, '/passcode', { passcode });
}

function signIn(browser: GuestBrowser, email: string, query = '?prompt=login'): Promise<WebPage> {
  return enterCode(
    browser,
    async () =>
      browser.submit(await browser.get(`${gateway.url}/t/${tenant.slug}/sign-in${query}`), '/sign-in', { email }),
    email,
  );
}

const linkByCode = (browser: GuestBrowser, account: WebPage, email: string) =>
  enterCode(browser, () => browser.submit(account, '/identities', { email }), email);

const identitiesOf = (id: string) =>
  gateway.sql<{ sign_in_type: string; subject: string }>(
    'select sign_in_type, subject from identity where external_user_id = $1 order by linked_at, id',
    [id],
  );

describe('a further identity', () => {
  it('is linked by proof of it, and signs the same person in', async () => {
    const { id, browser, account } = await accepted();
    const other = newAddress();
    const back = await linkByCode(browser, account, other);
    expect(back.url.pathname).toBe(`/t/${tenant.slug}/account`);
    expect(back.html).toContain(other);
    const elsewhere = new GuestBrowser();
    await signIn(elsewhere, other);
    const sessions = await gateway.sql('select from guest_session where external_user_id = $1 and ended_at is null', [
      id,
    ]);
    expect(sessions).toHaveLength(2);
  });

  it('may be of a provider, whatever its address', async () => {
    const { id, browser, account } = await accepted();
    const typed = newAddress('fabrikam.example');
    const page = await browser.submit(account, '/identities', { email: typed });
    const leaving = await browser.submit(page, '/sign-in');
    const back = await browser.get(await signInAt(partner.provider, leaving.refreshTo ?? '', typed));
    expect(back.html).toContain('Fabrikam');
    expect((await identitiesOf(id)).map((identity) => identity.sign_in_type)).toEqual(['EMAIL_PASSCODE', 'OIDC']);
  });

  it('is not taken from another guest, and nothing is merged', async () => {
    const [mine, other] = [await accepted(), await accepted()];
    const page = await linkByCode(mine.browser, mine.account, other.email);
    expect([page.status, page.html.includes('This account belongs to another guest')]).toEqual([409, true]);
    expect(await identitiesOf(mine.id)).toHaveLength(1);
    expect(await identitiesOf(other.id)).toHaveLength(1);
  });

  it('is not linked once the sign-in is over 15 minutes old, nor after signing out', async () => {
    const { id, browser, account } = await accepted();
    const other = newAddress();
    const begun = await browser.submit(account, '/identities', { email: other });
    const code = await until(() => passcodesTo(gateway, other)[0], 'the passcode');
    await browser.submit(account, '/sign-out');
    expect((await browser.submit(begun, '/passcode', { passcode: code })).status).toBe(404);
    const again = await signIn(browser, (await identitiesOf(id))[0]?.subject ?? '');
    gateway.clock.advance(16 * MINUTE);
    const late = await browser.get(accountUrl());
    expect(again.status).toBe(200);
    expect(late.html).toContain('sign in once more');
    expect(late.forms.some((form) => form.action.endsWith('/identities'))).toBe(false);
    const csrf = late.forms[0]?.fields.csrf ?? '';
    const forced = await browser.post(`${accountUrl()}/identities`, { csrf, email: other });
    expect(forced.status).toBe(403);
    expect(await identitiesOf(id)).toHaveLength(1);
  });
});

describe('unlinking an identity', () => {
  it('is done from a session of another, and ends the sessions it opened', async () => {
    const { id, email, browser, account } = await accepted();
    const other = newAddress();
    await linkByCode(browser, account, other);
    const [first] = await gateway.sql<{ id: string }>(
      'select id from identity where external_user_id = $1 and subject = $2',
      [id, email],
    );
    const csrf = (await browser.get(accountUrl())).forms[0]?.fields.csrf ?? '';
    const own = await browser.post(`${accountUrl()}/identities/unlink`, { csrf, identityId: first?.id ?? '' });
    expect(own.status).toBe(403);
    const elsewhere = new GuestBrowser();
    await signIn(elsewhere, other);
    const page = await elsewhere.submit(await elsewhere.get(accountUrl()), '/identities/unlink');
    expect(page.html).not.toContain(`Code sent to ${email}`);
    expect((await browser.get(accountUrl())).url.pathname).toBe(`/t/${tenant.slug}/sign-in`);
    expect(await identitiesOf(id)).toEqual([{ sign_in_type: 'EMAIL_PASSCODE', subject: other }]);
  });

  it('never takes the last one, nor one of another guest', async () => {
    const [mine, other] = [await accepted(), await accepted()];
    const csrf = mine.account.forms[0]?.fields.csrf ?? '';
    const ids = async (user: string) =>
      (await gateway.sql<{ id: string }>('select id from identity where external_user_id = $1', [user]))[0]?.id ?? '';
    const last = await mine.browser.post(`${accountUrl()}/identities/unlink`, { csrf, identityId: await ids(mine.id) });
    expect([last.status, last.html.includes('your only way to sign in')]).toEqual([409, true]);
    const foreign = await mine.browser.post(`${accountUrl()}/identities/unlink`, {
      csrf,
      identityId: await ids(other.id),
    });
    expect(foreign.status).toBe(404);
    expect(await identitiesOf(other.id)).toHaveLength(1);
  });
});

describe('a change of address', () => {
  it('needs a proof of both, and leaves the old mailbox behind', async () => {
    const { id, email, browser, account } = await accepted();
    const elsewhere = new GuestBrowser();
    await signIn(elsewhere, email);
    const fresh = newAddress();
    const back = await enterCode(browser, () => browser.submit(account, '/address', { email: fresh }), fresh);
    expect(back.html).toContain(`Contoso knows you by ${fresh}`);
    expect(await gateway.sql('select email, state from external_user where id = $1', [id])).toEqual([
      { email: fresh, state: 'ACCEPTED' },
    ]);
    expect(await identitiesOf(id)).toEqual([{ sign_in_type: 'EMAIL_PASSCODE', subject: fresh }]);
    expect((await elsewhere.get(accountUrl())).url.pathname).toBe(`/t/${tenant.slug}/sign-in`);
    const old = new GuestBrowser();
    const sent = passcodesTo(gateway, email).length;
    await old.submit(await old.get(`${gateway.url}/t/${tenant.slug}/sign-in`), '/sign-in', { email });
    await until(
      async () => (await gateway.sql('select from graphile_worker._private_jobs')).length === 0,
      'no job is left',
    );
    expect(passcodesTo(gateway, email)).toHaveLength(sent);
    expect((await signIn(new GuestBrowser(), fresh)).html).toContain('Your apps at Contoso');
  });

  it('is refused in a session that did not prove the present address', async () => {
    const { email, browser, account } = await accepted();
    const other = newAddress();
    await linkByCode(browser, account, other);
    const elsewhere = new GuestBrowser();
    await signIn(elsewhere, other);
    const refused = await elsewhere.submit(await elsewhere.get(accountUrl()), '/address', { email: newAddress() });
    expect(refused.status).toBe(403);
    expect((await browser.get(accountUrl())).html).toContain(`Contoso knows you by ${email}`);
  });

  it('is refused to an address that is somebody else, or that the tenant does not take', async () => {
    const [mine, other] = [await accepted(), await accepted()];
    const taken = await enterCode(
      mine.browser,
      () => mine.browser.submit(mine.account, '/address', { email: other.email }),
      other.email,
    );
    expect(taken.status).toBe(409);
    await gateway.sql("update tenant set own_domains = '{contoso.example}' where id = $1", [tenant.id]);
    const own = newAddress('contoso.example');
    const refused = await enterCode(
      mine.browser,
      () => mine.browser.submit(mine.account, '/address', { email: own }),
      own,
    );
    await gateway.sql("update tenant set own_domains = '{}' where id = $1", [tenant.id]);
    expect(refused.status).toBe(403);
    expect((await mine.browser.get(accountUrl())).html).toContain(`Contoso knows you by ${mine.email}`);
  });
});

describe('the account page', () => {
  it('lists the sessions, ends one or all, and nobody else’s', async () => {
    const [mine, other] = [await accepted(), await accepted()];
    const second = new GuestBrowser({
      'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    });
    await signIn(second, mine.email);
    const page = await mine.browser.get(accountUrl());
    expect(page.html).toContain('Firefox on Linux');
    const [foreign] = await gateway.sql<{ id: string }>('select id from guest_session where external_user_id = $1', [
      other.id,
    ]);
    const csrf = page.forms[0]?.fields.csrf ?? '';
    await mine.browser.post(`${accountUrl()}/sessions/end`, { csrf, sessionId: foreign?.id ?? '' });
    expect((await other.browser.get(accountUrl())).html).toContain('Your account at Contoso');
    await mine.browser.submit(page, '/sessions/end');
    expect((await second.get(accountUrl())).url.pathname).toBe(`/t/${tenant.slug}/sign-in`);
    await signIn(second, mine.email);
    expect((await mine.browser.submit(page, '/sessions/end-all')).html).toContain('You are signed out');
    for (const browser of [mine.browser, second])
      expect((await browser.get(accountUrl())).url.pathname).toBe(`/t/${tenant.slug}/sign-in`);
  });

  it('keeps name and language, and says what is wrong with them', async () => {
    const { id, browser, account } = await accepted();
    await browser.submit(account, '/profile', { displayName: 'Ada Lovelace', language: 'ko' });
    expect(await gateway.sql('select display_name, preferred_language from external_user where id = $1', [id])).toEqual(
      [{ display_name: 'Ada Lovelace', preferred_language: 'ko' }],
    );
    const refused = await browser.submit(account, '/profile', {
      displayName: 'see https://evil.example',
      language: '',
    });
    expect(refused.status).toBe(422);
  });

  it('changes nothing without the form of its session', async () => {
    const [mine, other] = [await accepted(), await accepted()];
    const csrf = other.account.forms[0]?.fields.csrf ?? '';
    for (const path of ['profile', 'identities', 'identities/unlink', 'address', 'sessions/end', 'sessions/end-all'])
      expect([
        path,
        (await mine.browser.post(`${accountUrl()}/${path}`, { csrf, email: 'x@y.example' })).status,
      ]).toEqual([path, 403]);
    expect((await mine.browser.get(accountUrl())).html).toContain('Your account at Contoso');
  });
});
