/** Who may do less than somebody else, or than an app, does not come to do as much by way of them. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as client from 'openid-client';
import { apiToken } from '../openid-provider/api-token.js';
import { signInGuest } from '../openid-provider/guest.js';
import { discover, issuerOf, registerApp } from '../openid-provider/relying-party.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { GuestBrowser, proveByPasscode } from '../web/guest-browser.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let resource: string;
let accomplices = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = await gateway.createTenant();
  resource = `${gateway.url}/graphql`;
});
afterAll(() => gateway.stop());

const assign = (role: string, principal: object) =>
  gateway.ask('mutation ($input: AssignRoleInput!) { assignRole(input: $input) { userErrors { code } } }', {
    input: { tenantId: tenant.id, role, ...principal },
  });

const keyWith = async (...permissions: string[]) =>
  (await gateway.createKey({ tenantId: tenant.id, permissions })).secret;

async function codeOf(key: string, mutation: string, inputType: string, input: object): Promise<string | undefined> {
  const document = `mutation ($input: ${inputType}!) { ${mutation}(input: $input) { userErrors { code } } }`;
  const { data, errors } = await gateway.gql(document, { input }, { key });
  return errors?.[0]?.extensions.code ?? data[mutation].userErrors[0]?.code;
}

describe('an app that may ask for the API', () => {
  const acting = () =>
    registerApp(gateway, tenant.id, { redirectUris: [], grantTypes: ['CLIENT_CREDENTIALS'], apiAccess: true });

  it('gives its secret anew only to who may give roles', async () => {
    const app = await acting();
    await assign('TENANT_ADMIN', { appId: app.id });
    const builder = await keyWith('APP_WRITE', 'APP_READ');
    expect(await codeOf(builder, 'rotateAppSecret', 'AppIdInput', { appId: app.id })).toBe('FORBIDDEN');
    const config = await discover(issuerOf(gateway, tenant.slug), app);
    await expect(client.clientCredentialsGrant(config, { resource, scope: 'write' })).resolves.toBeTruthy();
    const giver = await keyWith('APP_WRITE', 'APP_READ', 'ROLE_WRITE');
    expect(await codeOf(giver, 'rotateAppSecret', 'AppIdInput', { appId: app.id })).toBeUndefined();
  });

  it.each([
    ['other addresses to send people to', { redirectUris: ['https://sly.example/callback'] }],
    ['another key to sign with', { clientAuthentication: 'PRIVATE_KEY_JWT', jwksUrl: 'https://sly.example/keys' }],
    ['no secret at all', { grantTypes: ['DEVICE_CODE'], clientAuthentication: 'NONE' }],
  ])('is given %s only by who may give roles', async (_what, change) => {
    const app = await acting();
    const builder = await keyWith('APP_WRITE', 'APP_READ');
    const input = { appId: app.id, ...change };
    expect(await codeOf(builder, 'updateApp', 'UpdateAppInput', input)).toBe('FORBIDDEN');
    const giver = await keyWith('APP_WRITE', 'APP_READ', 'ROLE_WRITE');
    expect(await codeOf(giver, 'updateApp', 'UpdateAppInput', input)).toBeUndefined();
  });
});

describe('an operator', () => {
  it('is neither blocked nor let in again by who may not give roles', async () => {
    const { externalUserId } = await signInGuest(gateway, tenant.id);
    await assign('TENANT_ADMIN', { externalUserId });
    const helpdesk = await keyWith('EXTERNAL_USER_WRITE', 'EXTERNAL_USER_READ');
    const change = (key: string, input: object) =>
      codeOf(key, 'updateExternalUser', 'UpdateExternalUserInput', { externalUserId, ...input });
    expect(await change(helpdesk, { accountEnabled: false })).toBe('FORBIDDEN');
    expect(await change(helpdesk, { displayName: 'Ana S. Silva' })).toBeUndefined();
    const giver = await keyWith('EXTERNAL_USER_WRITE', 'EXTERNAL_USER_READ', 'ROLE_WRITE');
    expect(await change(giver, { accountEnabled: false })).toBeUndefined();
    expect(await change(helpdesk, { accountEnabled: true })).toBe('FORBIDDEN');
  });

  it.each([
    ['is blocked', { accountEnabled: false }],
    ['is deleted', null],
  ])('who %s leaves no invitations behind that can be accepted', async (_what, change) => {
    const inviter = await signInGuest(gateway, tenant.id);
    await assign('GUEST_INVITER', { externalUserId: inviter.externalUserId });
    const email = `accomplice${++accomplices}@evil.example`;
    const token = await apiToken(gateway, tenant, inviter.browser);
    const invited = await gateway.gql(
      'mutation ($input: InviteUserInput!) { inviteUser(input: $input) { invitation { id } userErrors { code } } }',
      { input: { tenantId: tenant.id, email } },
      { key: token },
    );
    expect(invited.data.inviteUser.invitation.id).toBeTruthy();
    const mail = await gateway.waitForMail(email);
    const [link = ''] = /https?:\/\/\S+\/r(?:edeem)?\/\S+/.exec(mail.mail.text ?? '') ?? [];
    const all = await keyWith(
      'EXTERNAL_USER_WRITE',
      'EXTERNAL_USER_READ',
      'ROLE_WRITE',
      'INVITATION_WRITE',
      'APP_ASSIGN',
    );
    const { externalUserId } = inviter;
    if (change) await codeOf(all, 'updateExternalUser', 'UpdateExternalUserInput', { externalUserId, ...change });
    else await codeOf(all, 'deleteExternalUser', 'ExternalUserIdInput', { externalUserId });
    const browser = new GuestBrowser();
    const consent = await proveByPasscode(gateway, browser, link, email);
    const answer = await browser.submit(consent, '/accept');
    const [user] = await gateway.sql<{ state: string }>('select state from external_user where email = $1', [email]);
    expect([answer.status >= 400, user?.state]).toEqual([true, 'PENDING_ACCEPTANCE']);
  });
});
