/** OpenID Connect providers as operators set them up: presets, keys of ours, and who is left outside by a change. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../../support/gateway.js';
import { GuestBrowser, proveByPasscode } from '../../web/guest-browser.js';

const PAYLOAD = `{ identityProvider { id issuer domains oidc { preset clientId clientAuthentication scopes redirectUri jwksUrl } }
  warnings userErrors { field code } }`;
const CREATE = `mutation ($input: CreateIdentityProviderInput!) { result: createIdentityProvider(input: $input) ${PAYLOAD} }`;
const UPDATE = `mutation ($input: UpdateIdentityProviderInput!) { result: updateIdentityProvider(input: $input) ${PAYLOAD} }`;
const TID = '3f1d0c52-1111-4222-8333-444455556666';

let strict: TestGateway;
let tenantId: string;

beforeAll(async () => {
  strict = await startTestGateway({ env: { ALLOW_PRIVATE_PROVIDERS: 'false' } });
});
beforeEach(async () => {
  tenantId = (await strict.createTenant()).id;
});
afterAll(() => strict.stop());

async function run(document: string, input: object) {
  const { data, errors } = await strict.gql(document, { input });
  expect(errors).toBeUndefined();
  return data.result;
}

const create = (oidc: object, domains: string[] = []) =>
  run(CREATE, { tenantId, kind: 'OIDC', displayName: 'P', domains, oidc: { clientId: 'vestibule', ...oidc } });

describe('a preset', () => {
  it.each([
    ['GOOGLE', 'https://accounts.google.com'],
    ['ENTRA_ANY_ORGANIZATION', 'https://login.microsoftonline.com/{tenantid}/v2.0'],
    ['MICROSOFT_PERSONAL', 'https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0'],
  ])('%s brings its issuer along', async (preset, issuer) => {
    const { identityProvider, userErrors } = await create({ preset, clientSecret: 's' });
    expect(userErrors).toEqual([]);
    expect(identityProvider).toMatchObject({ issuer, oidc: { preset, clientAuthentication: 'SECRET' } });
  });

  it.each([
    ['ENTRA', 'https://login.microsoftonline.com/common/v2.0', 'INVALID'],
    ['ENTRA', 'https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0', 'INVALID'],
    ['ENTRA', `http://login.microsoftonline.com/${TID}/v2.0`, 'INVALID'],
    ['ENTRA', null, 'INVALID'],
    ['ENTRA', `https://login.microsoftonline.com/${TID}/v2.0`, null],
    ['ENTRA', `https://login.microsoftonline.us/${TID}/v2.0`, null],
    ['ENTRA_ANY_ORGANIZATION', 'https://login.microsoftonline.us/{tenantid}/v2.0', null],
    ['ENTRA_ANY_ORGANIZATION', 'https://login.microsoftonline.com/organizations/v2.0', 'INVALID'],
    ['ENTRA_ANY_ORGANIZATION', 'https://{tenantid}.evil.example/v2.0', 'INVALID'],
    ['GOOGLE', 'https://accounts.evil.example', 'INVALID'],
    ['GENERIC', null, 'INVALID'],
    ['GENERIC', 'https://login.microsoftonline.com/common/v2.0', 'INVALID'],
  ])('%s with issuer %s: %s', async (preset, issuer, code) => {
    const { userErrors } = await create({ preset, issuer });
    expect(userErrors).toEqual(code === null ? [] : [{ field: ['oidc', 'issuer'], code }]);
  });

  it.each(['ENTRA_ANY_ORGANIZATION', 'MICROSOFT_PERSONAL'])('%s takes no domains, then or later', async (preset) => {
    const refused = [{ field: ['domains'], code: 'INVALID' }];
    expect((await create({ preset }, ['fabrikam.example'])).userErrors).toEqual(refused);
    const { identityProvider } = await create({ preset });
    const change = { identityProviderId: identityProvider.id, domains: ['fabrikam.example'] };
    expect((await run(UPDATE, change)).userErrors).toEqual(refused);
  });
});

describe('a key of ours', () => {
  it('is made for the provider, published without its private part, and sealed', async () => {
    const { identityProvider } = await create({ issuer: 'https://login.example', clientAuthentication: 'PRIVATE_KEY' });
    const { jwksUrl, redirectUri, clientAuthentication } = identityProvider.oidc;
    expect(clientAuthentication).toBe('PRIVATE_KEY');
    expect(redirectUri).toBe(`${strict.url}/sign-in/callback/${identityProvider.id}`);
    const response = await fetch(jwksUrl);
    expect(response.headers.get('content-type')).toContain('application/jwk-set+json');
    const { keys } = (await response.json()) as { keys: object[] };
    expect(keys).toEqual([
      { kty: 'RSA', alg: 'RS256', use: 'sig', e: 'AQAB', n: expect.any(String), kid: expect.any(String) },
    ]);
    const [row] = await strict.sql<{ sealed: Buffer }>(
      'select sealed_client_key as sealed from identity_provider where id = $1',
      [identityProvider.id],
    );
    expect(row?.sealed.toString('latin1')).not.toContain('"jwk"');
  });

  it('stays the same when other things change, and goes when a secret comes', async () => {
    const { identityProvider } = await create({ issuer: 'https://login.example', clientAuthentication: 'PRIVATE_KEY' });
    const { id, oidc } = identityProvider;
    const keySet = async () => (await fetch(oidc.jwksUrl)).text();
    const first = await keySet();
    await run(UPDATE, { identityProviderId: id, oidc: { clientId: 'another', clientAuthentication: 'PRIVATE_KEY' } });
    expect(await keySet()).toBe(first);
    const changed = await run(UPDATE, { identityProviderId: id, oidc: { clientSecret: 'a secret' } });
    expect(changed.identityProvider.oidc).toMatchObject({ clientAuthentication: 'SECRET', jwksUrl: null });
    expect((await fetch(oidc.jwksUrl)).status).toBe(404);
  });

  it('is not together with a secret, and a secret is not without one', async () => {
    const issuer = 'https://login.example';
    const both = await create({ issuer, clientSecret: 's', clientAuthentication: 'PRIVATE_KEY' });
    expect(both.userErrors).toEqual([{ field: ['oidc', 'clientSecret'], code: 'INVALID' }]);
    const none = await create({ issuer, clientAuthentication: 'SECRET' });
    expect(none.userErrors).toEqual([{ field: ['oidc', 'clientSecret'], code: 'REQUIRED' }]);
  });

  it.each(['idp_00000000000000000000000000', 'nonsense'])('of %s is not there', async (id) => {
    expect((await fetch(`${strict.url}/sign-in/keys/${id}`)).status).toBe(404);
  });
});

it('a provider that takes over a domain warns of the guests who signed in there otherwise', async () => {
  const email = 'ana@fabrikam.example';
  const { redeemUrl } = await strict.inviteUser({ tenantId, email });
  const browser = new GuestBrowser();
  await browser.submit(await proveByPasscode(strict, browser, redeemUrl, email), '/accept');
  const { warnings, identityProvider } = await create({ issuer: 'https://login.example' }, ['fabrikam.example']);
  expect(warnings).toEqual(['1 guests who accepted can sign in by none of the identities they have.']);
  const off = await run(UPDATE, { identityProviderId: identityProvider.id, enabled: false });
  expect(off.warnings).toEqual([]);
});
