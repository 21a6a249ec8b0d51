/** What became of every row as a file, over HTTP; and stopping and retrying a batch over GraphQL. */
import { once } from 'node:events';
import { get } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { HOUR, MINUTE } from '../../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../../support/gateway.js';
import { until } from '../../support/until.js';

let gateway: TestGateway;
let tenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway();
  ({ id: tenantId } = await gateway.createTenant());
});
afterAll(() => gateway.stop());

async function invite(input: object): Promise<string> {
  const document = `mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { bulkInvite { id } userErrors { code message } } }`;
  const { bulkInvite } = await gateway.ask(document, { input: { tenantId, ...input } });
  return bulkInvite.bulkInvite.id;
}

const BATCH = `query ($id: ID!) { node(id: $id) { ... on BulkInvite {
  status totalRows invitedRows rejectedRows cancelledRows resultsUrl errors { code message }
} } }`;

const read = async (id: string) => (await gateway.ask(BATCH, { id })).node;

async function finished(id: string) {
  return until(async () => {
    const batch = await read(id);
    return ['COMPLETED', 'FAILED', 'CANCELLED'].includes(batch.status) && batch;
  }, `${id} to finish`);
}

const fetchWithKey = (id: string, secret: string) =>
  fetch(`${gateway.url}/bulk-invites/${id}/results.csv`, { headers: { authorization: `Bearer ${secret}` } });

describe('the results file', () => {
  test('has a line for every row, every field quoted, and is sent as an attachment that nobody keeps', async () => {
    const id = await invite({
      rows: [
        { email: 'ana@results.example', sendMail: false },
        { email: 'say "hi"', sendMail: false },
        { email: '=HYPERLINK("https://evil.example")' },
        { email: null },
      ],
    });
    const { resultsUrl } = await finished(id);
    const response = await fetch(resultsUrl);
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/csv; charset=utf-8; header=present',
      'content-disposition': `attachment; filename="${id}-results.csv"`,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    const text = await response.text();
    for (const line of text.trim().split('\r\n')) expect(line).toMatch(/^"(?:[^"]|"")*"(?:,"(?:[^"]|"")*"){5}$/);
    const [invitation] = await gateway.sql<{ id: string }>('select id from invitation where bulk_invite_id = $1', [id]);
    expect(parse(text)).toEqual([
      ['row', 'email', 'outcome', 'code', 'message', 'invitationId'],
      ['1', 'ana@results.example', 'INVITED', '', '', invitation?.id],
      ['2', 'say "hi"', 'REJECTED', 'ADDRESS_INVALID', expect.stringContaining('not an e-mail address'), ''],
      ['3', `'=HYPERLINK("https://evil.example")`, 'REJECTED', 'ADDRESS_INVALID', expect.any(String), ''],
      ['4', '', 'REJECTED', 'REQUIRED', expect.any(String), ''],
    ]);
    expect(text).not.toContain('/redeem/');
  });

  test('is whole over many pages, and says of unreached rows what became of the batch', async () => {
    const rows = [...Array.from({ length: 4500 }, (_, n) => ({ email: `guest${n}@pages.example` })), { email: 'bad' }];
    const id = await invite({ rows, errorPolicy: 'REJECT_EVERYTHING', defaults: { sendMail: false } });
    const { resultsUrl, errors } = await finished(id);
    const lines = parse(await (await fetch(resultsUrl)).text(), { from: 2 }) as string[][];
    expect(lines.map(([row]) => Number(row))).toEqual(Array.from({ length: 4501 }, (_, n) => n + 1));
    expect(lines[0]?.slice(2)).toEqual(['REJECTED', 'BATCH_REJECTED', errors[0].message, '']);
    expect(lines[4500]?.[3]).toBe('ADDRESS_INVALID');
  });

  test('opens by its address for an hour, and not by a changed one', async () => {
    const [id, other] = [await invite({ rows: [{ email: 'x' }] }), await invite({ rows: [{ email: 'y' }] })];
    const { resultsUrl } = await finished(id);
    const changed = (change: (url: URL) => void) => {
      const url = new URL(resultsUrl);
      change(url);
      return fetch(url);
    };
    const refusals = await Promise.all([
      changed((url) => url.searchParams.set('expires', String(Number(url.searchParams.get('expires')) + 60))),
      changed((url) => url.searchParams.set('signature', 'x')),
      changed((url) => url.searchParams.set('signature', '')),
      changed((url) => url.searchParams.delete('expires')),
      changed((url) => url.searchParams.append('expires', '9999999999')),
      changed((url) => {
        url.pathname = url.pathname.replace(id, other);
      }),
    ]);
    gateway.clock.advance(1 * HOUR - 1 * MINUTE);
    expect((await fetch(resultsUrl)).status).toBe(200);
    gateway.clock.advance(1 * MINUTE);
    const answers = await Promise.all(
      [...refusals, await fetch(resultsUrl)].map(async (answer) => [answer.status, await answer.text()]),
    );
    expect(answers).toEqual(Array(7).fill([403, answers[0]?.[1]]));
    expect(answers[0]?.[1]).toContain('Ask for a new resultsUrl');
  });

  test('opens with an API key that may read invitations of the tenant, and with no other', async () => {
    const id = await invite({ rows: [{ email: 'x' }] });
    await finished(id);
    const other = await gateway.createTenant();
    const keyFor = async (ofTenant: string, permission: string) =>
      (await gateway.createKey({ tenantId: ofTenant, permissions: [permission] })).secret;
    const statusWith = async (secret: string, batch = id) => (await fetchWithKey(batch, secret)).status;
    expect(await statusWith(await keyFor(tenantId, 'INVITATION_READ'))).toBe(200);
    expect(await statusWith(await keyFor(tenantId, 'TENANT_READ'))).toBe(403);
    expect(await statusWith(await keyFor(other.id, 'INVITATION_READ'))).toBe(404);
    expect(await statusWith(gateway.bootstrapKey, 'blk_unknown')).toBe(404);
    expect(await statusWith('not a key')).toBe(401);
    expect((await fetch(`${gateway.url}/bulk-invites/${id}/results.csv`)).status).toBe(401);
  });

  test('a reader who leaves in the middle ends the reading', async () => {
    const rows = Array.from({ length: 10_000 }, (_, n) => ({ email: `x${n}` }));
    const id = await invite({ rows });
    const { resultsUrl } = await finished(id);
    const request = get(resultsUrl);
    const [response] = await once(request, 'response');
    await once(response, 'readable');
    request.destroy();
    expect((await fetch(resultsUrl)).status).toBe(200);
  });
});

