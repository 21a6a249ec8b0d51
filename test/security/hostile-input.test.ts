/** Much, deep and odd input over GraphQL: told what is wrong with it, at once, while everybody else is served. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let tenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant()).id;
});
afterAll(() => gateway.stop());

const megabyte = 'x'.repeat(1_000_000);
const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

/** Generous for a busy machine; what is prevented took a minute. */
const MOST_MILLISECONDS = 3000;

async function quickly<T>(work: Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await work;
  expect(performance.now() - began).toBeLessThan(MOST_MILLISECONDS);
  return result;
}

async function refusalsOf(mutation: string, type: string, input: object): Promise<string[]> {
  const document = `mutation ($input: ${type}!) { result: ${mutation}(input: $input) { userErrors { code field } } }`;
  const { data, errors } = await quickly(gateway.gql(document, { input }));
  if (errors) return errors.map((error) => error.extensions.code);
  return data.result.userErrors.map((error: { code: string; field: string[] | null }) =>
    [error.code, ...(error.field ?? [])].join(' '),
  );
}

const oidc = { issuer: 'https://login.example', clientId: 'x' };
const provider = { kind: 'OIDC', displayName: 'x', domains: [], oidc };
const app = { displayName: 'x', homePageUrl: 'https://x.example', redirectUris: [], roles: [] };
const guest = { email: 'guest@fabrikam.example' };

describe('a list that is too long', () => {
  it.each<[string, string, object, string]>([
    [
      'createIdentityProvider',
      'CreateIdentityProviderInput',
      { ...provider, domains: times(19_000, (i) => `d${i}.example`) },
      'TOO_LONG domains',
    ],
    [
      'createIdentityProvider',
      'CreateIdentityProviderInput',
      { ...provider, oidc: { ...oidc, scopes: times(19_000, String) } },
      'TOO_LONG oidc scopes',
    ],
    ['registerApp', 'RegisterAppInput', { ...app, roles: times(19_000, (i) => `r${i}`) }, 'TOO_LONG roles'],
    ['registerApp', 'RegisterAppInput', { ...app, redirectUris: times(19_000, String) }, 'TOO_LONG redirectUris'],
    ['updateTenant', 'UpdateTenantInput', { ownDomains: times(19_000, (i) => `d${i}.example`) }, 'TOO_LONG ownDomains'],
    ['inviteUser', 'InviteUserInput', { ...guest, ccRecipients: times(19_000, String) }, 'INVALID ccRecipients'],
    ['inviteUser', 'InviteUserInput', { ...guest, appIds: times(19_000, String) }, 'INVALID appIds'],
    ['inviteUser', 'InviteUserInput', { ...guest, groupIds: times(19_000, String) }, 'INVALID groupIds'],
    ['bulkInvite', 'BulkInviteInput', { rows: times(19_000, () => guest) }, 'ROW_LIMIT_EXCEEDED rows'],
  ])('of %s is one mistake, however many it holds', async (mutation, type, input, refusal) => {
    expect(await refusalsOf(mutation, type, { tenantId, ...input })).toEqual([refusal]);
  });

  it('of more than 20,000 entries is refused whole', async () => {
    const input = { tenantId, rows: times(20_001, () => guest) };
    expect(await refusalsOf('bulkInvite', 'BulkInviteInput', input)).toEqual(['QUERY_TOO_COMPLEX']);
  });

  it('is not got around by many lists', async () => {
    const rows = times(20, (i) => ({ email: `g${i}@fabrikam.example`, appIds: times(15_000, String) }));
    expect(await refusalsOf('bulkInvite', 'BulkInviteInput', { tenantId, rows })).toEqual(['QUERY_TOO_COMPLEX']);
  });

  it('by somebody without a credential is refused long before', async () => {
    const document = 'mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { userErrors { code } } }';
    const variables = { input: { tenantId, rows: times(101, () => guest) } };
    const { errors } = await quickly(gateway.gql(document, variables, { key: null }));
    expect(errors?.[0]?.extensions.code).toBe('QUERY_TOO_COMPLEX');
  });
});

describe('a text of a megabyte', () => {
  it.each([
    ['email', 'ADDRESS_INVALID email'],
    ['displayName', 'TOO_LONG displayName'],
    ['inviterName', 'TOO_LONG inviterName'],
    ['message', 'TOO_LONG message'],
    ['language', 'LANGUAGE_UNSUPPORTED language'],
    ['redirectUrl', 'REDIRECT_NOT_REGISTERED redirectUrl'],
    ['landingAppId', 'NOT_FOUND landingAppId'],
    ['idempotencyKey', 'INVALID idempotencyKey'],
  ])('as %s of an invitation is refused at its field', async (field, refusal) => {
    const input = { tenantId, ...guest, [field]: megabyte };
    expect(await refusalsOf('inviteUser', 'InviteUserInput', input)).toEqual([refusal]);
  });

  it.each<[string, string, object, string[]]>([
    [
      'createTenant',
      'CreateTenantInput',
      { slug: megabyte, displayName: megabyte },
      ['INVALID slug', 'TOO_LONG displayName'],
    ],
    [
      'createGroup',
      'CreateGroupInput',
      { tenantId: '', displayName: 'g', description: megabyte },
      ['TOO_LONG description'],
    ],
    [
      'createApiKey',
      'CreateApiKeyInput',
      { tenantId: '', name: megabyte, permissions: ['TENANT_READ'] },
      ['TOO_LONG name'],
    ],
    [
      'updateTenantBranding',
      'UpdateTenantBrandingInput',
      { tenantId: '', logoUrl: `https://x.example/${megabyte}`, supportEmail: megabyte },
      ['INVALID logoUrl', 'ADDRESS_INVALID supportEmail'],
    ],
    ['beginRedemption', 'BeginRedemptionInput', { token: megabyte }, ['INVITATION_NOT_FOUND token']],
    ['sendRedemptionPasscode', 'RedemptionIdInput', { redemptionId: megabyte }, ['INVITATION_NOT_FOUND']],
  ])('in %s is refused', async (mutation, type, input, refusals) => {
    const whole = 'tenantId' in input ? { ...input, tenantId } : input;
    expect(await refusalsOf(mutation, type, whole)).toEqual(refusals);
  });

  it('as an id, a slug or a search finds nothing', async () => {
    const { data } = await quickly(
      gateway.gql(
        `query ($x: ID!, $s: String!, $tenantId: ID!) {
          node(id: $x) { id } bySlug: tenant(slug: $s) { id } tenant(id: $tenantId) { invitations(filter: { emailContains: $s }) { totalCount } }
        }`,
        { x: megabyte, s: megabyte, tenantId },
      ),
    );
    expect(data).toEqual({ node: null, bySlug: null, tenant: { invitations: { totalCount: 0 } } });
  });
});

describe('variables nested 200,000 deep', () => {
  const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;

  it.each([
    ['that nobody declared are nothing', '{ viewer { name } }', null],
    ['in place of a list are BAD_USER_INPUT', 'query ($x: [ID!]!) { nodes(ids: $x) { id } }', 'BAD_USER_INPUT'],
  ])('%s', async (_what, query, code) => {
    const body = `{"query":${JSON.stringify(query)},"variables":{"x":${deep}}}`;
    const { errors } = await quickly(gateway.send(body, `Bearer ${gateway.bootstrapKey}`));
    expect(errors?.[0]?.extensions.code ?? null).toBe(code);
  });
});
