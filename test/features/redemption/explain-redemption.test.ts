/** What an operator is told before inviting: the same that inviting and redeeming do. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../../support/gateway.js';
import { GuestBrowser, proveByPasscode, startAt } from '../../web/guest-browser.js';

const EXPLAIN = `query ($tenantId: ID!, $email: String!) { result: explainRedemption(tenantId: $tenantId, email: $email) {
  address inviteRefusal { code field } domain { allowed rule pattern }
  externalUser { id state } openInvitation { id } partner { displayName } signInPolicy { order fallback }
  methods { kind displayName rule pattern identityProvider { id } } automaticRedemption warnings { code } } }`;

let gateway: TestGateway;
let tenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway();
});
beforeEach(async () => {
  tenantId = (await gateway.createTenant({ ownDomains: ['contoso.example'] })).id;
});
afterAll(() => gateway.stop());

const explain = async (email: string, key?: string) =>
  (await gateway.ask(EXPLAIN, { tenantId, email }, key === undefined ? {} : { key })).result;

const change = (mutation: string, input: object) => {
  const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
  return gateway.ask(
    `mutation ($input: ${type}!) { ${mutation}(input: $input) { userErrors { code field message } } }`,
    {
      input,
    },
  );
};

async function addProvider(domains: string[], displayName = 'Fabrikam'): Promise<string> {
  const oidc = { issuer: 'https://login.fabrikam.example', clientId: 'vestibule' };
  const { createIdentityProvider } = await gateway.ask(
    'mutation ($input: CreateIdentityProviderInput!) { createIdentityProvider(input: $input) { identityProvider { id } userErrors { code } } }',
    { input: { tenantId, kind: 'OIDC', displayName, domains, oidc } },
  );
  return createIdentityProvider.identityProvider.id;
}

describe('explaining an address', () => {
  it('says by what it would be proven, and by which rule', async () => {
    const id = await addProvider(['*.fabrikam.example']);
    expect(await explain(' Ana@Sales.Fabrikam.example ')).toEqual({
      address: 'Ana@Sales.Fabrikam.example',
      inviteRefusal: null,
      domain: { allowed: true, rule: 'ALLOW_ANY', pattern: null },
      externalUser: null,
      openInvitation: null,
      partner: null,
      signInPolicy: { order: ['TENANT_PROVIDERS', 'SOCIAL', 'EMAIL_PASSCODE', 'LOCAL'], fallback: 'NONE' },
      methods: [
        {
          kind: 'OIDC',
          displayName: 'Fabrikam',
          rule: 'WILDCARD',
          pattern: '*.fabrikam.example',
          identityProvider: { id },
        },
      ],
      automaticRedemption: false,
      warnings: [],
    });
  });

  it("goes by the partner's rules, and shows whose they are", async () => {
    const policy = { order: ['EMAIL_PASSCODE', 'TENANT_PROVIDERS'], fallback: 'EMAIL_PASSCODE' };
    const partner = { displayName: 'Fabrikam', domains: ['fabrikam.example'], automaticRedemption: true };
    await change('createPartner', { tenantId, ...partner, signInPolicy: policy });
    await addProvider(['fabrikam.example']);
    const explained = await explain('ana@fabrikam.example');
    expect(explained).toMatchObject({
      partner: { displayName: 'Fabrikam' },
      signInPolicy: policy,
      automaticRedemption: true,
    });
    expect(explained.methods.map(({ kind, rule }: { kind: string; rule: string }) => [kind, rule])).toEqual([
      ['EMAIL_PASSCODE', 'FALLBACK'],
      ['OIDC', 'DOMAIN'],
    ]);
  });

  it('says who has the address, and what stands in the way of inviting it', async () => {
    const { id, externalUserId, redeemUrl } = await gateway.inviteUser({ tenantId, email: 'ana@other.test' });
    expect(await explain('ANA@other.test')).toMatchObject({
      inviteRefusal: { code: 'ALREADY_INVITED', field: ['email'] },
      externalUser: { id: externalUserId, state: 'PENDING_ACCEPTANCE' },
      openInvitation: { id },
    });
    const browser = new GuestBrowser();
    await browser.submit(await proveByPasscode(gateway, browser, redeemUrl, 'ana@other.test'), '/accept');
    expect(await explain('ana@other.test')).toMatchObject({
      inviteRefusal: { code: 'ALREADY_MEMBER' },
      externalUser: { state: 'ACCEPTED' },
      openInvitation: null,
      warnings: [],
    });
    await change('updateSignInPolicy', { tenantId, order: ['SOCIAL'] });
    const { warnings } = await explain('ana@other.test');
    expect(warnings).toEqual([{ code: 'NO_METHOD' }, { code: 'IDENTITIES_NOT_OFFERED' }]);
  });

  it.each([
    ['nonsense', { address: null, inviteRefusal: { code: 'ADDRESS_INVALID' }, domain: null, methods: [] }],
    ['a@x.example, b@x.example', { address: null, inviteRefusal: { code: 'GROUP_ADDRESS' } }],
    ['ana@contoso.example', { inviteRefusal: { code: 'OWN_DOMAIN' } }],
  ])('has for %j the refusal that inviting has', async (email, expected) => {
    expect(await explain(email)).toMatchObject(expected);
    const { data } = await gateway.gql(
      'mutation ($input: InviteUserInput!) { inviteUser(input: $input) { userErrors { code } } }',
      { input: { tenantId, email } },
    );
    expect(data.inviteUser.userErrors).toEqual([{ code: expected.inviteRefusal.code }]);
  });

  it('names the listed domain that lets in or keeps out', async () => {
    await change('updateDomainPolicy', { tenantId, rule: 'DENY_LISTED', domains: ['*.fabrikam.example'] });
    expect(await explain('ana@eu.fabrikam.example')).toMatchObject({
      domain: { allowed: false, rule: 'DENY_LISTED', pattern: '*.fabrikam.example' },
      inviteRefusal: { code: 'DOMAIN_BLOCKED' },
    });
    await change('updateDomainPolicy', { tenantId, rule: 'ALLOW_LISTED', domains: ['fabrikam.example'] });
    expect(await explain('ana@fabrikam.example')).toMatchObject({
      domain: { allowed: true, pattern: 'fabrikam.example' },
    });
    expect(await explain('ana@gmail.com')).toMatchObject({
      domain: { allowed: false, rule: 'ALLOW_LISTED', pattern: null },
      warnings: [{ code: 'CONSUMER_DOMAIN' }],
    });
  });

  it('warns of a provider that is disabled', async () => {
    const identityProviderId = await addProvider(['fabrikam.example']);
    await change('updateIdentityProvider', { identityProviderId, enabled: false });
    const { methods, warnings } = await explain('ana@fabrikam.example');
    expect(methods[0].kind).toBe('EMAIL_PASSCODE');
    expect(warnings).toEqual([{ code: 'PROVIDER_DISABLED' }]);
  });

  it('starts nothing, and shows a user or provider only to who may read them', async () => {
    await gateway.inviteUser({ tenantId, email: 'ana@other.test' });
    const { secret } = await gateway.createKey({ tenantId, permissions: ['INVITATION_READ'] });
    const answer = await gateway.gql(EXPLAIN, { tenantId, email: 'ana@other.test' }, { key: secret });
    expect(answer.errors?.[0]?.extensions.code).toBe('FORBIDDEN');
    expect(await gateway.sql('select from redemption_flow where tenant_id = $1', [tenantId])).toHaveLength(0);
  });

  it('says what the guest then meets', async () => {
    await addProvider(['fabrikam.example']);
    await change('updateSignInPolicy', {
      tenantId,
      order: ['TENANT_PROVIDERS', 'EMAIL_PASSCODE'],
      fallback: 'EMAIL_PASSCODE',
    });
    const { redeemUrl } = await gateway.inviteUser({ tenantId, email: 'ana@fabrikam.example' });
    const { methods } = await explain('ana@fabrikam.example');
    const page = await startAt(new GuestBrowser(), redeemUrl);
    const actions = page.forms.map(({ action }) => action.replace(/^\/r\/[^/]+\//, ''));
    expect(methods.map(({ kind }: { kind: string }) => kind)).toEqual(['OIDC', 'EMAIL_PASSCODE']);
    expect(actions.filter((action) => action !== 'decline')).toEqual(['sign-in', 'passcode/send']);
  });
});
