/** Guests of a partner whose people the tenant has redeemed automatically: told, not asked. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { signInAt } from '../support/openid-provider.js';
import { GuestBrowser, pressContinue, type WebPage } from './guest-browser.js';
import { addPartner, type Partner } from './partner.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let provider: Partner;
let partnerId: string;
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
});
beforeEach(async () => {
  tenant = await gateway.createTenant({ displayName: 'Contoso' });
  provider = await addPartner(gateway, tenant.id, 'fabrikam.example');
  const { createPartner } = await gateway.ask(
    'mutation ($input: CreatePartnerInput!) { createPartner(input: $input) { partner { id } userErrors { code } } }',
    {
      input: {
        tenantId: tenant.id,
        displayName: 'Fabrikam',
        domains: ['fabrikam.example'],
        automaticRedemption: true,
      },
    },
  );
  partnerId = createPartner.partner.id;
});
afterEach(() => provider.provider.stop());
afterAll(() => gateway.stop());

const change = (input: object) =>
  gateway.ask(
    'mutation ($input: UpdatePartnerInput!) { updatePartner(input: $input) { partner { id } userErrors { code } } }',
    { input: { partnerId, ...input } },
  );

const publishTerms = () =>
  gateway.ask(
    'mutation ($input: PublishTermsOfUseInput!) { publishTermsOfUse(input: $input) { userErrors { code } } }',
    { input: { tenantId: tenant.id, texts: [{ language: 'en', markdown: 'Be kind.' }] } },
  );

async function invite(input: object = {}) {
  const email = `guest${++people}@fabrikam.example`;
  return { email, ...(await gateway.inviteUser({ tenantId: tenant.id, email, ...input })) };
}

/** At the tenant's own page, without the link. */
async function signInAtTenant(email: string, browser = new GuestBrowser()): Promise<WebPage> {
  const start = await browser.get(`${gateway.url}/t/${tenant.slug}/sign-in`);
  const page = await browser.submit(start, '/sign-in', { email });
  const leaving = page.refreshTo ? page : await browser.submit(page, '/sign-in');
  return browser.get(await signInAt(provider.provider, leaving.refreshTo ?? '', email));
}

const told = (invitationId: string) =>
  gateway.sql<{ type: string; detail: string | null }>(
    "select type, detail from event where invitation_id = $1 and type in ('CONSENTED', 'REDEEMED') order by seq",
    [invitationId],
  );

const NOT_ASKED = [
  { type: 'CONSENTED', detail: "Not asked: the partner's people are redeemed automatically." },
  { type: 'REDEEMED', detail: null },
];

async function statusOf(invitationId: string): Promise<string | undefined> {
  const [found] = await gateway.sql<{ status: string }>('select status from invitation where id = $1', [invitationId]);
  return found?.status;
}

describe('a guest of a partner that is redeemed automatically', () => {
  it('is not asked for consent, and accepts by the click that leads on; coming back from the provider accepts nothing', async () => {
    const { email, id, redeemUrl } = await invite();
    const browser = new GuestBrowser();
    const leaving = await pressContinue(browser, redeemUrl);
    expect(await statusOf(id)).toBe('PENDING');
    const back = await browser.get(await signInAt(provider.provider, leaving.refreshTo ?? '', email));
    expect(await statusOf(id)).toBe('PENDING');
    expect(back.html).not.toContain('shares');
    const landed = await browser.submit(back, '/accept');
    expect(landed.html).toContain('You are a guest of Contoso now');
    expect(await told(id)).toEqual(NOT_ASKED);
    expect((await browser.get(`${gateway.url}/t/${tenant.slug}/account`)).html).toContain(email);
  });

  it('accepts by signing in at the tenant, without the link, and has what was granted', async () => {
    const { createGroup } = await gateway.ask(
      'mutation ($input: CreateGroupInput!) { createGroup(input: $input) { group { id } userErrors { code } } }',
      { input: { tenantId: tenant.id, displayName: 'Buyers' } },
    );
    const { email, id, externalUserId } = await invite({ groupIds: [createGroup.group.id] });
    const browser = new GuestBrowser();
    const back = await signInAtTenant(email, browser);
    expect(await statusOf(id)).toBe('PENDING');
    await browser.submit(back, '/accept');
    expect([await statusOf(id), await told(id)]).toEqual(['REDEEMED', NOT_ASKED]);
    expect(
      await gateway.sql('select group_id from group_member where external_user_id = $1', [externalUserId]),
    ).toEqual([{ group_id: createGroup.group.id }]);
    expect((await browser.get(`${gateway.url}/t/${tenant.slug}/account`)).html).toContain(email);
    const again = await signInAtTenant(email);
    expect(again.status).toBe(200);
    expect(await told(id)).toHaveLength(2);
  });

  it('is told by the mail, not asked: the link is a shortcut', async () => {
    const { mail } = await gateway.waitForMail((await invite({ language: 'en' })).email);
    expect(mail.subject).toBe('You have access to Contoso');
    for (const content of [mail.text, mail.html]) {
      expect(content).toContain('You need not do anything now');
      expect(content).toContain('Go to Contoso');
      expect(content).toMatch(/\/redeem\//);
      expect(content).not.toMatch(/accept/i);
    }
    const korean = await gateway.waitForMail((await invite({ language: 'ko' })).email);
    expect(korean.mail.text).toContain('지금 하실 일은 없습니다');
    expect(korean.mail.text).not.toContain('수락');
    await publishTerms();
    const asked = await gateway.waitForMail((await invite({ language: 'en' })).email);
    expect(asked.mail.text).toContain('Accept invitation');
  });

  it('is asked for terms of use, also without the link', async () => {
    await publishTerms();
    const { email, id } = await invite();
    const browser = new GuestBrowser();
    const consent = await signInAtTenant(email, browser);
    expect([consent.html.includes('Be kind.'), await statusOf(id)]).toEqual([true, 'PENDING']);
    await browser.submit(consent, '/accept');
    expect(await told(id)).toEqual([
      { type: 'CONSENTED', detail: 'Terms of use, version 1.' },
      { type: 'REDEEMED', detail: null },
    ]);
  });

  it('is nobody at the tenant once the invitation was revoked, has run out, or the trust has ended', async () => {
    const revoked = await invite();
    await gateway.ask(
      'mutation ($input: InvitationIdInput!) { revokeInvitation(input: $input) { userErrors { code } } }',
      { input: { invitationId: revoked.id } },
    );
    await signInAtTenant(revoked.email);
    expect(await statusOf(revoked.id)).toBe('REVOKED');
    const untrusted = await invite();
    await change({ automaticRedemption: false });
    await signInAtTenant(untrusted.email);
    expect(await statusOf(untrusted.id)).toBe('PENDING');
    await change({ automaticRedemption: true });
    await gateway.sql("update invitation set expires_at = now() - interval '1 hour' where id = $1", [untrusted.id]);
    await signInAtTenant(untrusted.email);
    expect(await statusOf(untrusted.id)).not.toBe('REDEEMED');
  });
});
