/** SAML providers as operators configure them, and as their metadata is kept fresh. */
import { verify } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createSigningCredential } from '../../../src/features/identity-providers/service-provider.js';
import { DAY, HOUR } from '../../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../../support/gateway.js';
import { signRoot } from '../../support/saml-forge.js';
import { until } from '../../support/until.js';
import { GuestBrowser, startAt } from '../../web/guest-browser.js';

const PAYLOAD = `{
  identityProvider {
    id kind issuer domains
    saml {
      metadataUrl ssoUrl signingCertificates validUntil refreshedAt refreshError nameIdFormat emailAttribute subjectAttribute
      serviceProviderMetadataUrl assertionConsumerServiceUrl
    }
  }
  userErrors { field code message }
}`;
const CREATE = `mutation ($input: CreateIdentityProviderInput!) { result: createIdentityProvider(input: $input) ${PAYLOAD} }`;
const UPDATE = `mutation ($input: UpdateIdentityProviderInput!) { result: updateIdentityProvider(input: $input) ${PAYLOAD} }`;
const DELETE = `mutation ($input: IdentityProviderIdInput!) { result: deleteIdentityProvider(input: $input) ${PAYLOAD} }`;

const [key, nextKey] = await Promise.all([1, 2].map(() => createSigningCredential(new Date())));
if (!key || !nextKey) throw new Error('No keys.');
const entityId = 'urn:fabrikam:idp';

let gateway: TestGateway;
let tenantId: string;
let host: Server;
let metadataUrl: string;
/** What the partner's host answers. */
let published: { status: number; body: string };

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant()).id;
  host = createServer((_request, response) => response.writeHead(published.status).end(published.body));
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
  metadataUrl = `http://127.0.0.1:${(host.address() as AddressInfo).port}/metadata.xml`;
});
beforeEach(() => {
  published = { status: 200, body: metadata() };
});
afterAll(async () => {
  await gateway.stop();
  host.closeAllConnections();
  host.close();
});

function metadata({
  id = entityId,
  attributes = '',
  credential = key,
  sso = 'https://login.fabrikam.example/sso',
} = {}) {
  const certificate = credential?.certificate.replace(/-----[^-]+-----|\s/g, '');
  return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${id}" ID="_m"${attributes}><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>${certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor><SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="${sso}"/></IDPSSODescriptor></EntityDescriptor>`;
}

async function run(document: string, input: object) {
  const { data, errors } = await gateway.gql(document, { input });
  expect(errors).toBeUndefined();
  return data.result;
}

const create = (saml: object | null, input: object = {}) =>
  run(CREATE, { tenantId, kind: 'SAML', displayName: 'Fabrikam', domains: [], saml, ...input });

async function created(saml: object, input: object = {}) {
  const { identityProvider, userErrors } = await create(saml, input);
  expect(userErrors).toEqual([]);
  return identityProvider;
}

const inTime = (at: string) => new Date(at).getTime() - gateway.clock.now().getTime();

