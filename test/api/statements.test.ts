/** One statement per level of a document, however many objects a level has: what a list costs does not grow with its length. */
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { recordStatements, type Statement } from '../features/bulk-invites/statements.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';

const statements: Statement[] = recordStatements();
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(async () => {
  await gateway.stop();
  jest.restoreAllMocks();
});

const DOCUMENT = `query ($id: ID!) {
  tenant(id: $id) {
    invitations(first: 50) {
      totalCount
      nodes {
        tenant { id }
        externalUser { groups { totalCount nodes { id } } appAssignments { nodes { id principal { __typename } } } identities { id } invitations(first: 1) { nodes { id } } }
        groups { id members(first: 1) { nodes { id } } }
        apps { id assignments(first: 1) { nodes { id } } }
        landingApp { id }
        bulkInvite { id counts { total } funnel { invited } rows(first: 1) { nodes { invitation { id } } } }
        events(first: 1) { nodes { type invitation { id } externalUser { id } } }
      }
    }
  }
}`;

/** So many invitations that each grant an app and a group of their own, to users with an identity, a membership and an app. */
async function tenantWith(count: number): Promise<string> {
  const { id: tenantId } = await gateway.createTenant();
  const make = async (document: string, input: object) => (await gateway.ask(document, { input })).made;
  for (let index = 0; index < count; index++) {
    const { app } = await make(
      'mutation ($input: RegisterAppInput!) { made: registerApp(input: $input) { app { id } userErrors { code } } }',
      {
        tenantId,
        displayName: `App ${index}`,
        homePageUrl: `https://app${index}.contoso.example/`,
      },
    );
    const { group } = await make(
      'mutation ($input: CreateGroupInput!) { made: createGroup(input: $input) { group { id } userErrors { code } } }',
      {
        tenantId,
        displayName: `Group ${index}`,
      },
    );
    const { externalUserId } = await gateway.inviteUser({
      tenantId,
      email: `guest${index}@fabrikam.example`,
      sendMail: false,
      appIds: [app.id],
      groupIds: [group.id],
      landingAppId: app.id,
    });
    await make(
      'mutation ($input: GroupMembersInput!) { made: addGroupMembers(input: $input) { userErrors { code } } }',
      {
        groupId: group.id,
        externalUserIds: [externalUserId],
      },
    );
    await make('mutation ($input: AssignAppInput!) { made: assignApp(input: $input) { userErrors { code } } }', {
      appId: app.id,
      externalUserId,
    });
  }
  await gateway.sql(
    `insert into identity (id, tenant_id, external_user_id, identity_provider_id, issuer, subject, sign_in_type, linked_at)
    select 'idn' || u.id, u.tenant_id, u.id, 'idp_x', 'https://login.example', u.id, 'OIDC', now() from external_user u where tenant_id = $1`,
    [tenantId],
  );
  await makeBulkInvites(tenantId);
  return tenantId;
}

/** As if every invitation came from a bulk invite of its own, with one row. */
async function makeBulkInvites(tenantId: string): Promise<void> {
  const { bulkInvite } = await gateway.ask(
    'mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { bulkInvite { id } userErrors { code } } }',
    { input: { tenantId, rows: [{ email: 'x' }] } },
  );
  const { id } = bulkInvite.bulkInvite;
  await until(
    async () => (await gateway.sql(`select from bulk_invite where id = $1 and status = 'COMPLETED'`, [id])).length > 0,
    'the bulk invite',
  );
  const copyOf = (table: string, changes: string) =>
    `insert into ${table} select (jsonb_populate_record(b, jsonb_build_object(${changes}))).* from ${table} b, invitation i where i.tenant_id = $1`;
  await gateway.sql(`${copyOf('bulk_invite', `'id', 'blk' || i.id`)} and b.id = $2`, [tenantId, id]);
  await gateway.sql(
    `${copyOf('bulk_invite_row', `'bulk_invite_id', 'blk' || i.id, 'invitation_id', i.id`)} and b.bulk_invite_id = $2`,
    [tenantId, id],
  );
  await gateway.sql(`update invitation set bulk_invite_id = 'blk' || id where tenant_id = $1`, [tenantId]);
}

/** Work of the process itself, which goes on beside any request. */
const background = /graphile_worker|feed_state|gateway_process|from api_key|update api_key|listen |select 1\b/;

async function statementsFor(tenantId: string): Promise<string[]> {
  const from = statements.length;
  const { tenant } = await gateway.ask(DOCUMENT, { id: tenantId });
  expect(tenant.invitations.nodes.length).toBe(tenant.invitations.totalCount);
  for (const { externalUser, groups, apps, bulkInvite } of tenant.invitations.nodes) {
    expect(bulkInvite).toMatchObject({
      counts: { total: 1 },
      rows: { nodes: [{ invitation: { id: expect.any(String) } }] },
    });
    expect(
      [externalUser.identities, externalUser.groups.nodes, externalUser.appAssignments.nodes, groups, apps].map(
        (list) => list.length,
      ),
    ).toEqual([1, 1, 1, 1, 1]);
  }
  return statements
    .slice(from)
    .map(({ text }) => text)
    .filter((text) => !background.test(text));
}

describe('a deep document', () => {
  it('is read by the same statements for 5 invitations and for 50', async () => {
    const [few, many] = [await tenantWith(5), await tenantWith(50)];
    const forFew = await statementsFor(few);
    const forMany = await statementsFor(many);
    expect(forMany.sort()).toEqual(forFew.sort());
    expect(forFew.length).toBeLessThan(30);
    expect(forFew.length).toBeGreaterThan(10);
  });

  it('reads one thing once, however often it is named', async () => {
    const tenantId = await tenantWith(3);
    const from = statements.length;
    await gateway.ask(
      `{ tenant(id: "${tenantId}") { invitations { nodes { tenant { id tenantAgain: displayName } externalUser { tenant { id } } } } } }`,
    );
    const reads = statements.slice(from).filter(({ text }) => /from "?tenant"? /.test(text));
    expect(reads).toHaveLength(1);
  });
});
