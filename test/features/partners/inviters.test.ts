/** Guests of a partner who may invite for the tenant invite people of their own organisation, unless it is trusted further. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { apiToken } from '../../openid-provider/api-token.js';
import { type Guest, signInGuest } from '../../openid-provider/guest.js';
import { startTestGateway, type TestGateway } from '../../support/gateway.js';
import { until } from '../../support/until.js';
import { GuestBrowser, proveByPasscode } from '../../web/guest-browser.js';

const ERRORS = 'userErrors { code field }';
const INVITE = `mutation ($input: InviteUserInput!) { result: inviteUser(input: $input) { invitation { id } redeemUrl ${ERRORS} } }`;
const RESEND = `mutation ($input: InvitationIdInput!) { result: resendInvitation(input: $input) { invitation { id } ${ERRORS} } }`;
const ADD = `mutation ($input: AddExternalUserInput!) { result: addExternalUser(input: $input) { externalUser { id } ${ERRORS} } }`;
const RESET = `mutation ($input: ResetRedemptionInput!) { result: resetRedemption(input: $input) { invitation { id } ${ERRORS} } }`;
const EXPLAIN = `query ($tenantId: ID!, $email: String!) {
  result: explainRedemption(tenantId: $tenantId, email: $email) { inviteRefusal { code field } } }`;

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let partnerId: string;
let inviter: Guest;
let token: string;

beforeAll(async () => {
  gateway = await startTestGateway();
});
beforeEach(async () => {
  tenant = await gateway.createTenant();
  partnerId = await createPartner(['fabrikam.example', '*.fabrikam.example']);
  inviter = await signInGuest(gateway, tenant.id);
  await assign('TENANT_ADMIN', inviter);
  token = await apiToken(gateway, tenant, inviter.browser);
});
afterAll(() => gateway.stop());

async function createPartner(domains: string[]): Promise<string> {
  const { createPartner } = await gateway.ask(
    `mutation ($input: CreatePartnerInput!) { createPartner(input: $input) { partner { id invitesAnybody } ${ERRORS} } }`,
    { input: { tenantId: tenant.id, displayName: domains[0], domains } },
  );
  expect(createPartner.partner.invitesAnybody).toBe(false);
  return createPartner.partner.id;
}

const trustFurther = (invitesAnybody: boolean) =>
  gateway.ask(
    `mutation ($input: UpdatePartnerInput!) { updatePartner(input: $input) { partner { invitesAnybody } ${ERRORS} } }`,
    { input: { partnerId, invitesAnybody } },
  );

const assign = (role: string, { externalUserId }: Guest) =>
  gateway.ask(`mutation ($input: AssignRoleInput!) { assignRole(input: $input) { ${ERRORS} } }`, {
    input: { tenantId: tenant.id, role, externalUserId },
  });

async function run(document: string, input: object, key = token) {
  const { data, errors } = await gateway.gql(document, { input }, { key });
  expect(errors).toBeUndefined();
  return data.result;
}

const invite = (email: string, key = token) => run(INVITE, { tenantId: tenant.id, email }, key);
async function stateOf(email: string): Promise<string | undefined> {
  const [user] = await gateway.sql<{ state: string }>('select state from external_user where email = $1', [email]);
  return user?.state;
}

const refusedAt = (field: string) => [{ code: 'INVITER_NOT_AUTHORIZED', field: [field] }];

describe('an operator from a partner', () => {
  it('invites addresses of the domains of the partner, and no others', async () => {
    expect((await invite('ana@fabrikam.example')).userErrors).toEqual([]);
    expect((await invite('bo@sales.fabrikam.example')).userErrors).toEqual([]);
    expect((await invite('cy@litware.example')).userErrors).toEqual(refusedAt('email'));
    expect((await invite('cy@notfabrikam.example')).userErrors).toEqual(refusedAt('email'));
    expect(await gateway.sql("select from external_user where email = 'cy@litware.example'")).toEqual([]);
  });

  it("invites nobody of a domain below the own ones that is another partner's", async () => {
    await createPartner(['lab.fabrikam.example']);
    expect((await invite('ana@lab.fabrikam.example')).userErrors).toEqual(refusedAt('email'));
  });

  it('invites anybody where the partner is trusted so, and as long as it is', async () => {
    await trustFurther(true);
    expect((await invite('ana@litware.example')).userErrors).toEqual([]);
    await trustFurther(false);
    expect((await invite('bo@litware.example')).userErrors).toEqual(refusedAt('email'));
  });

  it('is told beforehand, as the one who asks', async () => {
    const variables = { tenantId: tenant.id, email: 'ana@litware.example' };
    const { data } = await gateway.gql(EXPLAIN, variables, { key: token });
    expect(data.result.inviteRefusal).toEqual({ code: 'INVITER_NOT_AUTHORIZED', field: ['email'] });
    expect((await gateway.ask(EXPLAIN, variables)).result.inviteRefusal).toBeNull();
  });

  it('has the rows of others refused in a batch, each by itself, also when only trying', async () => {
    const emails = ['ana@fabrikam.example', 'bo@litware.example', 'cy@sales.fabrikam.example', 'di@litware.example'];
    const rows = emails.map((email) => ({ email }));
    for (const dryRun of [true, false]) {
      const { bulkInvite } = await run(
        `mutation ($input: BulkInviteInput!) { result: bulkInvite(input: $input) { bulkInvite { id } ${ERRORS} } }`,
        { tenantId: tenant.id, rows, dryRun },
      );
      const outcomes = await until(async () => {
        const found = await gateway.sql<{ outcome: string; code: string | null }>(
          "select outcome, errors -> 0 ->> 'code' as code from bulk_invite_row where bulk_invite_id = $1 order by row_number",
          [bulkInvite.id],
        );
        return found.every(({ outcome }) => outcome !== 'WAITING') && found;
      }, 'the batch to be done');
      const good = { outcome: dryRun ? 'VALID' : 'INVITED', code: null };
      const bad = { outcome: 'REJECTED', code: 'INVITER_NOT_AUTHORIZED' };
      expect(outcomes).toEqual([good, bad, good, bad]);
    }
  });

  it('neither adds others without a mail, nor sends them a new link, nor moves somebody to their address', async () => {
    expect((await run(ADD, { tenantId: tenant.id, email: 'ana@litware.example' })).userErrors).toEqual(
      refusedAt('email'),
    );
    const { id: invitationId } = await gateway.inviteUser({ tenantId: tenant.id, email: 'bo@litware.example' });
    expect((await run(RESEND, { invitationId })).userErrors).toEqual(refusedAt('invitationId'));
    const { externalUserId } = await gateway.inviteUser({ tenantId: tenant.id, email: 'cy@fabrikam.example' });
    const moved = await run(RESET, { externalUserId, email: 'cy@litware.example' });
    expect(moved.userErrors).toEqual(refusedAt('email'));
  });

  it('has invited in vain whom the partner may no longer invite when the guest accepts', async () => {
    await trustFurther(true);
    const email = 'late@litware.example';
    const { redeemUrl } = await invite(email);
    await trustFurther(false);
    const browser = new GuestBrowser();
    const answer = await browser.submit(await proveByPasscode(gateway, browser, redeemUrl, email), '/accept');
    expect(answer.status).toBe(403);
    expect(await stateOf(email)).toBe('PENDING_ACCEPTANCE');
    await trustFurther(true);
    await browser.submit(answer, '/accept');
    expect(await stateOf(email)).toBe('ACCEPTED');
  });
});

it('leaves those alone who invite for the tenant itself: keys, and guests of no partner', async () => {
  expect((await invite('ana@litware.example', gateway.bootstrapKey)).userErrors).toEqual([]);
  const email = 'free@elsewhere.example';
  const free = await signInGuest(gateway, tenant.id, { email });
  await assign('GUEST_INVITER', free);
  expect((await invite('bo@litware.example', await apiToken(gateway, tenant, free.browser))).userErrors).toEqual([]);
});
