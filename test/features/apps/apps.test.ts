/** Apps and who may use them. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HOUR } from '../../../src/kernel/clock.js';
import { hashToken } from '../../../src/kernel/secrets.js';
import { startTestGateway } from '../../support/gateway.js';

const APP = 'app { id clientId displayName homePageUrl redirectUris roles assignmentRequired tenant { id } }';
const REGISTER = `mutation ($input: RegisterAppInput!) { result: registerApp(input: $input) { ${APP} clientSecret userErrors { field code } } }`;
const UPDATE = `mutation ($input: UpdateAppInput!) { result: updateApp(input: $input) { ${APP} userErrors { field code } } }`;
const DELETE = `mutation ($input: AppIdInput!) { result: deleteApp(input: $input) { app { id } userErrors { field code } } }`;
const ROTATE = `mutation ($input: AppIdInput!) { result: rotateAppSecret(input: $input) { app { id } clientSecret userErrors { field code } } }`;
const ASSIGN = `mutation ($input: AssignAppInput!) {
  result: assignApp(input: $input) {
    appAssignment { id role app { id } principal { __typename ... on ExternalUser { id } ... on Group { id } } }
    userErrors { field code }
  }
}`;
const UNASSIGN = `mutation ($input: UnassignAppInput!) {
  result: unassignApp(input: $input) { app { id assignments { totalCount } } userErrors { field code } }
}`;

let gateway: Awaited<ReturnType<typeof startTestGateway>>;
let tenantId: string;
let otherTenantId: string;
let userId: string;
let groupId: string;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant()).id;
  otherTenantId = (await gateway.createTenant()).id;
  userId = await inviteUser(tenantId);
  const group = await run(
    'mutation ($input: CreateGroupInput!) { result: createGroup(input: $input) { group { id } } }',
    { tenantId, displayName: 'Buyers' },
  );
  groupId = group.group.id;
});
afterAll(() => gateway.stop());

async function run(document: string, input: object) {
  const { data, errors } = await gateway.gql(document, { input });
  expect(errors).toBeUndefined();
  return data.result;
}

async function inviteUser(tenant: string): Promise<string> {
  const invited = await run(
    'mutation ($input: InviteUserInput!) { result: inviteUser(input: $input) { externalUser { id } } }',
    {
      tenantId: tenant,
      email: 'ali@fabrikam.example',
      sendMail: false,
    },
  );
  return invited.externalUser.id;
}

const register = (displayName: string, input: object = {}) =>
  run(REGISTER, { tenantId, displayName, homePageUrl: 'https://orders.contoso.example/start', ...input });

describe('an app', () => {
  it('is registered with a secret that is shown once', async () => {
    const { app, clientSecret, userErrors } = await register('Orders', {
      redirectUris: ['https://orders.contoso.example'],
    });
    expect(userErrors).toEqual([]);
    expect(clientSecret).toMatch(/^[\w-]{43}$/);
    expect(app).toMatchObject({ clientId: app.id, assignmentRequired: true, roles: [], tenant: { id: tenantId } });
    expect(app.redirectUris).toEqual(['https://orders.contoso.example']);
  });

  it('that is a public client is shown no secret', async () => {
    const { clientSecret, userErrors } = await register('Phone', { clientAuthentication: 'NONE' });
    expect(userErrors).toEqual([]);
    expect(clientSecret).toBeNull();
  });

  it('tells every problem of its registration at once', async () => {
    const bad = await run(REGISTER, {
      tenantId,
      displayName: '',
      homePageUrl: 'http://orders.contoso.example/',
      redirectUris: ['https://ok.example/', 'javascript:alert(1)', 'https://a.example/#x', 'https://a.example/ b'],
      roles: ['fine', 'not fine', 'fine'],
    });
    expect(bad).toEqual({
      app: null,
      clientSecret: null,
      userErrors: [
        { field: ['displayName'], code: 'REQUIRED' },
        { field: ['homePageUrl'], code: 'INVALID' },
        { field: ['redirectUris', '1'], code: 'INVALID' },
        { field: ['redirectUris', '2'], code: 'INVALID' },
        { field: ['redirectUris', '3'], code: 'INVALID' },
        { field: ['roles', '1'], code: 'INVALID' },
        { field: ['roles', '2'], code: 'TAKEN' },
      ],
    });
  });

  it('has a name of its own in the tenant', async () => {
    await register('Taken');
    expect((await register('taken')).userErrors).toEqual([{ field: ['displayName'], code: 'TAKEN' }]);
  });

  it('is changed where something is given', async () => {
    const { app } = await register('Before', { roles: ['buyer'] });
    const changed = await run(UPDATE, { appId: app.id, displayName: 'After', assignmentRequired: false });
    expect(changed.app).toEqual({ ...app, displayName: 'After', assignmentRequired: false });
  });

  it('gets a new secret, while the one before is kept for a day', async () => {
    const { app, clientSecret } = await register('Rotating');
    const rotated = await run(ROTATE, { appId: app.id });
    const [stored] = await gateway.sql<{ current: Buffer; previous: Buffer; until: Date }>(
      `select client_secret_hash as current, previous_client_secret_hash as previous, previous_secret_expires_at as until
       from app where id = $1`,
      [app.id],
    );
    expect(stored).toMatchObject({ current: hashToken(rotated.clientSecret), previous: hashToken(clientSecret) });
    const hours = ((stored?.until.getTime() ?? 0) - gateway.clock.now().getTime()) / HOUR;
    expect(hours).toBeCloseTo(24, 1);
  });

  it('goes with its assignments when it is deleted', async () => {
    const { app } = await register('Short lived');
    const { appAssignment } = await run(ASSIGN, { appId: app.id, externalUserId: userId });
    expect((await run(DELETE, { appId: app.id })).app).toEqual({ id: app.id });
    const { data } = await gateway.gql('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', {
      ids: [app.id, appAssignment.id],
    });
    expect(data.nodes).toEqual([null, null]);
  });
});

describe('an assignment', () => {
  it('is of a user or of a group, in a role of the app or in none', async () => {
    const { app } = await register('Assigned', { roles: ['buyer'] });
    const user = await run(ASSIGN, { appId: app.id, externalUserId: userId });
    expect(user.appAssignment).toMatchObject({
      role: null,
      app: { id: app.id },
      principal: { __typename: 'ExternalUser', id: userId },
    });
    const group = await run(ASSIGN, { appId: app.id, groupId, role: 'buyer' });
    expect(group.appAssignment).toMatchObject({ role: 'buyer', principal: { __typename: 'Group', id: groupId } });
    const { data } = await gateway.gql(
      `query ($app: ID!, $user: ID!) {
        app: node(id: $app) { ... on App { assignments { nodes { principal { __typename } } } } }
        user: node(id: $user) { ... on ExternalUser { appAssignments(first: 1) { nodes { id } } } }
      }`,
      { app: app.id, user: userId },
    );
    expect(data.app.assignments.nodes).toEqual([
      { principal: { __typename: 'Group' } },
      { principal: { __typename: 'ExternalUser' } },
    ]);
    expect(data.user.appAssignments.nodes).toEqual([{ id: user.appAssignment.id }]);
  });

  it('made twice is the one there is', async () => {
    const { app } = await register('Twice');
    const first = await run(ASSIGN, { appId: app.id, groupId });
    expect(await run(ASSIGN, { appId: app.id, groupId })).toEqual(first);
  });

  it.each([
    ['an unknown role', () => ({ externalUserId: userId, role: 'owner' }), { field: ['role'], code: 'INVALID' }],
    [
      'both a user and a group',
      () => ({ externalUserId: userId, groupId }),
      { field: ['externalUserId'], code: 'INVALID' },
    ],
    ['neither', () => ({}), { field: ['externalUserId'], code: 'INVALID' }],
    ['an unknown group', () => ({ groupId: userId }), { field: ['groupId'], code: 'NOT_FOUND' }],
  ])('is refused with %s', async (what, input, problem) => {
    const { app } = await register(`Refusing ${what}`, { roles: ['buyer'] });
    expect(await run(ASSIGN, { appId: app.id, ...input() })).toEqual({ appAssignment: null, userErrors: [problem] });
  });

  it('is refused for a user of another tenant, even to a key of all tenants', async () => {
    const { app } = await register('Own people only');
    const externalUserId = await inviteUser(otherTenantId);
    const { userErrors } = await run(ASSIGN, { appId: app.id, externalUserId });
    expect(userErrors).toEqual([{ field: ['externalUserId'], code: 'NOT_FOUND' }]);
  });

  it('is taken away once', async () => {
    const { app } = await register('Taken away');
    const { appAssignment } = await run(ASSIGN, { appId: app.id, groupId });
    const input = { appAssignmentId: appAssignment.id };
    expect((await run(UNASSIGN, input)).app).toEqual({ id: app.id, assignments: { totalCount: 0 } });
    expect((await run(UNASSIGN, input)).userErrors).toEqual([{ field: ['appAssignmentId'], code: 'NOT_FOUND' }]);
  });

  it('keeps its role from being left out of the app', async () => {
    const { app } = await register('Roles in use', { roles: ['buyer', 'seller'] });
    await run(ASSIGN, { appId: app.id, groupId, role: 'buyer' });
    expect((await run(UPDATE, { appId: app.id, roles: ['seller'] })).userErrors).toEqual([
      { field: ['roles'], code: 'INVALID' },
    ]);
    expect((await run(UPDATE, { appId: app.id, roles: ['buyer'] })).app.roles).toEqual(['buyer']);
  });
});