describe('creating', () => {
  it('reads the metadata at once and says how to set us up', async () => {
    const provider = await created({ metadataUrl }, { domains: ['*.fabrikam.example'] });
    expect(provider).toMatchObject({
      kind: 'SAML',
      issuer: entityId,
      domains: ['*.fabrikam.example'],
      saml: {
        metadataUrl,
        ssoUrl: 'https://login.fabrikam.example/sso',
        signingCertificates: [key.certificate.trim()],
        validUntil: null,
        refreshError: null,
        nameIdFormat: 'PERSISTENT',
        serviceProviderMetadataUrl: `${gateway.url}/saml/${provider.id}/metadata`,
        assertionConsumerServiceUrl: `${gateway.url}/saml/${provider.id}/acs`,
      },
    });
  });

  it('takes the XML itself, which nobody reads again', async () => {
    const provider = await created({
      metadataXml: metadata(),
      nameIdFormat: 'UNSPECIFIED',
      emailAttribute: 'work mail',
    });
    expect(provider.saml).toMatchObject({
      metadataUrl: null,
      nameIdFormat: 'UNSPECIFIED',
      emailAttribute: 'work mail',
    });
    expect(await refreshTimes(provider.id)).toEqual([{ refresh_at: null }]);
  });

  it.each([
    ['neither URL nor XML', {}, 'metadataUrl', 'REQUIRED'],
    ['both', { metadataUrl: 'https://login.fabrikam.example/', metadataXml: '<a/>' }, 'metadataXml', 'INVALID'],
    ['a URL that is none', { metadataUrl: 'login.fabrikam.example' }, 'metadataUrl', 'INVALID'],
    ['a URL of a file', { metadataUrl: 'file:///etc/passwd' }, 'metadataUrl', 'INVALID'],
    ['a URL with a password', { metadataUrl: 'https://a:b@login.fabrikam.example/' }, 'metadataUrl', 'INVALID'],
    ['a URL of a cloud’s own', { metadataUrl: 'http://169.254.169.254/latest' }, 'metadataUrl', 'INVALID'],
    ['XML that is no metadata', { metadataXml: '<a/>' }, 'metadataXml', 'INVALID'],
    ['XML of 50 MB', { metadataXml: 'x'.repeat(2 * 1024 * 1024) }, 'metadataXml', 'TOO_LONG'],
    ['an attribute with a line break', { metadataXml: '<a/>', emailAttribute: 'a\nb' }, 'emailAttribute', 'INVALID'],
  ])('refuses %s', async (_what, saml, field, code) => {
    expect((await create(saml)).userErrors).toMatchObject([{ field: ['saml', field], code }]);
  });

  it('refuses a certificate that is none, and settings of another kind', async () => {
    const saml = { metadataXml: metadata(), metadataCertificates: [key.certificate, 'none'] };
    expect((await create(saml)).userErrors).toMatchObject([
      { field: ['saml', 'metadataCertificates', '1'], code: 'INVALID' },
    ]);
    const oidc = { issuer: 'https://login.example', clientId: 'x' };
    expect((await create(saml, { oidc })).userErrors).toMatchObject([{ field: ['oidc'], code: 'INVALID' }]);
    expect((await create(saml, { kind: 'OIDC' })).userErrors).toMatchObject([{ field: ['saml'], code: 'INVALID' }]);
    expect((await create(null)).userErrors).toMatchObject([{ field: ['saml'], code: 'REQUIRED' }]);
  });

  it('refuses metadata of an issuer that signs in people of every organisation', async () => {
    const saml = { metadataXml: metadata({ id: 'https://sts.windows.net/{tenantid}/' }) };
    expect((await create(saml)).userErrors).toMatchObject([{ field: ['saml', 'metadataXml'], code: 'INVALID' }]);
  });

  it('says why metadata could not be had, in words of ours', async () => {
    published = { status: 500, body: 'secret text of a stranger' };
    const { userErrors } = await create({ metadataUrl });
    expect(userErrors).toMatchObject([{ field: ['saml', 'metadataUrl'], code: 'INVALID' }]);
    expect(userErrors[0].message).toContain('status 500');
    published = { status: 200, body: `<a>${'x'.repeat(3 * 1024 * 1024)}</a>` };
    expect((await create({ metadataUrl })).userErrors[0].message).toContain('larger than allowed');
  });

  it('insists on the signature where a certificate was given', async () => {
    const saml = { metadataUrl, metadataCertificates: [nextKey.certificate] };
    expect((await create(saml)).userErrors[0].message).toContain('not signed');
    published.body = signRoot(metadata(), nextKey);
    expect((await create(saml)).userErrors).toEqual([]);
  });
});

