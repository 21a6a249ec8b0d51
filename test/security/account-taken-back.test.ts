/** What a guest does after somebody else was in their account, and what a stranger can do to a tenant by typing addresses. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as client from 'openid-client';
import { discover, issuerOf, registerApp } from '../openid-provider/relying-party.js';
import { authorize } from '../openid-provider/sign-in.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { GuestBrowser, passcodesTo } from '../web/guest-browser.js';
import { signInGuest } from '../web/signed-in-guest.js';

const QUOTA = 40;
const PASSWORD = 'a long walk by the sea';
let gateway: TestGateway;
let tenant: { id: string; slug: string };
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway({ env: { MAILS_PER_TENANT_PER_HOUR: String(QUOTA) } });
  tenant = await gateway.createTenant({ displayName: 'Contoso' });
});
afterAll(() => gateway.stop());

const newAddress = () => `guest${++people}@litware.example`;
const door = (query = '') => `${gateway.url}/t/${tenant.slug}/sign-in${query}`;

async function guestWithPassword() {
  const guest = await signInGuest(gateway, tenant, newAddress());
  await guest.browser.submit(await guest.browser.get(guest.page('/account/security')), '/password', {
    password: PASSWORD,
  });
  return guest;
}

async function byPassword(email: string): Promise<GuestBrowser> {
  const browser = new GuestBrowser();
  const page = await browser.submit(await browser.get(door('?with=account')), '/sign-in', { email });
  await browser.submit(page, '/password', { password: PASSWORD });
  return browser;
}

const identitiesOf = (externalUserId: string) =>
  gateway.sql<{ sign_in_type: string; id: string }>(
    'select id, sign_in_type from identity where external_user_id = $1 order by linked_at, id',
    [externalUserId],
  );

describe('the last way to sign in', () => {
  it('is not removed with the password, whichever came first', async () => {
    const { email, externalUserId, page } = await guestWithPassword();
    const browser = await byPassword(email);
    const [first] = await identitiesOf(externalUserId);
    const account = await browser.get(page('/account'));
    const form = account.forms.find(({ fields }) => fields.identityId === first?.id);
    await browser.post(new URL(form?.action ?? '', account.url), form?.fields ?? {});
    expect((await identitiesOf(externalUserId)).map(({ sign_in_type }) => sign_in_type)).toEqual(['LOCAL']);
    const refused = await browser.submit(await browser.get(page('/account/security')), '/password/remove');
    expect(refused.status).toBe(409);
    expect((await identitiesOf(externalUserId)).map(({ sign_in_type }) => sign_in_type)).toEqual(['LOCAL']);
  });
});

describe('what an app holds while the guest is away', () => {
  const offline = { scope: 'openid offline_access', prompt: 'consent' };

  it('ends with a session that ended because somebody else may have been in it', async () => {
    const config = await discover(issuerOf(gateway, tenant.slug), await registerApp(gateway, tenant.id));
    const { email, browser, page } = await guestWithPassword();
    const intruder = await byPassword(email);
    const theirs = await authorize(config, intruder, offline);
    const own = await authorize(config, browser, offline);
    const changed = { password: 'another walk, up a hill' };
    await browser.submit(await browser.get(page('/account/security')), '/password', changed);
    await expect(client.refreshTokenGrant(config, theirs.refresh_token as string)).rejects.toMatchObject({
      error: 'invalid_grant',
    });
    expect((await client.refreshTokenGrant(config, own.refresh_token as string)).access_token).toBeTruthy();
  });

  it('goes on when the guest merely signs out', async () => {
    const config = await discover(issuerOf(gateway, tenant.slug), await registerApp(gateway, tenant.id));
    const { browser, page } = await guestWithPassword();
    const { refresh_token: token } = await authorize(config, browser, offline);
    await browser.submit(await browser.get(page('/apps')), '/sign-out');
    expect((await client.refreshTokenGrant(config, token as string)).access_token).toBeTruthy();
  });
});

describe('a sign-in that was proven by a password', () => {
  it('is worth nothing once the password is changed', async () => {
    const { email, browser, page, externalUserId } = await guestWithPassword();
    await gateway.ask(
      'mutation ($input: UpdateSecondFactorPolicyInput!) { updateSecondFactorPolicy(input: $input) { userErrors { code } } }',
      { input: { tenantId: tenant.id, required: true } },
    );
    const intruder = new GuestBrowser();
    const asked = await intruder.submit(await intruder.get(door('?with=account')), '/sign-in', { email });
    const waiting = await intruder.submit(asked, '/password', { password: PASSWORD });
    expect(waiting.html).toContain('Set up a second factor');
    const changed = { password: 'another walk, up a hill' };
    await browser.submit(await browser.get(page('/account/security')), '/password', changed);
    await gateway.ask(
      'mutation ($input: UpdateSecondFactorPolicyInput!) { updateSecondFactorPolicy(input: $input) { userErrors { code } } }',
      { input: { tenantId: tenant.id, required: false } },
    );
    const now = await intruder.get(waiting.url);
    const done = now.forms.find(({ action }) => action.endsWith('/accept') || action.endsWith('/done'));
    if (done) await intruder.post(new URL(done.action, now.url), done.fields);
    const live = await gateway.sql('select from guest_session where external_user_id = $1 and ended_at is null', [
      externalUserId,
    ]);
    expect(live).toHaveLength(1);
  });
});

describe('a stranger', () => {
  it('uses up none of the mails of a tenant by typing addresses that nobody here has', async () => {
    const browser = new GuestBrowser();
    for (let typed = 0; typed < QUOTA + 1; typed++)
      await browser.submit(await browser.get(door()), '/sign-in', { email: `nobody${typed}@nowhere.example` });
    const email = newAddress();
    const { data } = await gateway.gql(
      'mutation ($input: InviteUserInput!) { inviteUser(input: $input) { userErrors { code } } }',
      { input: { tenantId: tenant.id, email } },
    );
    expect(data.inviteUser.userErrors).toEqual([]);
  });

  it('who is a guest sends codes to so many addresses in an hour, and no more', async () => {
    const { browser, page } = await signInGuest(gateway, await gateway.createTenant(), newAddress());
    const sent: number[] = [];
    for (let typed = 0; typed < 25; typed++) {
      const email = `victim${typed}@elsewhere.example`;
      sent.push((await browser.submit(await browser.get(page('/account')), '/identities', { email })).status);
    }
    expect(sent.filter((status) => status === 429).length).toBe(5);
    await until(() => passcodesTo(gateway, 'victim19@elsewhere.example')[0], 'the last code');
    expect(passcodesTo(gateway, 'victim24@elsewhere.example')).toEqual([]);
  });
});
