/** The accept asks again what was asked on the way: what changed meanwhile counts, and nothing is half done. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HOUR, later } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { signInAt } from '../support/openid-provider.js';
import { GuestBrowser, proveByPasscode, startAt, type WebPage } from '../web/guest-browser.js';
import { addPartner, type Partner } from '../web/partner.js';

let gateway: TestGateway;
let tenantId: string;
let groupId: string;
let partner: Partner;
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant({ displayName: 'Contoso' })).id;
  partner = await addPartner(gateway, tenantId, 'fabrikam.example');
  const data = await gateway.ask(
    'mutation ($input: CreateGroupInput!) { createGroup(input: $input) { group { id } userErrors { code field message } } }',
    { input: { tenantId, displayName: 'Suppliers' } },
  );
  groupId = data.createGroup.group.id;
});
afterAll(async () => {
  await partner.provider.stop();
  await gateway.stop();
});

/** A guest who stands before the button that accepts. */
async function guestAtConsent(domain: string, key = gateway.bootstrapKey) {
  const email = `guest${++people}@${domain}`;
  const data = await gateway.ask(
    'mutation ($input: InviteUserInput!) { inviteUser(input: $input) { invitation { id } redeemUrl userErrors { code message } } }',
    { input: { tenantId, email, groupIds: [groupId] } },
    { key },
  );
  const { invitation, redeemUrl } = data.inviteUser;
  const browser = new GuestBrowser();
  const consent =
    domain === 'fabrikam.example'
      ? await proveByProvider(browser, redeemUrl, email)
      : await proveByPasscode(gateway, browser, redeemUrl, email);
  expect(consent.forms.some(({ action }) => action.endsWith('/accept'))).toBe(true);
  return { id: invitation.id as string, email, browser, consent };
}

async function proveByProvider(browser: GuestBrowser, redeemUrl: string, email: string): Promise<WebPage> {
  const leaving = await browser.submit(await startAt(browser, redeemUrl), '/sign-in');
  return browser.get(await signInAt(partner.provider, leaving.refreshTo ?? '', email));
}

async function expectNothingDone(invitationId: string, email: string): Promise<void> {
  const rows = await gateway.sql(
    `select i.status, u.state, (select count(*)::int from identity n where n.external_user_id = u.id) as identities,
      (select count(*)::int from group_member m where m.external_user_id = u.id) as groups,
      (select count(*)::int from event e where e.invitation_id = i.id and e.type = 'REDEEMED') as redeemed
    from invitation i join external_user u on u.id = i.external_user_id where i.id = $1 and u.email = $2`,
    [invitationId, email],
  );
  expect(rows).toEqual([{ status: 'PENDING', state: 'PENDING_ACCEPTANCE', identities: 0, groups: 0, redeemed: 0 }]);
}

const changeTenant = (ownDomains: string[]) =>
  gateway.ask('mutation ($input: UpdateTenantInput!) { updateTenant(input: $input) { userErrors { code field } } }', {
    input: { tenantId, ownDomains },
  });

const changeProvider = (input: object) =>
  gateway.ask(
    'mutation ($input: UpdateIdentityProviderInput!) { updateIdentityProvider(input: $input) { userErrors { code field } } }',
    { input: { identityProviderId: partner.providerId, ...input } },
  );

describe('an accept', () => {
  it("is refused once the domain is one of the tenant's own, and goes on when it is no more", async () => {
    const { id, email, browser, consent } = await guestAtConsent('litware.example');
    await changeTenant(['litware.example']);
    const answer = await browser.submit(consent, '/accept');
    expect([answer.status, answer.html.includes('This address now belongs to the organisation')]).toEqual([403, true]);
    await expectNothingDone(id, email);
    await changeTenant(['mail.litware.example', 'notlitware.example']);
    expect((await browser.submit(consent, '/accept')).status).toBe(200);
    expect(await gateway.sql('select status from invitation where id = $1', [id])).toEqual([{ status: 'REDEEMED' }]);
  });

  it.each([
    ['was disabled', { enabled: false }, { enabled: true }],
    ['lost the domain', { domains: ['other.example'] }, { domains: ['fabrikam.example'] }],
    ['became one of another issuer', { oidc: { issuer: 'https://login.elsewhere.example' } }, null],
  ])('is refused when the provider that vouched %s', async (_what, change, back) => {
    const { id, email, browser, consent } = await guestAtConsent('fabrikam.example');
    await changeProvider(change);
    expect((await browser.submit(consent, '/accept')).status).toBe(403);
    await expectNothingDone(id, email);
    await changeProvider(back ?? { oidc: { issuer: partner.provider.issuer } });
    expect((await browser.submit(consent, '/accept')).status).toBe(200);
  });

  it('by passcode is refused once an organisation signs the domain in', async () => {
    const { id, email, browser, consent } = await guestAtConsent('proseware.example');
    await changeProvider({ domains: ['fabrikam.example', 'proseware.example'] });
    expect((await browser.submit(consent, '/accept')).status).toBe(403);
    await expectNothingDone(id, email);
    await changeProvider({ domains: ['fabrikam.example'] });
  });

  it('goes on when the key that invited has merely expired', async () => {
    const key = await gateway.createKey({
      tenantId,
      permissions: ['INVITATION_WRITE', 'REDEEM_URL_READ'],
      expiresAt: later(gateway.clock.now(), HOUR).toISOString(),
    });
    const email = `guest${++people}@wingtip.example`;
    const data = await gateway.ask(
      'mutation ($input: InviteUserInput!) { inviteUser(input: $input) { redeemUrl userErrors { code message } } }',
      { input: { tenantId, email } },
      { key: key.secret },
    );
    gateway.clock.advance(2 * HOUR);
    const browser = new GuestBrowser();
    const consent = await proveByPasscode(gateway, browser, data.inviteUser.redeemUrl, email);
    expect((await browser.submit(consent, '/accept')).status).toBe(200);
  });
});
