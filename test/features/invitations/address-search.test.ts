/** Search by a part of an address, whether it finds one invitation or more than can be named. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../../support/gateway.js';
import { until } from '../../support/until.js';

const MANY = 1200;
let gateway: TestGateway;
let tenantId: string;
let otherTenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant()).id;
  otherTenantId = (await gateway.createTenant()).id;
  const addresses = Array.from({ length: MANY }, (_, n) => `guest${String(n).padStart(4, '0')}@fabrikam.example`);
  await inviteAll(tenantId, addresses);
  await inviteAll(otherTenantId, ['guest0007@fabrikam.example']);
}, 60_000);
afterAll(() => gateway.stop());

async function inviteAll(inTenant: string, addresses: string[]): Promise<void> {
  const input = { tenantId: inTenant, rows: addresses.map((email) => ({ email })), defaults: { sendMail: false } };
  const { bulkInvite } = await gateway.ask(
    'mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { bulkInvite { id } userErrors { message } } }',
    { input },
  );
  const status = 'query ($id: ID!) { node(id: $id) { ... on BulkInvite { status } } }';
  await until(
    async () => (await gateway.ask(status, { id: bulkInvite.bulkInvite.id })).node.status === 'COMPLETED',
    'the bulk invite',
  );
}

async function search(part: string, after: string | null = null) {
  const { tenant } = await gateway.ask(
    `query ($id: ID!, $part: String!, $after: String) { tenant(id: $id) {
      invitations(first: 100, after: $after, filter: { emailContains: $part }, orderBy: { field: EMAIL, direction: ASC }) {
        totalCount pageInfo { hasNextPage endCursor } nodes { email }
      }
      externalUsers(first: 100, filter: { emailContains: $part }, orderBy: { field: EMAIL, direction: ASC }) { totalCount nodes { email } }
      invitationCounts(filter: { emailContains: $part }) { total }
    } }`,
    { id: tenantId, part, after },
  );
  return tenant;
}

describe('a part of an address', () => {
  it('that one invitation has finds it, in this tenant alone', async () => {
    const { invitations, externalUsers, invitationCounts } = await search('GUEST0007');
    expect(invitations.nodes).toEqual([{ email: 'guest0007@fabrikam.example' }]);
    expect(externalUsers.nodes).toEqual([{ email: 'guest0007@fabrikam.example' }]);
    expect(invitationCounts.total).toBe(1);
  });

  it('that more have than can be named finds them all, page by page', async () => {
    const first = await search('fabrikam');
    expect(first.invitations).toMatchObject({ totalCount: MANY, pageInfo: { hasNextPage: true } });
    expect(first.externalUsers.totalCount).toBe(MANY);
    expect(first.invitationCounts.total).toBe(MANY);
    const second = await search('fabrikam', first.invitations.pageInfo.endCursor);
    const emails = [...first.invitations.nodes, ...second.invitations.nodes].map(({ email }) => email);
    expect(emails).toEqual(
      Array.from({ length: 200 }, (_, n) => `guest${String(n).padStart(4, '0')}@fabrikam.example`),
    );
  });

  it('that nobody has finds nothing', async () => {
    const { invitations, externalUsers, invitationCounts } = await search('litware');
    expect([invitations.totalCount, externalUsers.totalCount, invitationCounts.total]).toEqual([0, 0, 0]);
  });
});