describe('over GraphQL', () => {
  const mutate = async (name: string, id: string) =>
    (
      await gateway.gql(
        `mutation ($input: BulkInviteIdInput!) { result: ${name}(input: $input) { bulkInvite { id status totalRows cancelledRows } userErrors { code field } } }`,
        { input: { bulkInviteId: id } },
      )
    ).data.result;

  test('a batch is cancelled, and its rows are listed and counted as such', async () => {
    const rows = Array.from({ length: 10_000 }, (_, n) => ({ email: `guest${n}@cancel.example` }));
    const id = await invite({ rows, defaults: { sendMail: false } });
    const { bulkInvite, userErrors } = await mutate('cancelBulkInvite', id);
    expect(userErrors).toEqual([]);
    expect(bulkInvite).toMatchObject({ id, status: 'CANCELLED' });
    expect(bulkInvite.cancelledRows).toBeGreaterThan(0);
    const document = `query ($id: ID!, $outcome: BulkInviteRowOutcome) { node(id: $id) { ... on BulkInvite {
      invitedRows cancelledRows rows(first: 1, outcome: $outcome) { totalCount nodes { rowNumber outcome errors { code } } } } } }`;
    const { node } = await gateway.ask(document, { id, outcome: 'CANCELLED' });
    expect(node.rows).toEqual({
      totalCount: node.cancelledRows,
      nodes: [{ rowNumber: node.invitedRows + 1, outcome: 'CANCELLED', errors: [{ code: 'CANCELLED' }] }],
    });
    for (const outcome of ['WAITING', 'VALID', 'REJECTED']) {
      expect((await gateway.ask(document, { id, outcome })).node.rows).toEqual({ totalCount: 0, nodes: [] });
    }
  });

  test('rejected rows are retried as a new batch', async () => {
    const id = await invite({ rows: [{ email: 'bad' }, { email: 'good@retry.example', sendMail: false }] });
    await finished(id);
    const { bulkInvite } = await mutate('retryBulkInviteRows', id);
    expect(bulkInvite).toMatchObject({ totalRows: 1 });
    expect(bulkInvite.id).not.toBe(id);
    expect(await finished(bulkInvite.id)).toMatchObject({ status: 'COMPLETED', rejectedRows: 1 });
    const refused = await mutate('cancelBulkInvite', id);
    expect(refused).toEqual({ bulkInvite: null, userErrors: [{ code: 'INVALID', field: ['bulkInviteId'] }] });
  });

  test('rows of a dry run are listed as VALID or REJECTED', async () => {
    const id = await invite({ rows: [{ email: 'a@dry.example' }, { email: 'bad' }], dryRun: true });
    await finished(id);
    const document = `query ($id: ID!) { node(id: $id) { ... on BulkInvite {
      valid: rows(outcome: VALID) { totalCount nodes { rowNumber } } rejected: rows(outcome: REJECTED) { totalCount nodes { rowNumber } }
      invited: rows(outcome: INVITED) { totalCount nodes { rowNumber } } all: rows { totalCount nodes { rowNumber outcome } } } } }`;
    expect((await gateway.ask(document, { id })).node).toEqual({
      valid: { totalCount: 1, nodes: [{ rowNumber: 1 }] },
      rejected: { totalCount: 1, nodes: [{ rowNumber: 2 }] },
      invited: { totalCount: 0, nodes: [] },
      all: {
        totalCount: 2,
        nodes: [
          { rowNumber: 1, outcome: 'VALID' },
          { rowNumber: 2, outcome: 'REJECTED' },
        ],
      },
    });
    expect(gateway.mails('a@dry.example')).toEqual([]);
  });
});
