/** People and tools operate a tenant by tokens of its issuer: roles and scope together say what they may do. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as client from 'openid-client';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { type Guest, open, signInGuest } from './guest.js';
import { discover, issuerOf, registerApp, updateApp } from './relying-party.js';
import { authorize, beginAuthorization, finishAuthorization } from './sign-in.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let issuer: string;
let console_: client.Configuration;
let resource: string;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = await gateway.createTenant();
  issuer = issuerOf(gateway, tenant.slug);
  resource = `${gateway.url}/graphql`;
  console_ = await discover(issuer, await registerApp(gateway, tenant.id, { displayName: 'Console', apiAccess: true }));
});
afterAll(() => gateway.stop());

const VIEWER = '{ viewer { name permissions tenant { id } } }';
const ASSIGN = `mutation ($input: AssignRoleInput!) {
  assignRole(input: $input) { roleAssignment { id role principal { __typename } } userErrors { code field } }
}`;

async function assign(role: string, principal: object): Promise<string> {
  const { assignRole } = await gateway.ask(ASSIGN, { input: { tenantId: tenant.id, role, ...principal } });
  return assignRole.roleAssignment.id;
}

const unassign = (roleAssignmentId: string) =>
  gateway.ask('mutation ($input: RoleAssignmentIdInput!) { unassignRole(input: $input) { userErrors { code } } }', {
    input: { roleAssignmentId },
  });

/** Signs in to the console and says yes to what it asks for. */
async function signIn({ browser }: Guest, scope = 'openid read write'): Promise<string> {
  const attempt = await beginAuthorization(console_, { scope, resource });
  const { url, page } = await open(browser, attempt.url);
  if (url) return (await client.authorizationCodeGrant(console_, url, attempt.checks, { resource })).access_token;
  expect(page.html).toContain('Console wants to know who you are');
  const leaving = await browser.submit(page, '/accept');
  const back = (await open(browser, leaving.refreshTo as string)).url as URL;
  return (await client.authorizationCodeGrant(console_, back, attempt.checks, { resource })).access_token;
}

const as = (token: string, query: string, variables: object = {}) => gateway.gql(query, variables, { key: token });

