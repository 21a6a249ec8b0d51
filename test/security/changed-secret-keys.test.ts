/** SECRET_KEYS is changed by putting a new key in front and, later, taking the old one out: processes on one database. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { passcodesTo } from '../web/guest-browser.js';

const OLD_KEY = 'the-old-secret-key-that-is-long-enough';
const NEW_KEY = 'the-new-secret-key-that-is-long-enough';

let before: TestGateway;
let during: TestGateway;
let after: TestGateway;
let tenantId: string;

beforeAll(async () => {
  before = await startTestGateway({ env: { SECRET_KEYS: OLD_KEY } });
  const shared = { databaseUrl: before.databaseUrl, smtp: before.smtp };
  during = await startTestGateway({ ...shared, env: { SECRET_KEYS: `${NEW_KEY},${OLD_KEY}` } });
  after = await startTestGateway({ ...shared, env: { SECRET_KEYS: NEW_KEY } });
  tenantId = (await before.createTenant()).id;
});
afterAll(() => Promise.all([after, during, before].map((gateway) => gateway.stop())));

const tokenOf = ({ redeemUrl }: { redeemUrl: string }) => redeemUrl.split('/').at(-1) as string;

async function call(gateway: TestGateway, operation: string, type: string, input: object) {
  const { data } = await gateway.gql(
    `mutation ($input: ${type}!) { payload: ${operation}(input: $input) { redemption { id status consentVersion } userErrors { code } } }`,
    { input },
    { key: null },
  );
  return data.payload as {
    redemption: { id: string; status: string; consentVersion: string } | null;
    userErrors: object[];
  };
}

const begin = (gateway: TestGateway, token: string) =>
  call(gateway, 'beginRedemption', 'BeginRedemptionInput', { token });

const read = (gateway: TestGateway, query: string) =>
  gateway.ask(query, { id: tenantId }, { key: before.bootstrapKey });

test('while both keys stand, links, passcodes and cursors of the old one go on, also those under way', async () => {
  const invited = await before.inviteUser({ tenantId, email: 'ada@fabrikam.example' });
  const { redemption } = await begin(before, tokenOf(invited));
  await call(before, 'sendRedemptionPasscode', 'RedemptionIdInput', { redemptionId: redemption?.id });
  const passcode = await until(() => passcodesTo(before, 'ada@fabrikam.example')[0], 'the passcode');
  expect((await begin(during, tokenOf(invited))).redemption?.status).toBe('STARTED');
  const redeemed = await call(during, 'redeemInvitation', 'RedeemInvitationInput', {
    redemptionId: redemption?.id,
    passcode,
    consent: true,
    consentVersion: redemption?.consentVersion,
  });
  expect(redeemed.redemption?.status).toBe('REDEEMED');
  const page = '{ redemptionEvents(first: 1) { pageInfo { endCursor } } }';
  const { tenant } = await read(before, `query ($id: ID!) { tenant(id: $id) ${page} }`);
  const cursor = tenant.redemptionEvents.pageInfo.endCursor;
  const next = await read(
    during,
    `query ($id: ID!) { tenant(id: $id) { redemptionEvents(first: 9, after: "${cursor}") { nodes { type } } } }`,
  );
  expect(next.tenant.redemptionEvents.nodes.length).toBeGreaterThan(0);
});

test('without the old key its links still open, because the database holds what they must fit; its passcodes end', async () => {
  const email = 'eve@fabrikam.example';
  const invited = await before.inviteUser({ tenantId, email, sendMail: false });
  const { redemption } = await begin(before, tokenOf(invited));
  const redemptionId = redemption?.id as string;
  await call(before, 'sendRedemptionPasscode', 'RedemptionIdInput', { redemptionId });
  const passcode = await until(() => passcodesTo(before, email)[0], 'the passcode of the old key');
  const redeem = (code: string) =>
    call(after, 'redeemInvitation', 'RedeemInvitationInput', {
      redemptionId,
      passcode: code,
      consent: true,
      consentVersion: redemption?.consentVersion,
    });
  expect((await redeem(passcode)).userErrors).toEqual([{ code: 'PASSCODE_WRONG' }]);
  expect((await begin(after, tokenOf(invited))).redemption?.status).toBe('STARTED');
  await call(after, 'sendRedemptionPasscode', 'RedemptionIdInput', { redemptionId });
  const newer = await until(
    () => passcodesTo(before, email).find((code) => code !== passcode),
    'a passcode of the new key',
  );
  expect((await redeem(newer)).redemption?.status).toBe('REDEEMED');
});

test('a cursor of a key that is gone is refused, not misread', async () => {
  const { tenant } = await read(before, 'query ($id: ID!) { tenant(id: $id) { feedCursor } }');
  const { errors } = await after.gql(
    'query ($id: ID!, $after: String) { tenant(id: $id) { redemptionEvents(after: $after) { nodes { type } } } }',
    { id: tenantId, after: tenant.feedCursor },
    { key: before.bootstrapKey },
  );
  expect(errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT');
});
