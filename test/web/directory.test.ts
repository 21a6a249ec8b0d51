import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { permissions, platformPermissions } from '../../src/kernel/actor.js';
import { DAY } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { GuestBrowser, passcodesTo, proveByPasscode } from './guest-browser.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = await gateway.createTenant({ displayName: 'Contoso' });
});
afterAll(() => gateway.stop());

const newAddress = () => `guest${++people}@litware.example`;
const appsUrl = () => `${gateway.url}/t/${tenant.slug}/apps`;

async function make(mutation: string, input: object, what: string): Promise<string> {
  const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
  const document = `mutation ($input: ${type}!) { result: ${mutation}(input: $input) { ${what} { id } userErrors { code field } } }`;
  return (await gateway.ask(document, { input })).result[what].id;
}

/** A member of a group, signed in. */
async function accepted() {
  const email = newAddress();
  const groupId = await make('createGroup', { tenantId: tenant.id, displayName: `Group ${people}` }, 'group');
  const guest = await gateway.inviteUser({ tenantId: tenant.id, email, groupIds: [groupId] });
  const browser = new GuestBrowser();
  await browser.submit(await proveByPasscode(gateway, browser, guest.redeemUrl, email), '/accept');
  return { id: guest.externalUserId, email, groupId, browser };
}

const RESET = `mutation ($input: ResetRedemptionInput!) { resetRedemption(input: $input) {
  externalUser { id state email } invitation { id status } redeemUrl userErrors { code field }
} }`;
const reset = async (input: object, key?: string) =>
  (await gateway.gql(RESET, { input }, key ? { key } : {})).data?.resetRedemption;

const mutate = async (name: 'deleteExternalUser' | 'restoreExternalUser', externalUserId: string, key?: string) =>
  gateway.gql(
    `mutation ($input: ExternalUserIdInput!) { ${name}(input: $input) { externalUser { accountEnabled deletedAt } userErrors { code field } } }`,
    { input: { externalUserId } },
    key ? { key } : {},
  );

const groupsOf = (id: string) =>
  gateway.sql('select group_id as "groupId" from group_member where external_user_id = $1', [id]);

async function signInByPasscode(email: string) {
  const browser = new GuestBrowser();
  const before = passcodesTo(gateway, email).length;
  const start = await browser.get(`${gateway.url}/t/${tenant.slug}/sign-in`);
  const page = await browser.submit(start, '/sign-in', { email });
  const passcode = await until(() => passcodesTo(gateway, email)[before], 'the passcode');
  return browser.submit(page, '/passcode', { passcode });
}

const noJobLeft = () =>
  until(async () => (await gateway.sql('select from graphile_worker._private_jobs')).length === 0, 'no job is left');

