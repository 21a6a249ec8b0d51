/** Groups: names are unique in a tenant, members are changed in one go and answered one by one. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestGateway } from '../../support/gateway.js';

const PAYLOAD =
  '{ group { id displayName description members { totalCount nodes { id } } } userErrors { field code } }';
const CREATE = `mutation ($input: CreateGroupInput!) { result: createGroup(input: $input) ${PAYLOAD} }`;
const UPDATE = `mutation ($input: UpdateGroupInput!) { result: updateGroup(input: $input) ${PAYLOAD} }`;
const DELETE = `mutation ($input: GroupIdInput!) { result: deleteGroup(input: $input) ${PAYLOAD} }`;
const ADD = `mutation ($input: GroupMembersInput!) { result: addGroupMembers(input: $input) ${PAYLOAD} }`;
const REMOVE = `mutation ($input: GroupMembersInput!) { result: removeGroupMembers(input: $input) ${PAYLOAD} }`;

let gateway: Awaited<ReturnType<typeof startTestGateway>>;
let tenantId: string;
let otherTenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant()).id;
  otherTenantId = (await gateway.createTenant()).id;
});
afterAll(() => gateway.stop());

async function run(document: string, input: object) {
  const { data, errors } = await gateway.gql(document, { input });
  expect(errors).toBeUndefined();
  return data.result;
}

const createGroup = async (displayName: string, tenant = tenantId): Promise<string> => {
  const { group, userErrors } = await run(CREATE, { tenantId: tenant, displayName });
  expect(userErrors).toEqual([]);
  return group.id;
};

async function inviteUser(email: string, tenant = tenantId): Promise<string> {
  const invited = await run(
    'mutation ($input: InviteUserInput!) { result: inviteUser(input: $input) { externalUser { id } } }',
    { tenantId: tenant, email, sendMail: false },
  );
  return invited.externalUser.id;
}

async function makeKey(permissions: string[]): Promise<string> {
  const made = await run('mutation ($input: CreateApiKeyInput!) { result: createApiKey(input: $input) { secret } }', {
    tenantId,
    name: 'limited',
    permissions,
  });
  return made.secret;
}

describe('a group', () => {
  it('has a name that no other group of the tenant has, in whatever case', async () => {
    await createGroup('Partners');
    const again = await run(CREATE, { tenantId, displayName: '  PARTNERS ' });
    expect(again).toEqual({ group: null, userErrors: [{ field: ['displayName'], code: 'TAKEN' }] });
    await createGroup('Partners', otherTenantId);
  });

  it('is renamed and described, but not to a name that is taken', async () => {
    const groupId = await createGroup('Night shift');
    const changed = await run(UPDATE, { groupId, displayName: 'Late shift', description: 'From ten to six' });
    expect(changed.group).toMatchObject({ displayName: 'Late shift', description: 'From ten to six' });
    expect((await run(UPDATE, { groupId, description: null })).group).toMatchObject({
      displayName: 'Late shift',
      description: null,
    });
    await createGroup('Day shift');
    expect((await run(UPDATE, { groupId, displayName: 'day shift' })).userErrors).toEqual([
      { field: ['displayName'], code: 'TAKEN' },
    ]);
  });

  it('is answered as it was when it is deleted, and is unknown afterwards', async () => {
    const groupId = await createGroup('Short lived');
    expect((await run(DELETE, { groupId })).group).toMatchObject({ id: groupId, displayName: 'Short lived' });
    expect(await run(DELETE, { groupId })).toEqual({
      group: null,
      userErrors: [{ field: ['groupId'], code: 'NOT_FOUND' }],
    });
    await createGroup('Short lived');
  });

  it('is unknown to a key of another tenant', async () => {
    const groupId = await createGroup('Foreign', otherTenantId);
    const key = await makeKey(['GROUP_WRITE', 'EXTERNAL_USER_READ']);
    const { data } = await gateway.gql(DELETE, { input: { groupId } }, { key });
    expect(data.result.userErrors).toEqual([{ field: ['groupId'], code: 'NOT_FOUND' }]);
  });
});

describe('members', () => {
  it('are added where they can be, and the others told at their place', async () => {
    const groupId = await createGroup('Mixed');
    const [ali, bea] = [await inviteUser('ali@fabrikam.example'), await inviteUser('bea@fabrikam.example')];
    const foreign = await inviteUser('ali@fabrikam.example', otherTenantId);
    const added = await run(ADD, { groupId, externalUserIds: [ali, foreign, bea, 'nonsense', ali] });
    expect(added.userErrors).toEqual([
      { field: ['externalUserIds', '1'], code: 'NOT_FOUND' },
      { field: ['externalUserIds', '3'], code: 'NOT_FOUND' },
    ]);
    expect(added.group.members.nodes.map((user: { id: string }) => user.id).sort()).toEqual([ali, bea].sort());
  });

  it('may be added and removed twice', async () => {
    const groupId = await createGroup('Twice');
    const user = await inviteUser('twice@fabrikam.example');
    for (let time = 0; time < 2; time++) {
      expect(await run(ADD, { groupId, externalUserIds: [user] })).toMatchObject({
        group: { members: { totalCount: 1 } },
        userErrors: [],
      });
    }
    for (let time = 0; time < 2; time++) {
      expect(await run(REMOVE, { groupId, externalUserIds: [user] })).toMatchObject({
        group: { members: { totalCount: 0 } },
        userErrors: [],
      });
    }
  });

  it('are at most 1000 a call', async () => {
    const groupId = await createGroup('Many');
    const tooMany = await run(ADD, { groupId, externalUserIds: Array.from({ length: 1001 }, () => 'x') });
    expect(tooMany).toEqual({ group: null, userErrors: [{ field: ['externalUserIds'], code: 'ROW_LIMIT_EXCEEDED' }] });
  });

  it('know their groups', async () => {
    const user = await inviteUser('many@fabrikam.example');
    const groups = [await createGroup('One'), await createGroup('Two')];
    for (const groupId of groups) await run(ADD, { groupId, externalUserIds: [user] });
    const { data } = await gateway.gql(
      'query ($id: ID!) { node(id: $id) { ... on ExternalUser { groups { nodes { id } } } } }',
      { id: user },
    );
    expect(data.node.groups.nodes.map((group: { id: string }) => group.id).sort()).toEqual(groups.sort());
  });

  it('of a group that bears an app role are added only by who may grant the role', async () => {
    const groupId = await createGroup('Approvers');
    const user = await inviteUser('approver@fabrikam.example');
    const key = await makeKey(['GROUP_WRITE', 'EXTERNAL_USER_READ']);
    const add = () => gateway.gql(ADD, { input: { groupId, externalUserIds: [user] } }, { key });
    expect((await add()).errors).toBeUndefined();
    const { app } = await run(
      'mutation ($input: RegisterAppInput!) { result: registerApp(input: $input) { app { id } } }',
      {
        tenantId,
        displayName: 'Orders',
        homePageUrl: 'https://orders.contoso.example/',
        roles: ['approver'],
      },
    );
    await run('mutation ($input: AssignAppInput!) { result: assignApp(input: $input) { userErrors { code } } }', {
      appId: app.id,
      groupId,
      role: 'approver',
    });
    const refused = await add();
    expect(refused.errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  });
});
