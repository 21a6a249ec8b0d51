/** Policies and partners as operators set them, and what they do to invitations and guests. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../../support/gateway.js';
import { until } from '../../support/until.js';
import { GuestBrowser, passcodesTo, proveByPasscode, startAt } from '../../web/guest-browser.js';

const ERRORS = 'userErrors { code field }';
const SIGN_IN = `mutation ($input: UpdateSignInPolicyInput!) { result: updateSignInPolicy(input: $input) {
  tenant { signInPolicy { order fallback } } warnings ${ERRORS} } }`;
const DOMAINS = `mutation ($input: UpdateDomainPolicyInput!) { result: updateDomainPolicy(input: $input) {
  tenant { domainPolicy { rule domains } } warnings ${ERRORS} } }`;
const PARTNER = `{ partner { id displayName domains automaticRedemption trustsSecondFactor
  signInPolicy { order fallback } tenant { id } } warnings ${ERRORS} }`;
const CREATE = `mutation ($input: CreatePartnerInput!) { result: createPartner(input: $input) ${PARTNER} }`;
const UPDATE = `mutation ($input: UpdatePartnerInput!) { result: updatePartner(input: $input) ${PARTNER} }`;
const DELETE = `mutation ($input: PartnerIdInput!) { result: deletePartner(input: $input) ${PARTNER} }`;
const INVITE = `mutation ($input: InviteUserInput!) { result: inviteUser(input: $input) { invitation { id } redeemUrl ${ERRORS} } }`;
const RESEND = `mutation ($input: InvitationIdInput!) { result: resendInvitation(input: $input) { ${ERRORS} } }`;

let gateway: TestGateway;
let tenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway();
});
beforeEach(async () => {
  tenantId = (await gateway.createTenant({ displayName: 'Contoso' })).id;
});
afterAll(() => gateway.stop());

async function run(document: string, input: object) {
  const { data, errors } = await gateway.gql(document, { input });
  expect(errors).toBeUndefined();
  return data.result;
}

const invite = (email: string) => run(INVITE, { tenantId, email, sendMail: false });
const setDomains = (rule: string, domains: string[]) => run(DOMAINS, { tenantId, rule, domains });
const setOrder = (order: string[], fallback = 'NONE') => run(SIGN_IN, { tenantId, order, fallback });
const refusalOf = async (email: string) => (await invite(email)).userErrors;

async function accept(email: string): Promise<void> {
  const { redeemUrl } = await gateway.inviteUser({ tenantId, email });
  const browser = new GuestBrowser();
  await browser.submit(await proveByPasscode(gateway, browser, redeemUrl, email), '/accept');
}

describe('the domain policy', () => {
  it('takes everybody unless it is set', async () => {
    const { tenant } = await gateway.ask('query ($id: ID!) { tenant(id: $id) { domainPolicy { rule domains } } }', {
      id: tenantId,
    });
    expect(tenant.domainPolicy).toEqual({ rule: 'ALLOW_ANY', domains: [] });
    expect(await refusalOf('ana@fabrikam.example')).toEqual([]);
  });

  it('refuses listed domains, wildcards without their apex', async () => {
    const { tenant } = await setDomains('DENY_LISTED', ['Fabrikam.example', '*.litware.example']);
    expect(tenant.domainPolicy).toEqual({ rule: 'DENY_LISTED', domains: ['fabrikam.example', '*.litware.example'] });
    const blocked = [{ code: 'DOMAIN_BLOCKED', field: ['email'] }];
    expect(await refusalOf('ana@FABRIKAM.example')).toEqual(blocked);
    expect(await refusalOf('ana@sales.litware.example')).toEqual(blocked);
    expect(await refusalOf('ana@litware.example')).toEqual([]);
    expect(await refusalOf('ana@sub.fabrikam.example')).toEqual([]);
  });

  it('refuses all but listed domains', async () => {
    await setDomains('ALLOW_LISTED', ['fabrikam.example']);
    expect(await refusalOf('ana@fabrikam.example')).toEqual([]);
    expect(await refusalOf('ana@evil.example')).toEqual([{ code: 'DOMAIN_NOT_ALLOWED', field: ['email'] }]);
  });

  it('holds for each row of a bulk invite', async () => {
    await setDomains('DENY_LISTED', ['fabrikam.example']);
    const { bulkInvite } = (
      await gateway.ask(
        'mutation ($input: BulkInviteInput!) { result: bulkInvite(input: $input) { bulkInvite { id } userErrors { code } } }',
        { input: { tenantId, rows: [{ email: 'a@fabrikam.example' }, { email: 'b@other.test' }] } },
      )
    ).result;
    const rows = await until(async () => {
      const found = await gateway.sql<{ outcome: string; errors: { code: string }[] | null }>(
        'select outcome, errors from bulk_invite_row where bulk_invite_id = $1 order by row_number',
        [bulkInvite.id],
      );
      return found.every(({ outcome }) => outcome !== 'WAITING') ? found : null;
    }, 'rows worked off');
    expect(rows.map(({ outcome, errors }) => [outcome, errors?.[0]?.code])).toEqual([
      ['REJECTED', 'DOMAIN_BLOCKED'],
      ['INVITED', undefined],
    ]);
  });

  it('stops open invitations at every step, counts them in the answer, and leaves who accepted alone', async () => {
    await accept('done@fabrikam.example');
    const [opened, closed] = [await invite('ana@fabrikam.example'), await invite('bo@fabrikam.example')];
    const browser = new GuestBrowser();
    const consent = await proveByPasscode(gateway, browser, opened.redeemUrl, 'ana@fabrikam.example');
    const { warnings } = await setDomains('DENY_LISTED', ['fabrikam.example']);
    expect(warnings).toEqual(['2 open invitations can no longer be accepted, because of their domain.']);
    const refused = await browser.submit(consent, '/accept');
    expect([refused.status, refused.html.includes('DOMAIN_BLOCKED')]).toEqual([403, true]);
    expect((await new GuestBrowser().get(closed.redeemUrl)).html).toContain('DOMAIN_BLOCKED');
    expect((await run(RESEND, { invitationId: closed.invitation.id })).userErrors).toEqual([
      { code: 'DOMAIN_BLOCKED', field: ['invitationId'] },
    ]);
    await setDomains('ALLOW_ANY', []);
    expect((await browser.submit(await browser.get(consent.url), '/accept')).html).not.toContain('DOMAIN_BLOCKED');
  });

  it('is refused when it is no list of domains, or would let nobody in', async () => {
    expect((await setDomains('DENY_LISTED', ['ok.example', 'no domain'])).userErrors).toEqual([
      { code: 'INVALID', field: ['domains', '1'] },
    ]);
    expect((await setDomains('ALLOW_LISTED', [])).userErrors).toEqual([{ code: 'REQUIRED', field: ['domains'] }]);
  });
});

describe('the sign-in policy', () => {
  it('has a default, and is kept as it is set', async () => {
    const { tenant } = await gateway.ask('query ($id: ID!) { tenant(id: $id) { signInPolicy { order fallback } } }', {
      id: tenantId,
    });
    expect(tenant.signInPolicy).toEqual({
      order: ['TENANT_PROVIDERS', 'SOCIAL', 'EMAIL_PASSCODE', 'LOCAL'],
      fallback: 'NONE',
    });
    const set = await setOrder(['EMAIL_PASSCODE', 'TENANT_PROVIDERS'], 'EMAIL_PASSCODE');
    expect(set.tenant.signInPolicy).toEqual({
      order: ['EMAIL_PASSCODE', 'TENANT_PROVIDERS'],
      fallback: 'EMAIL_PASSCODE',
    });
  });

  it.each([
    [[], 'NONE', { code: 'REQUIRED', field: ['order'] }],
    [['SOCIAL', 'SOCIAL'], 'NONE', { code: 'INVALID', field: ['order'] }],
    [['TENANT_PROVIDERS'], 'EMAIL_PASSCODE', { code: 'INVALID', field: ['fallback'] }],
  ])('is refused as order %j with fallback %s', async (order, fallback, error) => {
    expect((await setOrder(order, fallback)).userErrors).toEqual([error]);
  });

  it('locks nobody out in silence: the answer counts whom, and the guest is told whom to ask', async () => {
    await accept('done@fabrikam.example');
    const email = 'locked-out@fabrikam.example';
    const { redeemUrl } = await invite(email);
    const browser = new GuestBrowser();
    const { url, forms } = await startAt(browser, redeemUrl);
    const off = await setOrder(['TENANT_PROVIDERS', 'SOCIAL']);
    expect(off.warnings).toEqual([
      '1 open invitations have no way left to prove their address.',
      '1 guests who accepted can sign in by none of the identities they have.',
    ]);
    const page = await browser.get(url);
    expect([page.status, page.html]).toEqual([403, expect.stringContaining('ask whoever invited you')]);
    const sent = await browser.post(`${url}/passcode/send`, { csrf: forms[0]?.fields.csrf ?? '' });
    expect([sent.status, passcodesTo(gateway, email)]).toEqual([403, []]);
    const on = await setOrder(['EMAIL_PASSCODE']);
    expect(on.warnings).toEqual([]);
    expect((await browser.get(url)).html).toContain('/passcode/send');
  });
});

describe('a partner', () => {
  const fabrikam = { displayName: 'Fabrikam', domains: ['fabrikam.example', '*.fabrikam.example'] };
  const strict = { order: ['TENANT_PROVIDERS'], fallback: 'NONE' };

  it('is created, read, changed and deleted', async () => {
    const { partner } = await run(CREATE, { tenantId, ...fabrikam });
    const usual = {
      automaticRedemption: false,
      trustsSecondFactor: false,
      signInPolicy: null,
      tenant: { id: tenantId },
    };
    expect(partner).toEqual({ id: expect.stringMatching(/^ptn_/), ...fabrikam, ...usual });
    const changed = await run(UPDATE, {
      partnerId: partner.id,
      domains: ['fabrikam.test'],
      automaticRedemption: true,
      signInPolicy: strict,
    });
    const { tenant } = await gateway.ask(
      'query ($id: ID!) { tenant(id: $id) { partners { nodes { id domains automaticRedemption signInPolicy { order } } } } }',
      { id: tenantId },
    );
    expect(changed.partner).toMatchObject({ domains: ['fabrikam.test'], signInPolicy: strict });
    expect(tenant.partners.nodes).toEqual([
      { id: partner.id, domains: ['fabrikam.test'], automaticRedemption: true, signInPolicy: { order: strict.order } },
    ]);
    const cleared = await run(UPDATE, { partnerId: partner.id, signInPolicy: null });
    expect(cleared.partner).toMatchObject({ signInPolicy: null, automaticRedemption: true });
    expect((await run(DELETE, { partnerId: partner.id })).partner).toMatchObject({ domains: ['fabrikam.test'] });
    expect((await run(DELETE, { partnerId: partner.id })).userErrors).toEqual([
      { code: 'NOT_FOUND', field: ['partnerId'] },
    ]);
  });

  it('leaves a domain to the partner that has it, and needs one', async () => {
    await run(CREATE, { tenantId, ...fabrikam });
    const again = await run(CREATE, { tenantId, displayName: 'Again', domains: ['other.test', 'FABRIKAM.example'] });
    expect(again).toEqual({ partner: null, warnings: [], userErrors: [{ code: 'TAKEN', field: ['domains', '1'] }] });
    expect((await run(CREATE, { tenantId, displayName: 'None', domains: [] })).userErrors).toEqual([
      { code: 'REQUIRED', field: ['domains'] },
    ]);
  });

  it('has rules of its own: they hold for its domains alone', async () => {
    const [ana, bo] = [await invite('ana@fabrikam.example'), await invite('bo@other.test')];
    const { warnings } = await run(CREATE, { tenantId, ...fabrikam, signInPolicy: strict });
    expect(warnings).toEqual(['1 open invitations have no way left to prove their address.']);
    const pageOf = (redeemUrl: string) => startAt(new GuestBrowser(), redeemUrl);
    expect((await pageOf(ana.redeemUrl)).html).toContain('NO_METHOD');
    expect((await pageOf(bo.redeemUrl)).html).toContain('/passcode/send');
  });

  it('whose people are redeemed automatically asks them nothing, and the feed says so', async () => {
    const { id, redeemUrl } = await gateway.inviteUser({ tenantId, email: 'auto@fabrikam.example' });
    await run(CREATE, { tenantId, ...fabrikam, automaticRedemption: true });
    const browser = new GuestBrowser();
    const page = await proveByPasscode(gateway, browser, redeemUrl, 'auto@fabrikam.example');
    expect(page.html).toContain('join without being asked');
    await browser.submit(page, '/accept');
    expect(
      await gateway.sql(
        "select type, detail from event where invitation_id = $1 and type in ('CONSENTED', 'REDEEMED')",
        [id],
      ),
    ).toEqual([
      { type: 'CONSENTED', detail: "Not asked: the partner's people are redeemed automatically." },
      { type: 'REDEEMED', detail: null },
    ]);
  });

  it('whose people are redeemed automatically has them agree to terms of use all the same, unless spared', async () => {
    await gateway.ask(
      'mutation ($input: PublishTermsOfUseInput!) { publishTermsOfUse(input: $input) { userErrors { code } } }',
      { input: { tenantId, texts: [{ language: 'en', markdown: 'Be kind.' }] } },
    );
    const { redeemUrl } = await gateway.inviteUser({ tenantId, email: 'terms@fabrikam.example' });
    const { partner } = await run(CREATE, { tenantId, ...fabrikam, automaticRedemption: true });
    const browser = new GuestBrowser();
    const page = await proveByPasscode(gateway, browser, redeemUrl, 'terms@fabrikam.example');
    expect(page.html).toContain('Be kind.');
    await run(UPDATE, { partnerId: partner.id, skipsTermsOfUse: true });
    expect((await browser.get(page.url)).html).toContain('join without being asked');
  });

  it('whose people are redeemed automatically needs no consent over GraphQL either', async () => {
    const { redeemUrl } = await gateway.inviteUser({ tenantId, email: 'script@fabrikam.example' });
    await run(CREATE, { tenantId, ...fabrikam, automaticRedemption: true });
    const token = new URL(redeemUrl).pathname.split('/').at(-1);
    const { data } = await gateway.gql(
      'mutation ($token: String!) { result: beginRedemption(input: { token: $token }) { redemption { consentRequired } } }',
      { token },
      { key: null },
    );
    expect(data.result.redemption.consentRequired).toBe(false);
  });
});