describe('resetting the redemption', () => {
  it('keeps the user and the groups, ends identities and sessions, and invites the new address', async () => {
    const { id, email, groupId, browser } = await accepted();
    const fresh = newAddress();
    const answer = await reset({ externalUserId: id, email: fresh });
    expect(answer).toMatchObject({
      externalUser: { id, state: 'PENDING_ACCEPTANCE', email: fresh },
      invitation: { status: 'PENDING' },
      userErrors: [],
    });
    expect((await browser.get(appsUrl())).url.pathname).toBe(`/t/${tenant.slug}/sign-in`);
    expect(await gateway.sql('select from identity where external_user_id = $1', [id])).toEqual([]);
    await gateway.waitForMail(fresh);
    const again = new GuestBrowser();
    await again.submit(await proveByPasscode(gateway, again, answer.redeemUrl, fresh), '/accept');
    expect((await again.get(appsUrl())).html).toContain(fresh);
    expect(await groupsOf(id)).toEqual([{ groupId }]);
    const sent = passcodesTo(gateway, email).length;
    const old = new GuestBrowser();
    await old.submit(await old.get(`${gateway.url}/t/${tenant.slug}/sign-in`), '/sign-in', { email });
    await noJobLeft();
    expect(passcodesTo(gateway, email)).toHaveLength(sent);
  });

  it('with the same address asks for a new proof', async () => {
    const { id, email } = await accepted();
    const answer = await reset({ externalUserId: id });
    const again = new GuestBrowser();
    await again.submit(await proveByPasscode(gateway, again, answer.redeemUrl, email), '/accept');
    expect((await again.get(appsUrl())).html).toContain('Your apps at Contoso');
  });

  it('revokes what was open before, and changes nothing when it is refused', async () => {
    const [first, taken] = [newAddress(), await accepted()];
    const open = await gateway.inviteUser({ tenantId: tenant.id, email: first });
    const refused = await reset({ externalUserId: open.externalUserId, email: taken.email });
    expect(refused.userErrors).toEqual([{ code: 'TAKEN', field: ['email'] }]);
    const statusOf = async () =>
      (await gateway.sql<{ status: string }>('select status from invitation where id = $1', [open.id]))[0]?.status;
    expect(await statusOf()).toBe('PENDING');
    await reset({ externalUserId: open.externalUserId, email: newAddress() });
    expect(await statusOf()).toBe('REVOKED');
    expect((await new GuestBrowser().get(open.redeemUrl)).status).toBe(410);
  });

  it('of an operator needs the right to make operators', async () => {
    const { id } = await accepted();
    await gateway.ask('mutation ($input: AssignRoleInput!) { assignRole(input: $input) { userErrors { code } } }', {
      input: { tenantId: tenant.id, role: 'READER', externalUserId: id },
    });
    const without = permissions.filter((each) => each !== 'ROLE_WRITE' && !platformPermissions.includes(each));
    const { secret } = await gateway.createKey({ tenantId: tenant.id, permissions: without });
    const { errors } = await gateway.gql(RESET, { input: { externalUserId: id } }, { key: secret });
    expect(errors?.map((error) => error.extensions.code)).toEqual(['FORBIDDEN']);
  });

  it('of somebody with a role of an app needs the right to grant it', async () => {
    const { id } = await accepted();
    const app = {
      tenantId: tenant.id,
      displayName: `App ${people}`,
      homePageUrl: 'https://a.example/',
      roles: ['Buyer'],
    };
    await make(
      'assignApp',
      { appId: await make('registerApp', app, 'app'), externalUserId: id, role: 'Buyer' },
      'appAssignment',
    );
    const without = permissions.filter((each) => each !== 'APP_ASSIGN' && !platformPermissions.includes(each));
    const { secret } = await gateway.createKey({ tenantId: tenant.id, permissions: without });
    for (const document of [
      `mutation { resetRedemption(input: { externalUserId: "${id}" }) { userErrors { code } } }`,
      `mutation { deleteExternalUser(input: { externalUserId: "${id}" }) { userErrors { code } } }`,
    ]) {
      const { errors } = await gateway.gql(document, {}, { key: secret });
      expect(errors?.map((error) => error.extensions.code)).toEqual(['FORBIDDEN']);
    }
    expect(await gateway.sql('select from identity where external_user_id = $1', [id])).toHaveLength(1);
  });
});

describe('a deleted user', () => {
  it('is out at once, is not listed, and comes back with everything for 30 days', async () => {
    const { id, email, groupId, browser } = await accepted();
    await mutate('deleteExternalUser', id);
    expect((await browser.get(appsUrl())).url.pathname).toBe(`/t/${tenant.slug}/sign-in`);
    const listed = async (filter: string) =>
      (
        await gateway.ask(`{ tenant(id: "${tenant.id}") { externalUsers(first: 100 ${filter}) { nodes { id } } } }`)
      ).tenant.externalUsers.nodes.some((node: { id: string }) => node.id === id);
    expect([await listed(''), await listed(', filter: { deleted: true }')]).toEqual([false, true]);
    const enable = await gateway.gql(
      'mutation ($input: UpdateExternalUserInput!) { updateExternalUser(input: $input) { userErrors { code } } }',
      { input: { externalUserId: id, accountEnabled: true } },
    );
    expect(enable.data.updateExternalUser.userErrors).toEqual([{ code: 'CONFLICT' }]);
    const { data } = await mutate('restoreExternalUser', id);
    expect(data.restoreExternalUser.externalUser).toEqual({ accountEnabled: true, deletedAt: null });
    expect((await signInByPasscode(email)).html).toContain('Your apps at Contoso');
    expect(await groupsOf(id)).toEqual([{ groupId }]);
    expect((await mutate('restoreExternalUser', id)).data.restoreExternalUser.userErrors).toEqual([
      { code: 'CONFLICT', field: ['externalUserId'] },
    ]);
  });

  it('may have left by themselves, after a sign-in of the last minutes', async () => {
    const { id, browser } = await accepted();
    const account = await browser.get(`${gateway.url}/t/${tenant.slug}/account`);
    expect((await browser.submit(account, '/leave')).html).toContain('You have left Contoso');
    const [user] = await gateway.sql<{ gone: boolean }>(
      'select deleted_at is not null as gone from external_user where id = $1',
      [id],
    );
    expect(user).toEqual({ gone: true });
  });

  it('is gone after 30 days, with the invitations; what the feed tells stays', async () => {
    const { id } = await accepted();
    await mutate('deleteExternalUser', id);
    gateway.clock.advance(31 * DAY);
    await gateway.sql("select graphile_worker.add_job('clean_up')");
    await until(
      async () => (await gateway.sql('select from external_user where id = $1', [id])).length === 0,
      'the user is gone',
    );
    expect(await gateway.sql('select from invitation where external_user_id = $1', [id])).toEqual([]);
    expect((await gateway.sql('select from event where external_user_id = $1', [id])).length).toBeGreaterThan(0);
  });
});
