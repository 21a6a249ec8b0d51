/** A key never makes a stronger one, and its secret is shown once. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestGateway } from '../../support/gateway.js';
import { until } from '../../support/until.js';

const CREATE = `mutation ($input: CreateApiKeyInput!) {
  createApiKey(input: $input) { apiKey { id prefix permissions tenant { id } } secret userErrors { field code } }
}`;
const VIEWER = '{ viewer { name tenant { id } permissions } }';

let gateway: Awaited<ReturnType<typeof startTestGateway>>;
let tenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant()).id;
});
afterAll(() => gateway.stop());

async function create(input: object, key?: string) {
  const { data, errors } = await gateway.gql(CREATE, { input: { name: 'a key', ...input } }, key ? { key } : {});
  expect(errors).toBeUndefined();
  return data.createApiKey;
}

const keyOf = async (permissions: string[], tenant: string | null = tenantId): Promise<string> =>
  (await create({ tenantId: tenant, permissions })).secret;

describe('making a key', () => {
  it('shows the secret once and keeps what it is recognised by', async () => {
    const made = await create({ tenantId, permissions: ['GROUP_READ', 'TENANT_READ'] });
    expect(made.userErrors).toEqual([]);
    expect(made.secret).toMatch(/^vst_[\w-]{43}$/);
    expect(made.apiKey).toMatchObject({ prefix: made.secret.slice(0, 12), tenant: { id: tenantId } });
    const { data } = await gateway.gql(VIEWER, {}, { key: made.secret });
    expect(data.viewer).toEqual({
      name: 'a key',
      tenant: { id: tenantId },
      permissions: ['TENANT_READ', 'GROUP_READ'],
    });
  });

  it('refuses permissions the calling key does not have', async () => {
    const key = await keyOf(['API_KEY_WRITE', 'GROUP_READ']);
    const made = await create({ tenantId, permissions: ['GROUP_READ', 'GROUP_WRITE'] }, key);
    expect(made).toMatchObject({
      apiKey: null,
      secret: null,
      userErrors: [{ field: ['permissions'], code: 'INVALID' }],
    });
  });

  it('keeps platform permissions to keys of all tenants', async () => {
    const one = await create({ tenantId, permissions: ['TENANT_CREATE'] });
    expect(one.userErrors).toEqual([{ field: ['permissions'], code: 'INVALID' }]);
    const all = await create({ tenantId: null, permissions: ['TENANT_CREATE'] });
    expect(all).toMatchObject({ apiKey: { tenant: null }, userErrors: [] });
  });

  it('lets a key of one tenant make keys of that tenant only', async () => {
    const key = await keyOf(['API_KEY_WRITE']);
    const other = await gateway.createTenant();
    const everywhere = await create({ tenantId: null, permissions: ['API_KEY_WRITE'] }, key);
    expect(everywhere.userErrors).toEqual([{ field: ['tenantId'], code: 'INVALID' }]);
    const elsewhere = await create({ tenantId: other.id, permissions: ['API_KEY_WRITE'] }, key);
    expect(elsewhere.userErrors).toEqual([{ field: ['tenantId'], code: 'NOT_FOUND' }]);
  });

  it('tells every problem of the input at once', async () => {
    const made = await create({ tenantId, name: ' ', permissions: [], expiresAt: '2020-01-01T00:00:00Z' });
    expect(made.userErrors).toEqual([
      { field: ['name'], code: 'REQUIRED' },
      { field: ['permissions'], code: 'REQUIRED' },
      { field: ['expiresAt'], code: 'INVALID' },
    ]);
  });
});

describe('revoking a key', () => {
  const REVOKE = `mutation ($input: ApiKeyIdInput!) {
    revokeApiKey(input: $input) { apiKey { id revokedAt } userErrors { field code } }
  }`;

  it('stays as it was first done', async () => {
    const { apiKey, secret } = await create({ tenantId, permissions: ['TENANT_READ'] });
    expect((await gateway.gql(VIEWER, {}, { key: secret })).errors).toBeUndefined();
    const first = await gateway.gql(REVOKE, { input: { apiKeyId: apiKey.id } });
    expect(first.data.revokeApiKey.apiKey.revokedAt).not.toBeNull();
    expect((await gateway.gql(REVOKE, { input: { apiKeyId: apiKey.id } })).data).toEqual(first.data);
  });

  it('ends what it opens, and what it invited when that is asked for', async () => {
    const { apiKey, secret } = await create({ tenantId, permissions: ['INVITATION_WRITE'] });
    const invite = (email: string) =>
      gateway.gql(
        'mutation ($input: InviteUserInput!) { inviteUser(input: $input) { invitation { id } userErrors { code } } }',
        { input: { tenantId, email, sendMail: false } },
        { key: secret },
      );
    const { data } = await invite('ali@fabrikam.example');
    await gateway.ask(REVOKE, { input: { apiKeyId: apiKey.id, revokePending: true } });
    const refused = await until(
      async () => (await invite('bea@fabrikam.example')).errors,
      'the revocation to be felt',
      1000,
    );
    expect(refused[0]?.extensions.code).toBe('UNAUTHENTICATED');
    const { node } = await gateway.ask('query ($id: ID!) { node(id: $id) { ... on Invitation { status } } }', {
      id: data.inviteUser.invitation.id,
    });
    expect(node.status).toBe('REVOKED');
  });

  it('knows nothing of keys of another tenant', async () => {
    const other = await gateway.createTenant();
    const foreign = await create({ tenantId: other.id, permissions: ['TENANT_READ'] });
    const key = await keyOf(['API_KEY_WRITE']);
    const { data } = await gateway.gql(REVOKE, { input: { apiKeyId: foreign.apiKey.id } }, { key });
    expect(data.revokeApiKey).toEqual({ apiKey: null, userErrors: [{ field: ['apiKeyId'], code: 'NOT_FOUND' }] });
  });

  it('needs the right to revoke invitations when they go with it', async () => {
    const { apiKey } = await create({ tenantId, permissions: ['TENANT_READ'] });
    const key = await keyOf(['API_KEY_WRITE']);
    const { errors } = await gateway.gql(REVOKE, { input: { apiKeyId: apiKey.id, revokePending: true } }, { key });
    expect(errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  });
});

it('lists the keys of a tenant, newest first, without those of others', async () => {
  const tenant = await gateway.createTenant();
  const first = await create({ tenantId: tenant.id, permissions: ['TENANT_READ'] });
  const second = await create({ tenantId: tenant.id, permissions: ['TENANT_READ'] });
  const { data } = await gateway.gql('query ($id: ID!) { tenant(id: $id) { apiKeys { totalCount nodes { id } } } }', {
    id: tenant.id,
  });
  expect(data.tenant.apiKeys).toEqual({ totalCount: 2, nodes: [{ id: second.apiKey.id }, { id: first.apiKey.id }] });
});
