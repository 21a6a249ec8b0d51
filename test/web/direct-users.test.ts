import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { signInAt } from '../support/openid-provider.js';
import { until } from '../support/until.js';
import { GuestBrowser, passcodesTo, type WebPage } from './guest-browser.js';
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

const ADD = `mutation ($input: AddExternalUserInput!) { addExternalUser(input: $input) {
  externalUser { id state creationType } signInUrl userErrors { code field }
} }`;
const add = async (input: object) =>
  (await gateway.gql(ADD, { input: { tenantId: tenant.id, ...input } })).data.addExternalUser;

async function added(domain = 'litware.example', input: object = {}) {
  const email = `guest${++people}@${domain}`;
  const { externalUser, signInUrl } = await add({ email, ...input });
  return { email, id: externalUser.id as string, signInUrl: signInUrl as string };
}

async function signInByPasscode(browser: GuestBrowser, email: string): Promise<WebPage> {
  const before = passcodesTo(gateway, email).length;
  const start = await browser.get(`${gateway.url}/t/${tenant.slug}/sign-in`);
  const page = await browser.submit(start, '/sign-in', { email });
  const passcode = await until(() => passcodesTo(gateway, email)[before], 'the passcode');
  return browser.submit(page, '/passcode', { passcode });
}

const stateOf = async (id: string) => {
  const [user] = await gateway.sql<{ state: string }>('select state from external_user where id = $1', [id]);
  return user?.state;
};

describe('somebody who is added without an invitation', () => {
  it('gets no mail, agrees at the first sign-in, and is not asked again', async () => {
    const data = await gateway.ask(
      'mutation ($input: CreateGroupInput!) { createGroup(input: $input) { group { id } userErrors { code } } }',
      { input: { tenantId: tenant.id, displayName: 'Buyers' } },
    );
    const groupId = data.createGroup.group.id;
    const { email, id, signInUrl } = await added('litware.example', { groupIds: [groupId] });
    expect(signInUrl).toBe(`${gateway.url}/t/${tenant.slug}/sign-in`);
    expect(gateway.mails(email)).toEqual([]);
    const browser = new GuestBrowser();
    const consent = await signInByPasscode(browser, email);
    expect(consent.html).toContain('Join Contoso as a guest');
    expect(await stateOf(id)).toBe('PENDING_ACCEPTANCE');
    expect((await browser.get(`${gateway.url}/t/${tenant.slug}/apps`)).url.pathname).toContain('/sign-in');
    const apps = await browser.submit(consent, '/accept');
    expect(apps.html).toContain('Your apps at Contoso');
    expect(await stateOf(id)).toBe('ACCEPTED');
    expect((await signInByPasscode(new GuestBrowser(), email)).html).toContain('Your apps at Contoso');
    expect(await gateway.sql('select group_id from group_member where external_user_id = $1', [id])).toEqual([
      { group_id: groupId },
    ]);
  });

  it('signs in at the provider of the address, and only there', async () => {
    const { email, id } = await added('fabrikam.example');
    const browser = new GuestBrowser();
    const start = await browser.get(`${gateway.url}/t/${tenant.slug}/sign-in`);
    const page = await browser.submit(start, '/sign-in', { email });
    expect(page.forms.map((form) => form.action.split('/').at(-1))).toEqual(['sign-in']);
    const stranger = await signInAt(
      partner.provider,
      (await browser.submit(page, '/sign-in')).refreshTo ?? '',
      'other@fabrikam.example',
    );
    const refused = await browser.get(stranger);
    expect(refused.html).toContain('Nobody here signs in with this account');
    const back = await signInAt(partner.provider, (await browser.submit(refused, '/sign-in')).refreshTo ?? '', email);
    await browser.submit(await browser.get(back), '/accept');
    expect(await stateOf(id)).toBe('ACCEPTED');
    const [identity] = await gateway.sql('select sign_in_type from identity where external_user_id = $1', [id]);
    expect(identity).toEqual({ sign_in_type: 'OIDC' });
  });

  it('is not accepted by terms that were not shown', async () => {
    const { email, id } = await added();
    const browser = new GuestBrowser();
    const consent = await signInByPasscode(browser, email);
    const refused = await browser.submit(consent, '/accept', { consentVersion: 'another' });
    expect([refused.status, refused.html.includes('The terms have changed')]).toEqual([422, true]);
    expect(await stateOf(id)).toBe('PENDING_ACCEPTANCE');
  });

  it('is refused when the tenant no longer takes the domain', async () => {
    const { email, id } = await added('late.example');
    const browser = new GuestBrowser();
    const consent = await signInByPasscode(browser, email);
    await gateway.sql("update tenant set own_domains = '{late.example}' where id = $1", [tenant.id]);
    expect((await browser.submit(consent, '/accept')).status).toBe(403);
    await gateway.sql("update tenant set own_domains = '{}' where id = $1", [tenant.id]);
    expect(await stateOf(id)).toBe('PENDING_ACCEPTANCE');
  });
});

describe('adding', () => {
  it('the same person again changes nothing but what is given anew, and gives the same user', async () => {
    const { email, id } = await added();
    expect((await add({ email: email.toUpperCase(), displayName: 'Ada' })).externalUser.id).toBe(id);
  });

  it('is refused for who has accepted, is invited, is blocked, or is no one person', async () => {
    const invited = `guest${++people}@litware.example`;
    await gateway.inviteUser({ tenantId: tenant.id, email: invited });
    const member = await added();
    const browser = new GuestBrowser();
    await browser.submit(await signInByPasscode(browser, member.email), '/accept');
    const blocked = await added();
    await gateway.sql('update external_user set account_enabled = false where id = $1', [blocked.id]);
    const codes = [];
    for (const email of [invited, member.email, blocked.email, 'a@x.example, b@x.example', 'nobody'])
      codes.push((await add({ email })).userErrors.map((error: { code: string }) => error.code));
    expect(codes).toEqual([
      ['ALREADY_INVITED'],
      ['ALREADY_MEMBER'],
      ['ACCOUNT_DISABLED'],
      ['GROUP_ADDRESS'],
      ['ADDRESS_INVALID'],
    ]);
  });

  it('with the same key and input gives the same user, and is refused for another input', async () => {
    const input = { email: `guest${++people}@litware.example`, idempotencyKey: `key-${people}` };
    const [first, second] = [await add(input), await add(input)];
    expect(second.externalUser.id).toBe(first.externalUser.id);
    expect((await add({ ...input, displayName: 'Other' })).userErrors).toEqual([
      { code: 'IDEMPOTENCY_KEY_REUSED', field: ['idempotencyKey'] },
    ]);
  });
});
