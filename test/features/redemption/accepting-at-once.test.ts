/** Guests of a tenant who accept in the same moment are served by the same statements; nobody may notice. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../../support/gateway.js';
import { until } from '../../support/until.js';
import { passcodesTo } from '../../web/guest-browser.js';

let gateway: TestGateway;
let tenantId: string;
let appId: string;
let groupId: string;
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant()).id;
  const made = await gateway.ask(
    `mutation ($app: RegisterAppInput!, $group: CreateGroupInput!) {
      registerApp(input: $app) { app { id } } createGroup(input: $group) { group { id } } }`,
    {
      app: { tenantId, displayName: 'Orders', homePageUrl: 'https://orders.contoso.example/', redirectUris: [] },
      group: { tenantId, displayName: 'Partners' },
    },
  );
  appId = made.registerApp.app.id;
  groupId = made.createGroup.group.id;
});
afterAll(() => gateway.stop());

async function call(operation: string, type: string, input: object) {
  const { data } = await gateway.gql(
    `mutation ($input: ${type}!) { payload: ${operation}(input: $input) { redemption { id status consentVersion } userErrors { code } } }`,
    { input },
    { key: null },
  );
  return {
    redemption: data.payload.redemption,
    codes: data.payload.userErrors.map(({ code }: { code: string }) => code),
  };
}

/** An invitation whose guest has read the passcode. */
async function readyGuest() {
  const email = `guest-${++people}@fabrikam.example`;
  const invited = await gateway.inviteUser({ tenantId, email, appIds: [appId], groupIds: [groupId] });
  const { redemption } = await call('beginRedemption', 'BeginRedemptionInput', {
    token: invited.redeemUrl.split('/').at(-1),
  });
  await call('sendRedemptionPasscode', 'RedemptionIdInput', { redemptionId: redemption.id });
  const passcode = await until(() => passcodesTo(gateway, email)[0], `passcode to ${email}`);
  const input = { redemptionId: redemption.id, consentVersion: redemption.consentVersion, consent: true, passcode };
  return { ...invited, input };
}

const readyGuests = (count: number) => Promise.all(Array.from({ length: count }, readyGuest));
const redeem = (input: object) => call('redeemInvitation', 'RedeemInvitationInput', input);

async function stateOf(externalUserId: string) {
  const [row] = await gateway.sql<object>(
    `select u.state, (select count(*)::int from identity d where d.external_user_id = u.id) as identities,
      (select count(*)::int from group_member m where m.external_user_id = u.id and m.group_id = $2) as memberships,
      (select count(*)::int from app_assignment a where a.external_user_id = u.id and a.app_id = $3) as assignments
    from external_user u where u.id = $1`,
    [externalUserId, groupId, appId],
  );
  return row;
}

async function factsOf(invitationId: string): Promise<string[]> {
  const rows = await gateway.sql<{ type: string }>(
    `select type from event where invitation_id = $1
      and type in ('IDENTITY_PROVEN', 'IDENTITY_REFUSED', 'CONSENTED', 'REDEEMED') order by seq`,
    [invitationId],
  );
  return rows.map(({ type }) => type);
}

const accepted = { state: 'ACCEPTED', identities: 1, memberships: 1, assignments: 1 };

test('each of twenty becomes a user with identity, group and app, and the facts stand in order', async () => {
  const guests = await readyGuests(20);
  const answers = await Promise.all(guests.map(({ input }) => redeem(input)));
  expect(answers.map(({ redemption }) => redemption?.status)).toEqual(guests.map(() => 'REDEEMED'));
  for (const { externalUserId, id } of guests) {
    expect(await stateOf(externalUserId)).toEqual(accepted);
    expect(await factsOf(id)).toEqual(['IDENTITY_PROVEN', 'CONSENTED', 'REDEEMED']);
  }
});

test('a wrong code among right ones refuses and counts for its own guest only', async () => {
  const guests = await readyGuests(6);
  const answers = await Promise.all(
    guests.map(({ input }, n) => redeem(n === 2 ? { ...input, passcode: '00000000' } : input)),
  );
  expect(answers.map(({ codes }) => codes.join())).toEqual(['', '', 'PASSCODE_WRONG', '', '', '']);
  const tries = await gateway.sql<{ tries: number }>(
    'select passcode_tries as tries from redemption_flow where invitation_id = any($1) and status <> $2',
    [guests.map(({ id }) => id), 'REDEEMED'],
  );
  expect(tries).toEqual([{ tries: 1 }]);
  expect((await redeem((guests[2] as (typeof guests)[0]).input)).codes).toEqual([]);
});

test('who was disabled meanwhile is refused alone, with the proof kept', async () => {
  const guests = await readyGuests(4);
  const [first] = guests as [(typeof guests)[0]];
  await gateway.ask(
    'mutation ($input: UpdateExternalUserInput!) { updateExternalUser(input: $input) { userErrors { code } } }',
    {
      input: { externalUserId: first.externalUserId, accountEnabled: false },
    },
  );
  const answers = await Promise.all(guests.map(({ input }) => redeem(input)));
  expect(answers.map(({ codes }) => codes.join())).toEqual(['ACCOUNT_DISABLED', '', '', '']);
  expect(await factsOf(first.id)).toEqual(['IDENTITY_PROVEN']);
  expect(await stateOf(first.externalUserId)).toMatchObject({ state: 'PENDING_ACCEPTANCE', memberships: 0 });
});

test('the same click sent many times at once redeems once and is no mistake', async () => {
  const { input, id, externalUserId } = await readyGuest();
  const answers = await Promise.all(Array.from({ length: 10 }, () => redeem(input)));
  expect(answers.map(({ redemption }) => redemption?.status)).toEqual(answers.map(() => 'REDEEMED'));
  expect(await stateOf(externalUserId)).toEqual(accepted);
  expect(await factsOf(id)).toEqual(['IDENTITY_PROVEN', 'CONSENTED', 'REDEEMED']);
});

test('an account of another guest stops its own acceptance only', async () => {
  const guests = await readyGuests(4);
  const [first, second] = guests as [(typeof guests)[0], (typeof guests)[0]];
  // As if an operator had linked this guest's mailbox to somebody else.
  await gateway.sql(
    `insert into identity (id, tenant_id, external_user_id, identity_provider_id, issuer, subject, sign_in_type, linked_at)
      select 'idn_' || substr(i.id, 5), i.tenant_id, $2, '', 'mail', i.email_key, 'EMAIL_PASSCODE', now() from invitation i where i.id = $1`,
    [first.id, second.externalUserId],
  );
  const answers = await Promise.all(guests.map(({ input }) => redeem(input)));
  expect(answers.map(({ codes }) => codes.join())).toEqual(['IDENTITY_MISMATCH', '', '', '']);
  expect(await stateOf(first.externalUserId)).toMatchObject({ state: 'PENDING_ACCEPTANCE', memberships: 0 });
});
