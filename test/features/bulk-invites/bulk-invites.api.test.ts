import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../../support/gateway.js';
import { until } from '../../support/until.js';
import { recordStatements, type Statement } from './statements.js';

let gateway: TestGateway;
let statements: Statement[];
let tenantId: string;

beforeAll(async () => {
  statements = recordStatements();
  gateway = await startTestGateway();
  ({ id: tenantId } = await gateway.createTenant());
});

afterAll(() => gateway.stop());

const BULK_INVITE = `mutation ($input: BulkInviteInput!) {
  bulkInvite(input: $input) {
    bulkInvite { id status totalRows processedRows createdBy { kind displayName } tenant { id } }
    userErrors { code field message }
  }
}`;

async function bulkInvite(input: object): Promise<string> {
  const { bulkInvite: payload } = await gateway.ask(BULK_INVITE, { input: { tenantId, ...input } });
  return payload.bulkInvite.id;
}

function waitUntilCompleted(id: string) {
  return until(async () => {
    const { node } = await gateway.ask('query ($id: ID!) { node(id: $id) { ... on BulkInvite { status } } }', { id });
    return node.status === 'COMPLETED';
  }, `${id} to complete`);
}

test('a file becomes invitations whose mails arrive, and its rows and errors are a connection', async () => {
  const csv = await readFile(join(import.meta.dirname, '../../../docs/samples/messy.csv'), 'utf8');
  const id = await bulkInvite({ csv, fileName: 'messy.csv', defaults: { message: 'Welcome.' } });
  await gateway.waitForMail('ana@fabrikam.example');
  await waitUntilCompleted(id);
  await until(async () => (await sentMails(id)) === 2, 'both mails to be noted');

  const document = `query ($id: ID!, $after: String, $outcome: BulkInviteRowOutcome) { node(id: $id) { ... on BulkInvite {
    fileName status dryRun errorPolicy totalRows processedRows invitedRows rejectedRows cancelledRows warnings errors { code }
    sentMails failedMails redeemed counts { total sent } funnel { invited sent }
    rows(first: 3, after: $after, outcome: $outcome) {
      totalCount pageInfo { hasNextPage endCursor }
      nodes { rowNumber email outcome errors { code field } invitation { email message bulkInvite { id } rowNumber } }
    }
  } } }`;
  const { node } = await gateway.ask(document, { id });
  const { rows, ...batch } = node;
  expect(batch).toEqual({
    fileName: 'messy.csv',
    status: 'COMPLETED',
    dryRun: false,
    errorPolicy: 'IGNORE_FAILED',
    totalRows: 7,
    processedRows: 7,
    invitedRows: 2,
    rejectedRows: 5,
    cancelledRows: 0,
    warnings: ['Columns that are not known were ignored: Favourite colour.'],
    errors: [],
    sentMails: 2,
    failedMails: 0,
    redeemed: 0,
    counts: { total: 2, sent: 2 },
    funnel: { invited: 2, sent: 2 },
  });
  expect(rows).toMatchObject({ totalCount: 7, pageInfo: { hasNextPage: true } });
  expect(rows.nodes).toEqual([
    {
      rowNumber: 1,
      email: 'ana@fabrikam.example',
      outcome: 'INVITED',
      errors: [],
      invitation: { email: 'ana@fabrikam.example', message: 'Welcome.', bulkInvite: { id }, rowNumber: 1 },
    },
    {
      rowNumber: 2,
      email: 'not-an-address',
      outcome: 'REJECTED',
      errors: [{ code: 'ADDRESS_INVALID', field: ['email'] }],
      invitation: null,
    },
    {
      rowNumber: 3,
      email: 'ANA@FABRIKAM.EXAMPLE',
      outcome: 'REJECTED',
      errors: [{ code: 'DUPLICATE_ROW', field: ['email'] }],
      invitation: null,
    },
  ]);
  const next = await gateway.ask(document, { id, after: rows.pageInfo.endCursor, outcome: null });
  expect(next.node.rows.nodes.map((row: { rowNumber: number }) => row.rowNumber)).toEqual([4, 5, 6]);
  const rejected = await gateway.ask(document, { id, outcome: 'REJECTED' });
  expect(rejected.node.rows.totalCount).toBe(5);
});

async function sentMails(id: string): Promise<number> {
  const { node } = await gateway.ask('query ($id: ID!) { node(id: $id) { ... on BulkInvite { sentMails } } }', { id });
  return node.sentMails;
}

test('the answer comes at once, with the batch as it was queued', async () => {
  const { bulkInvite: payload } = await gateway.ask(BULK_INVITE, {
    input: { tenantId, rows: [{ email: 'soon@fabrikam.example', sendMail: false }] },
  });
  expect(payload.bulkInvite).toMatchObject({ totalRows: 1, createdBy: { kind: 'API_KEY' }, tenant: { id: tenantId } });
  await waitUntilCompleted(payload.bulkInvite.id);
});

