/** The directory of a tenant: what is listed, searched and changed. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestGateway } from '../../support/gateway.js';

const LIST = `query ($id: ID!, $filter: ExternalUserFilter, $orderBy: ExternalUserOrder, $first: Int, $after: String) {
  tenant(id: $id) { externalUsers(filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
    totalCount pageInfo { endCursor hasNextPage } nodes { id email tenant { id } identities { id } }
  } }
}`;
const UPDATE = `mutation ($input: UpdateExternalUserInput!) {
  updateExternalUser(input: $input) {
    externalUser { displayName accountEnabled preferredLanguage } userErrors { field code }
  }
}`;

let gateway: Awaited<ReturnType<typeof startTestGateway>>;
let tenantId: string;
const ids: Record<string, string> = {};

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant()).id;
  for (const email of ['Dana@fabrikam.example', 'ali_x@fabrikam.example', 'alibx@litware.example']) {
    ids[email] = await invite(tenantId, email);
  }
});
afterAll(() => gateway.stop());

async function invite(tenant: string, email: string): Promise<string> {
  const { data } = await gateway.gql(
    `mutation ($input: InviteUserInput!) { inviteUser(input: $input) { externalUser { id } userErrors { code } } }`,
    { input: { tenantId: tenant, email, sendMail: false } },
  );
  return data.inviteUser.externalUser.id;
}

async function list(variables: object) {
  const { data, errors } = await gateway.gql(LIST, { id: tenantId, ...variables });
  expect(errors).toBeUndefined();
  return data.tenant.externalUsers;
}

const emails = async (variables: object): Promise<string[]> =>
  (await list(variables)).nodes.map((user: { email: string }) => user.email);

describe('listing', () => {
  it('shows the newest first, page by page', async () => {
    const first = await list({ first: 2 });
    expect(first).toMatchObject({ totalCount: 3, pageInfo: { hasNextPage: true } });
    expect(first.nodes[0]).toMatchObject({ email: 'alibx@litware.example', tenant: { id: tenantId }, identities: [] });
    expect(await emails({ first: 2, after: first.pageInfo.endCursor })).toEqual(['Dana@fabrikam.example']);
  });

  it('orders by address without regard to case', async () => {
    const orderBy = { field: 'EMAIL', direction: 'ASC' };
    expect(await emails({ orderBy })).toEqual([
      'ali_x@fabrikam.example',
      'alibx@litware.example',
      'Dana@fabrikam.example',
    ]);
  });

  it('refuses a cursor of another order', async () => {
    const { pageInfo } = await list({ first: 1 });
    const orderBy = { field: 'EMAIL', direction: 'ASC' };
    const { errors } = await gateway.gql(LIST, { id: tenantId, orderBy, after: pageInfo.endCursor });
    expect(errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT');
  });
});

describe('filtering', () => {
  it('finds part of an address in any case', async () => {
    expect(await emails({ filter: { emailContains: 'DANA' } })).toEqual(['Dana@fabrikam.example']);
  });

  it('takes wildcards of LIKE for what they are', async () => {
    expect(await emails({ filter: { emailContains: 'i_x' } })).toEqual(['ali_x@fabrikam.example']);
    expect(await emails({ filter: { emailContains: 'a%l' } })).toEqual([]);
    expect(await emails({ filter: { emailContains: 'a\\l' } })).toEqual([]);
  });

  it('refuses to search for fewer than three characters', async () => {
    const { errors } = await gateway.gql(LIST, { id: tenantId, filter: { emailContains: ' al ' } });
    expect(errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT');
  });

  it('combines state, type and account', async () => {
    expect(
      await emails({ filter: { state: ['PENDING_ACCEPTANCE'], userType: 'GUEST', accountEnabled: true } }),
    ).toHaveLength(3);
    expect(await emails({ filter: { state: ['ACCEPTED'] } })).toEqual([]);
    expect(await emails({ filter: { lastSignInBefore: '2100-01-01T00:00:00Z' } })).toEqual([]);
  });

  it('finds whom an app is assigned to, directly or by a group, and nobody by ids of another tenant', async () => {
    const other = (await gateway.createTenant()).id;
    const found: string[][] = [];
    for (const tenant of [tenantId, other]) {
      const { data } = await gateway.gql(
        `mutation ($group: CreateGroupInput!, $app: RegisterAppInput!) {
          createGroup(input: $group) { group { id } } registerApp(input: $app) { app { id } }
        }`,
        {
          group: { tenantId: tenant, displayName: 'Buyers' },
          app: { tenantId: tenant, displayName: 'Orders', homePageUrl: 'https://orders.contoso.example/' },
        },
      );
      const groupId = data.createGroup.group.id;
      const appId = data.registerApp.app.id;
      const [byGroup, direct] =
        tenant === tenantId
          ? [ids['Dana@fabrikam.example'], ids['ali_x@fabrikam.example']]
          : [await invite(other, 'x@fabrikam.example'), await invite(other, 'y@fabrikam.example')];
      await gateway.gql(
        `mutation ($members: GroupMembersInput!, $byGroup: AssignAppInput!, $direct: AssignAppInput!) {
          addGroupMembers(input: $members) { userErrors { code } }
          a: assignApp(input: $byGroup) { userErrors { code } } b: assignApp(input: $direct) { userErrors { code } }
        }`,
        {
          members: { groupId, externalUserIds: [byGroup] },
          byGroup: { appId, groupId },
          direct: { appId, externalUserId: direct },
        },
      );
      found.push(await emails({ filter: { groupId } }), await emails({ filter: { appId } }));
    }
    expect(found).toEqual([['Dana@fabrikam.example'], ['ali_x@fabrikam.example', 'Dana@fabrikam.example'], [], []]);
  });
});

describe('changing a user', () => {
  it('changes what is given, keeps what is left out and clears what is null', async () => {
    const externalUserId = ids['alibx@litware.example'];
    const change = async (input: object) =>
      (await gateway.gql(UPDATE, { input: { externalUserId, ...input } })).data.updateExternalUser.externalUser;
    expect(await change({ displayName: 'Ali B', preferredLanguage: 'ko-KR' })).toEqual({
      displayName: 'Ali B',
      accountEnabled: true,
      preferredLanguage: 'ko',
    });
    expect(await change({ accountEnabled: false, preferredLanguage: null })).toEqual({
      displayName: 'Ali B',
      accountEnabled: false,
      preferredLanguage: null,
    });
  });

  it('tells what is wrong', async () => {
    const bad = await gateway.gql(UPDATE, {
      input: {
        externalUserId: ids['alibx@litware.example'],
        displayName: 'https://evil.example',
        preferredLanguage: 'tlh',
      },
    });
    expect(bad.data.updateExternalUser.userErrors).toEqual([
      { field: ['displayName'], code: 'INVALID' },
      { field: ['preferredLanguage'], code: 'LANGUAGE_UNSUPPORTED' },
    ]);
    const unknown = await gateway.gql(UPDATE, { input: { externalUserId: 'nobody', accountEnabled: true } });
    expect(unknown.data.updateExternalUser.userErrors).toEqual([{ field: ['externalUserId'], code: 'NOT_FOUND' }]);
  });
});