describe('our metadata for a provider', () => {
  it('names us for this provider alone, with a certificate that others do not have', async () => {
    const providers = [await created({ metadataUrl }), await created({ metadataUrl })];
    const texts = await Promise.all(
      providers.map(async ({ saml }) => {
        const response = await fetch(saml.serviceProviderMetadataUrl);
        expect(response.headers.get('content-type')).toContain('application/samlmetadata+xml');
        return response.text();
      }),
    );
    for (const [index, text] of texts.entries()) {
      const { saml } = providers[index];
      expect(text).toContain(`entityID="${saml.serviceProviderMetadataUrl}"`);
      expect(text).toContain(`Location="${saml.assertionConsumerServiceUrl}"`);
      expect(text).toContain('AuthnRequestsSigned="true"');
      expect(text).toContain('WantAssertionsSigned="true"');
      expect(text).toContain('nameid-format:persistent');
      expect(text).not.toContain('PRIVATE');
    }
    const certificates = texts.map((text) => /<ds:X509Certificate>([^<]+)/.exec(text)?.[1]);
    expect(new Set(certificates).size).toBe(2);
  });

  it('is there for SAML providers only', async () => {
    for (const id of ['idp_00000000000000000000000000', 'nonsense']) {
      expect((await fetch(`${gateway.url}/saml/${id}/metadata`)).status).toBe(404);
    }
  });

  it('is signed for by a key that is sealed in the database', async () => {
    await created({ metadataUrl });
    const rows = await gateway.sql<{ row: string }>(
      "select s::text || encode(sealed_private_key, 'escape') as row from saml_provider s",
    );
    for (const { row } of rows) expect(row).not.toContain('PRIVATE KEY');
  });
});

describe('our key towards a provider', () => {
  const step = async (mutation: 'prepareSamlKey' | 'switchSamlKey', identityProviderId: string) =>
    run(
      `mutation ($input: IdentityProviderIdInput!) { result: ${mutation}(input: $input) {
        identityProvider { saml { certificate nextCertificate } } userErrors { field code } } }`,
      { identityProviderId },
    );
  const bare = (pem: string) => pem.replace(/-----[^-]+-----|\s/g, '');
  const publishedFor = async (id: string) => bare(await (await fetch(`${gateway.url}/saml/${id}/metadata`)).text());

  it('is changed without an outage: published beside the one in use, then switched to', async () => {
    const { id } = await created({ metadataUrl });
    const { identityProvider } = await step('prepareSamlKey', id);
    const { certificate, nextCertificate } = identityProvider.saml;
    expect(nextCertificate).not.toBe(certificate);
    const both = await publishedFor(id);
    for (const pem of [certificate, nextCertificate]) expect(both).toContain(bare(pem));
    const switched = (await step('switchSamlKey', id)).identityProvider.saml;
    expect(switched).toEqual({ certificate: nextCertificate, nextCertificate: null });
    const after = await publishedFor(id);
    expect(after).toContain(bare(nextCertificate));
    expect(after).not.toContain(bare(certificate));
  });

  it('is not switched to before it was prepared, and is of SAML providers only', async () => {
    const { id } = await created({ metadataUrl });
    expect((await step('switchSamlKey', id)).userErrors).toEqual([{ field: ['identityProviderId'], code: 'CONFLICT' }]);
    const oidc = { issuer: 'https://login.keys.example', clientId: 'x', clientSecret: 'y' };
    const other = await create(null, { kind: 'OIDC', oidc });
    expect((await step('prepareSamlKey', other.identityProvider.id)).userErrors).toEqual([
      { field: ['identityProviderId'], code: 'INVALID' },
    ]);
  });

  it('signs requests as soon as it is switched to, and not before', async () => {
    const { id } = await created({ metadataUrl }, { domains: ['keys.example'] });
    const signer = async () => {
      const { redeemUrl } = await gateway.inviteUser({ tenantId, email: `guest${Math.random()}@keys.example` });
      const browser = new GuestBrowser();
      const leaving = await browser.submit(await startAt(browser, redeemUrl), '/sign-in');
      const query = new URL(leaving.refreshTo ?? '').search.slice(1);
      const names = ['SAMLRequest', 'RelayState', 'SigAlg'];
      const parts = query.split('&').filter((part) => names.includes(part.split('=')[0] ?? ''));
      const signature = Buffer.from(new URLSearchParams(query).get('Signature') ?? '', 'base64');
      return (pem: string) => verify('sha256', Buffer.from(parts.join('&')), pem, signature);
    };
    const { certificate, nextCertificate } = (await step('prepareSamlKey', id)).identityProvider.saml;
    const first = await signer();
    expect([first(certificate), first(nextCertificate)]).toEqual([true, false]);
    await step('switchSamlKey', id);
    const second = await signer();
    expect([second(certificate), second(nextCertificate)]).toEqual([false, true]);
  });
});