test('what is wrong with the request is told at its field', async () => {
  const { data } = await gateway.gql(BULK_INVITE, { input: { tenantId, csv: 'name\nAna\n', dryRun: false } });
  expect(data.bulkInvite).toMatchObject({ bulkInvite: null, userErrors: [{ code: 'CSV_UNREADABLE', field: ['csv'] }] });
});

test("a tenant's batches are listed newest first, and another tenant's key sees none of them", async () => {
  const first = await bulkInvite({ rows: [{ email: 'one@list.example' }] });
  const second = await bulkInvite({ rows: [{ email: 'two@list.example' }] });
  const document = 'query ($id: ID!) { tenant(id: $id) { bulkInvites(first: 2) { nodes { id } } } }';
  const { tenant } = await gateway.ask(document, { id: tenantId });
  expect(tenant.bulkInvites.nodes).toEqual([{ id: second }, { id: first }]);
  const other = await gateway.createTenant();
  const key = await gateway.createKey({
    tenantId: other.id,
    permissions: ['TENANT_READ', 'INVITATION_READ', 'INVITATION_WRITE'],
  });
  const { data } = await gateway.gql('query ($id: ID!) { node(id: $id) { id } }', { id: first }, { key: key.secret });
  expect(data.node).toBeNull();
  const refused = await gateway.gql(
    BULK_INVITE,
    { input: { tenantId, rows: [{ email: 'a@b.example' }] } },
    { key: key.secret },
  );
  expect(refused.data.bulkInvite.userErrors).toMatchObject([{ code: 'NOT_FOUND', field: ['tenantId'] }]);
});

const PROGRESS =
  'subscription ($id: ID!) { bulkInviteProgress(id: $id) { id status processedRows totalRows counts { total } } }';

test('progress is pushed at once, and until the batch has finished; then the subscription completes', async () => {
  const rows = Array.from({ length: 300 }, (_, index) => ({
    email: `guest${index}@progress.example`,
    sendMail: false,
  }));
  const id = await bulkInvite({ rows });
  const socket = gateway.socket();
  const told: { status: string; processedRows: number; counts: { total: number } }[] = [];
  for await (const { data } of socket.iterate<{ bulkInviteProgress: (typeof told)[number] }>({
    query: PROGRESS,
    variables: { id },
  })) {
    if (data) told.push(data.bulkInviteProgress);
  }
  await socket.dispose();
  expect(told.at(-1)).toMatchObject({ status: 'COMPLETED', processedRows: 300, counts: { total: 300 } });
  expect(told.map(({ processedRows }) => processedRows)).toEqual(
    told.map(({ processedRows }) => processedRows).sort((a, b) => a - b),
  );
});

test('progress of a batch out of reach is an error NOT_FOUND', async () => {
  const id = await bulkInvite({ rows: [{ email: 'private@progress.example' }] });
  const other = await gateway.createTenant();
  const key = await gateway.createKey({ tenantId: other.id, permissions: ['INVITATION_READ'] });
  const socket = gateway.socket(`Bearer ${key.secret}`);
  const told = socket.iterate({ query: PROGRESS, variables: { id } }).next();
  await expect(
    told.then(
      ({ value }) => value?.errors ?? [],
      (errors) => errors,
    ),
  ).resolves.toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
  await socket.dispose();
});

test('a document over many batches, rows and invitations costs as many statements as one over a single batch', async () => {
  for (const name of ['x', 'y', 'z']) {
    await waitUntilCompleted(
      await bulkInvite({ rows: [{ email: `${name}@level.example`, sendMail: false }, { email: name }] }),
    );
  }
  const read = async (first: number) => {
    statements.length = 0;
    const { tenant } = await gateway.ask(
      `query ($id: ID!, $first: Int) { tenant(id: $id) { bulkInvites(first: $first) { nodes {
        tenant { id } counts { total } funnel { invited } sentMails failedMails redeemed
        rows { totalCount nodes { errors { code } invitation { email bulkInvite { id } } } }
      } } } }`,
      { id: tenantId, first },
    );
    expect(tenant.bulkInvites.nodes).toHaveLength(first);
    expect(tenant.bulkInvites.nodes[0].rows.nodes[0].invitation.email).toBe('z@level.example');
    return statements.filter(({ text }) => /bulk_invite|invitation|from "tenant"/.test(text) && /^\s*select/.test(text))
      .length;
  };
  const single = await read(1);
  expect(single).toBeGreaterThan(4);
  expect(await read(3)).toBe(single);
});
