/** Identity providers as operators configure them, and as a redemption finds them. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestGateway } from '../../support/gateway.js';

const PAYLOAD =
  '{ identityProvider { id kind displayName issuer domains enabled tenant { id } } userErrors { field code } }';
const CREATE = `mutation ($input: CreateIdentityProviderInput!) { result: createIdentityProvider(input: $input) ${PAYLOAD} }`;
const UPDATE = `mutation ($input: UpdateIdentityProviderInput!) { result: updateIdentityProvider(input: $input) ${PAYLOAD} }`;
const DELETE = `mutation ($input: IdentityProviderIdInput!) { result: deleteIdentityProvider(input: $input) ${PAYLOAD} }`;
const oidc = { issuer: 'https://login.fabrikam.example/tenant', clientId: 'vestibule', clientSecret: 'very secret' };

let gateway: Awaited<ReturnType<typeof startTestGateway>>;
let tenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway({ env: { ALLOW_PRIVATE_PROVIDERS: 'false' } });
  tenantId = (await gateway.createTenant()).id;
});
afterAll(() => gateway.stop());

async function run(document: string, input: object) {
  const { data, errors } = await gateway.gql(document, { input });
  expect(errors).toBeUndefined();
  return data.result;
}

const create = (input: object) => run(CREATE, { tenantId, kind: 'OIDC', displayName: 'Fabrikam', oidc, ...input });

describe('creating', () => {
  it('keeps domains in normal form and in order', async () => {
    const { identityProvider, userErrors } = await create({ domains: ['Fabrikam.Example', '*.fabrikam.example'] });
    expect(userErrors).toEqual([]);
    expect(identityProvider).toMatchObject({
      kind: 'OIDC',
      issuer: oidc.issuer,
      domains: ['fabrikam.example', '*.fabrikam.example'],
      enabled: true,
      tenant: { id: tenantId },
    });
  });

  it('leaves a domain to the provider that has it', async () => {
    await create({ domains: ['litware.example'] });
    const second = await create({ displayName: 'Another', domains: ['litware.test', 'LITWARE.example'] });
    expect(second).toEqual({ identityProvider: null, userErrors: [{ field: ['domains', '1'], code: 'TAKEN' }] });
    const twice = await create({ domains: ['once.example', 'ONCE.example'] });
    expect(twice.userErrors).toEqual([{ field: ['domains', '1'], code: 'TAKEN' }]);
    const elsewhere = await gateway.createTenant();
    expect((await create({ tenantId: elsewhere.id, domains: ['litware.example'] })).userErrors).toEqual([]);
  });

  it.each([
    'http://login.fabrikam.example',
    'https://user:pw@login.fabrikam.example',
    'https://login.fabrikam.example/?x',
    'login.fabrikam.example',
  ])('refuses the issuer %s', async (issuer) => {
    const { userErrors } = await create({ domains: [], oidc: { ...oidc, issuer } });
    expect(userErrors).toEqual([{ field: ['oidc', 'issuer'], code: 'INVALID' }]);
  });

  it.each([
    'https://login.microsoftonline.com/common/v2.0',
    'https://login.microsoftonline.com/organizations/v2.0',
    'https://login.microsoftonline.com/consumers/v2.0',
    'https://login.microsoftonline.com/{tenantid}/v2.0',
    'https://LOGIN.microsoftonline.com/Common/v2.0',
    'https://login.microsoftonline.com/9188040D-6c67-4c5b-b112-36a304b66dad/v2.0',
    'https://login.microsoftonline.com',
    'https://sts.windows.net/common/',
    'https://login.microsoftonline.us/common/v2.0',
  ])('refuses %s, which signs in people of every organisation', async (issuer) => {
    const refusal = [{ field: ['oidc', 'issuer'], code: 'INVALID' }];
    expect((await create({ domains: [], oidc: { ...oidc, issuer } })).userErrors).toEqual(refusal);
    const { identityProvider } = await create({ domains: [] });
    const change = { identityProviderId: identityProvider.id, oidc: { issuer } };
    expect((await run(UPDATE, change)).userErrors).toEqual(refusal);
  });

  it('takes the issuer of one Entra tenant', async () => {
    const issuer = 'https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0';
    expect((await create({ domains: [], oidc: { ...oidc, issuer } })).userErrors).toEqual([]);
  });

  it('knows no other kind than OIDC and SAML', async () => {
    for (const kind of ['LOCAL', 'EMAIL_PASSCODE'])
      expect((await create({ kind, domains: [] })).userErrors).toEqual([{ field: ['kind'], code: 'INVALID' }]);
    expect((await create({ oidc: null, domains: [] })).userErrors).toEqual([{ field: ['oidc'], code: 'REQUIRED' }]);
  });

  it('tells every unusable domain and setting at once', async () => {
    const { userErrors } = await create({
      domains: ['ok.example', 'no domain', '*.co.uk'],
      oidc: { ...oidc, clientId: ' ', scopes: ['email profile'] },
    });
    expect(userErrors).toEqual([
      { field: ['domains', '1'], code: 'INVALID' },
      { field: ['domains', '2'], code: 'INVALID' },
      { field: ['oidc', 'clientId'], code: 'REQUIRED' },
      { field: ['oidc', 'scopes', '0'], code: 'INVALID' },
    ]);
  });
});

describe('changing', () => {
  it('changes what is given and replaces the domains', async () => {
    const { identityProvider } = await create({
      displayName: 'Wingtip',
      domains: ['wingtip.example', 'old.wingtip.example'],
    });
    const change = {
      identityProviderId: identityProvider.id,
      enabled: false,
      domains: ['new.wingtip.example', 'wingtip.example'],
    };
    const changed = await run(UPDATE, { ...change, oidc: { clientSecret: 'another secret' } });
    expect(changed.identityProvider).toEqual({ ...identityProvider, enabled: false, domains: change.domains });
    const renamed = await run(UPDATE, { identityProviderId: identityProvider.id, displayName: 'Wingtip Toys' });
    expect(renamed.identityProvider).toMatchObject({ displayName: 'Wingtip Toys', domains: change.domains });
  });

  it('leaves nothing behind when a domain is taken', async () => {
    await create({ domains: ['tailspin.example'] });
    const { identityProvider } = await create({ domains: ['proseware.example'] });
    const input = {
      identityProviderId: identityProvider.id,
      displayName: 'Changed',
      domains: ['x.example', 'tailspin.example'],
    };
    expect((await run(UPDATE, input)).userErrors).toEqual([{ field: ['domains', '1'], code: 'TAKEN' }]);
    const again = await run(UPDATE, { identityProviderId: identityProvider.id });
    expect(again.identityProvider).toMatchObject({ displayName: 'Fabrikam', domains: ['proseware.example'] });
  });
});

it('answers a deleted provider as it was and frees its domains', async () => {
  const { identityProvider } = await create({ displayName: 'Short lived', domains: ['northwind.example'] });
  const input = { identityProviderId: identityProvider.id };
  expect((await run(DELETE, input)).identityProvider).toEqual(identityProvider);
  expect((await run(DELETE, input)).userErrors).toEqual([{ field: ['identityProviderId'], code: 'NOT_FOUND' }]);
  expect((await create({ domains: ['northwind.example'] })).userErrors).toEqual([]);
});