describe('changing', () => {
  it('changes what is given, and reads metadata only when it is given', async () => {
    const provider = await created({ metadataUrl, emailAttribute: 'mail' });
    published.status = 500;
    const renamed = await run(UPDATE, { identityProviderId: provider.id, saml: { subjectAttribute: 'uid' } });
    expect(renamed.identityProvider.saml).toEqual({ ...provider.saml, subjectAttribute: 'uid' });
    published = { status: 200, body: metadata({ credential: nextKey, sso: 'https://new.fabrikam.example/' }) };
    const reread = await run(UPDATE, { identityProviderId: provider.id, saml: { metadataUrl } });
    expect(reread.identityProvider.saml).toMatchObject({
      emailAttribute: 'mail',
      ssoUrl: 'https://new.fabrikam.example/',
      signingCertificates: [nextKey.certificate.trim()],
    });
  });

  it('leaves nothing behind when the new metadata cannot be used', async () => {
    const provider = await created({ metadataUrl });
    const saml = { metadataXml: '<a/>', nameIdFormat: 'UNSPECIFIED' };
    expect((await run(UPDATE, { identityProviderId: provider.id, displayName: 'X', saml })).userErrors).toHaveLength(1);
    const again = await run(UPDATE, { identityProviderId: provider.id });
    expect(again.identityProvider).toEqual(provider);
  });

  it('takes settings of its own kind only', async () => {
    const provider = await created({ metadataUrl });
    const input = { identityProviderId: provider.id, oidc: { issuer: 'https://login.example' } };
    expect((await run(UPDATE, input)).userErrors).toMatchObject([{ field: ['oidc'], code: 'INVALID' }]);
  });

  it('takes the key along when the provider is deleted', async () => {
    const provider = await created({ metadataUrl });
    const { identityProvider } = await run(DELETE, { identityProviderId: provider.id });
    expect(identityProvider).toEqual(provider);
    expect(await refreshTimes(provider.id)).toEqual([]);
    expect((await fetch(provider.saml.serviceProviderMetadataUrl)).status).toBe(404);
  });
});

describe('metadata is read again', () => {
  const rerun = () => gateway.sql("select graphile_worker.add_job('refresh_saml_metadata')");
  const samlOf = async (id: string) =>
    (
      await gateway.ask(
        `{ node(id: "${id}") { ... on IdentityProvider { issuer saml { signingCertificates refreshError refreshedAt validUntil } } } }`,
      )
    ).node;

  it('before it ends, and then by its new keys', async () => {
    published.body = metadata({
      attributes: ` validUntil="${new Date(gateway.clock.now().getTime() + 4 * HOUR).toISOString()}"`,
    });
    const provider = await created({ metadataUrl });
    expect(inTime(provider.saml.validUntil)).toBeGreaterThan(3 * HOUR);
    published.body = metadata({ credential: nextKey });
    await rerun();
    gateway.clock.advance(2 * HOUR);
    await rerun();
    const fresh = await until(async () => {
      const now = await samlOf(provider.id);
      return now.saml.signingCertificates[0] === nextKey.certificate.trim() ? now : undefined;
    }, 'fresh metadata');
    expect(fresh.saml).toMatchObject({ refreshError: null, validUntil: null });
  });

  it.each([
    ['is gone', () => ({ status: 404, body: '' }), 'status 404'],
    ['names another organisation', () => ({ status: 200, body: metadata({ id: 'urn:evil' }) }), 'another organisation'],
    ['is broken', () => ({ status: 200, body: '<EntityDescriptor' }), 'cannot be read'],
  ])('and what was known holds when it %s, until it is back', async (_how, publish, reason) => {
    const provider = await created({ metadataUrl });
    published = publish();
    gateway.clock.advance(DAY);
    await rerun();
    await until(async () => (await samlOf(provider.id)).saml.refreshError?.includes(reason), 'the failure');
    const failed = await samlOf(provider.id);
    expect(failed).toMatchObject({ issuer: entityId, saml: { signingCertificates: [key.certificate.trim()] } });
    published = { status: 200, body: metadata() };
    gateway.clock.advance(HOUR);
    await rerun();
    await until(async () => (await samlOf(provider.id)).saml.refreshError === null, 'the recovery');
  });
});

function refreshTimes(id: string) {
  return gateway.sql('select refresh_at from saml_provider where identity_provider_id = $1', [id]);
}