describe('an operator', () => {
  it('is asked first, and then may do what the role allows', async () => {
    const guest = await signInGuest(gateway, tenant.id);
    await assign('TENANT_ADMIN', { externalUserId: guest.externalUserId });
    const token = await signIn(guest);
    const { data } = await as(token, VIEWER);
    expect(data.viewer).toMatchObject({ name: 'Ana Silva', tenant: { id: tenant.id } });
    expect(data.viewer.permissions).toEqual(expect.arrayContaining(['ROLE_WRITE', 'INVITATION_WRITE']));
    expect(data.viewer.permissions).not.toContain('TENANT_CREATE');
    const created = await as(
      token,
      'mutation ($input: CreateGroupInput!) { createGroup(input: $input) { group { id } } }',
      {
        input: { tenantId: tenant.id, displayName: 'By a person' },
      },
    );
    expect(created.data.createGroup.group.id).toBeTruthy();
  });

  it('may less with a smaller scope', async () => {
    const guest = await signInGuest(gateway, tenant.id);
    await assign('TENANT_ADMIN', { externalUserId: guest.externalUserId });
    const { data } = await as(await signIn(guest, 'openid read'), VIEWER);
    expect(data.viewer.permissions.every((permission: string) => permission.endsWith('_READ'))).toBe(true);
    expect(data.viewer.permissions).not.toContain('REDEEM_URL_READ');
  });

  it('bears a role by a group, and loses it at once with the membership', async () => {
    const guest = await signInGuest(gateway, tenant.id);
    const { createGroup } = await gateway.ask(
      'mutation ($input: CreateGroupInput!) { createGroup(input: $input) { group { id } userErrors { code } } }',
      { input: { tenantId: tenant.id, displayName: 'Inviters' } },
    );
    const members = { groupId: createGroup.group.id, externalUserIds: [guest.externalUserId] };
    const change = (name: string) =>
      gateway.ask(`mutation ($input: GroupMembersInput!) { ${name}(input: $input) { userErrors { code } } }`, {
        input: members,
      });
    await assign('GUEST_INVITER', { groupId: createGroup.group.id });
    await change('addGroupMembers');
    const token = await signIn(guest);
    const invite = (email: string) =>
      as(
        token,
        'mutation ($input: InviteUserInput!) { inviteUser(input: $input) { invitation { id invitedBy { kind displayName } } userErrors { code } } }',
        {
          input: { tenantId: tenant.id, email },
        },
      );
    const invited = await invite('jo@litware.example');
    expect(invited.data.inviteUser.invitation.invitedBy).toEqual({ kind: 'OPERATOR', displayName: 'Ana Silva' });
    await change('removeGroupMembers');
    expect((await invite('li@litware.example')).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
  });

  it('reaches their tenant alone', async () => {
    const guest = await signInGuest(gateway, tenant.id);
    await assign('TENANT_ADMIN', { externalUserId: guest.externalUserId });
    const token = await signIn(guest);
    const other = await gateway.createTenant();
    expect((await as(token, '{ tenant(id: "X") { id } }'.replace('X', other.id))).data.tenant).toBeNull();
  });

  it('is nobody without a role, when blocked, or when the role is taken away; sockets close', async () => {
    const guest = await signInGuest(gateway, tenant.id);
    const role = await assign('READER', { externalUserId: guest.externalUserId });
    const token = await signIn(guest);
    const closed: { code: number }[] = [];
    const socket = gateway.socket(`Bearer ${token}`, (event) => closed.push(event as { code: number }));
    const query = `subscription { redemptionEvents(tenantId: "${tenant.id}") { __typename } }`;
    // The checkpoint says that it is live.
    await new Promise<void>((resolve) => {
      socket.subscribe({ query }, { next: () => resolve(), error() {}, complete() {} });
    });
    await unassign(role);
    expect((await as(token, VIEWER)).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    expect((await until(() => closed[0], 'the socket to close')).code).toBe(4403);
    await assign('READER', { externalUserId: guest.externalUserId });
    await gateway.ask(
      'mutation ($input: UpdateExternalUserInput!) { updateExternalUser(input: $input) { userErrors { code } } }',
      { input: { externalUserId: guest.externalUserId, accountEnabled: false } },
    );
    expect((await as(token, VIEWER)).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
  });
});

describe('a token that is not for the API', () => {
  it.each(['access_token', 'id_token'] as const)('opens nothing: an %s for an app', async (kind) => {
    const guest = await signInGuest(gateway, tenant.id);
    await assign('TENANT_ADMIN', { externalUserId: guest.externalUserId });
    const tokens = await authorize(await discover(issuer, await registerApp(gateway, tenant.id)), guest.browser);
    expect((await as(tokens[kind] as string, VIEWER)).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
  });

  it('is all that an app gets which may not ask for more', async () => {
    const guest = await signInGuest(gateway, tenant.id);
    const config = await discover(issuer, await registerApp(gateway, tenant.id));
    const attempt = await beginAuthorization(config, { scope: 'openid read', resource });
    const { url } = await open(guest.browser, attempt.url);
    expect(url?.searchParams.get('error')).toBe('invalid_target');
    await expect(finishAuthorization(attempt, url as URL)).rejects.toThrow();
  });
});

describe('a script', () => {
  it('acts for itself, with the role its app bears', async () => {
    const app = await registerApp(gateway, tenant.id, {
      redirectUris: [],
      grantTypes: ['CLIENT_CREDENTIALS'],
      apiAccess: true,
    });
    const config = await discover(issuer, app);
    const token = async () =>
      (await client.clientCredentialsGrant(config, { resource, scope: 'read write' })).access_token;
    expect((await as(await token(), VIEWER)).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    await assign('HELPDESK', { appId: app.id });
    const { viewer } = (await as(await token(), VIEWER)).data;
    expect(viewer.permissions).toContain('EXTERNAL_USER_WRITE');
    expect(viewer.permissions).not.toContain('INVITATION_WRITE');
    const old = await token();
    await updateApp(gateway, app.id, { apiAccess: false });
    expect((await as(old, VIEWER)).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
  });
});

describe('a terminal', () => {
  it('is signed in by the operator, who sees what it wants to do', async () => {
    const guest = await signInGuest(gateway, tenant.id);
    await assign('READER', { externalUserId: guest.externalUserId });
    const app = await registerApp(gateway, tenant.id, {
      displayName: 'Terminal',
      redirectUris: [],
      grantTypes: ['DEVICE_CODE'],
      clientAuthentication: 'NONE',
      apiAccess: true,
    });
    const config = await discover(issuer, app, client.None());
    const device = await client.initiateDeviceAuthorization(config, { scope: 'openid write', resource });
    const { page } = await open(guest.browser, device.verification_uri);
    const confirm = await guest.browser.submit(page, '/oauth2/device', { user_code: device.user_code });
    const form = confirm.forms[0];
    const consent = await guest.browser.post(new URL(form?.action ?? '', confirm.url), form?.fields ?? {});
    expect(consent.html).toContain('everything you may do');
    const leaving = await guest.browser.submit(consent, '/accept');
    const done = await open(guest.browser, leaving.refreshTo as string);
    expect(done.page.html).toContain('Go on at your device');
    const code = { device_code: device.device_code, resource };
    const tokens = await client.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:device_code', code);
    expect((await as(tokens.access_token, VIEWER)).data.viewer.permissions).toContain('EVENT_READ');
  });
});

describe('roles', () => {
  it('are given by who may do as much, and apps are let at the API by who may give roles', async () => {
    const { externalUserId } = await signInGuest(gateway, tenant.id);
    const weak = await gateway.createKey({ tenantId: tenant.id, permissions: ['ROLE_WRITE', 'ROLE_READ'] });
    const input = { tenantId: tenant.id, role: 'TENANT_ADMIN', externalUserId };
    expect((await gateway.gql(ASSIGN, { input }, { key: weak.secret })).errors?.[0]?.extensions.code).toBe('FORBIDDEN');
    const builder = await gateway.createKey({ tenantId: tenant.id, permissions: ['APP_WRITE', 'APP_READ'] });
    const registering = await gateway.gql(
      'mutation ($input: RegisterAppInput!) { registerApp(input: $input) { app { id } } }',
      { input: { tenantId: tenant.id, displayName: 'Sly', homePageUrl: 'https://sly.example/', apiAccess: true } },
      { key: builder.secret },
    );
    expect(registering.errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  });

  it('of a group keep it from being filled by who may not give roles', async () => {
    const { externalUserId } = await signInGuest(gateway, tenant.id);
    const { createGroup } = await gateway.ask(
      'mutation ($input: CreateGroupInput!) { createGroup(input: $input) { group { id } userErrors { code } } }',
      { input: { tenantId: tenant.id, displayName: 'Admins' } },
    );
    await assign('TENANT_ADMIN', { groupId: createGroup.group.id });
    const key = await gateway.createKey({
      tenantId: tenant.id,
      permissions: ['GROUP_WRITE', 'GROUP_READ', 'APP_ASSIGN'],
    });
    const adding = await gateway.gql(
      'mutation ($input: GroupMembersInput!) { addGroupMembers(input: $input) { group { id } } }',
      { input: { groupId: createGroup.group.id, externalUserIds: [externalUserId] } },
      { key: key.secret },
    );
    expect(adding.errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  });
});
