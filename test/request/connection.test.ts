/** Keyset pages, as every list reads them: ties, the ends, and cursors that a client has made up. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let tenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant()).id;
  for (let index = 0; index < 7; index++) {
    await gateway.ask('mutation ($input: CreateGroupInput!) { createGroup(input: $input) { userErrors { code } } }', {
      input: { tenantId, displayName: `Group ${index}` },
    });
  }
  await gateway.sql(`update user_group set created_at = '2026-01-01T00:00:00.123Z'`);
});
afterAll(() => gateway.stop());

const DOCUMENT = `query ($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
  tenant(id: $id) {
    groups(first: $first, after: $after, last: $last, before: $before) {
      nodes { displayName } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}`;
const read = async (args: object) => (await gateway.ask(DOCUMENT, { id: tenantId, ...args })).tenant.groups;
const names = ({ nodes }: { nodes: { displayName: string }[] }) =>
  nodes.map(({ displayName }) => displayName.slice(-1)).join('');

describe('pages', () => {
  it('neither skip nor repeat what was made in the same millisecond', async () => {
    let [seen, after] = ['', null as string | null];
    for (let more = true; more; ) {
      const page = await read({ first: 2, after });
      seen += names(page);
      [after, more] = [page.pageInfo.endCursor, page.pageInfo.hasNextPage];
    }
    expect(seen).toBe('6543210');
  });

  it('tell at both ends that there is no more', async () => {
    const all = await read({ first: 7 });
    expect(all.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: false });
    expect(names(await read({ last: 7 }))).toBe(names(all));
    const beyond = await read({ first: 7, after: all.pageInfo.endCursor });
    expect(beyond).toEqual({
      nodes: [],
      pageInfo: { hasNextPage: false, hasPreviousPage: true, startCursor: null, endCursor: null },
    });
  });

  it('read the last before a cursor', async () => {
    const { pageInfo } = await read({ last: 2 });
    expect(names(await read({ last: 2, before: pageInfo.startCursor }))).toBe('32');
    expect(names(await read({ before: pageInfo.startCursor }))).toBe('65432');
  });
});

describe('a cursor', () => {
  const cursorOf = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const time = '2026-01-01T00:00:00.123Z';

  it.each([
    ['nothing', ''],
    ['no JSON', 'AAAA'],
    ['null', cursorOf(null)],
    ['another order', cursorOf(['EMAIL:ASC', 'x', 'x'])],
    ['another direction', cursorOf(['CREATED_AT:ASC', time, 'x'])],
    ['too little', cursorOf(['CREATED_AT:DESC', time])],
    ['a number as id', cursorOf(['CREATED_AT:DESC', time, 1])],
    ['no time', cursorOf(['CREATED_AT:DESC', 'x', 'x'])],
    ['a number as time', cursorOf(['CREATED_AT:DESC', 1, 'x'])],
    ['a time only JavaScript can read', cursorOf(['CREATED_AT:DESC', '1', 'x'])],
    ['a time beyond PostgreSQL', cursorOf(['CREATED_AT:DESC', '+275760-09-13T00:00:00.000Z', 'x'])],
    ['a day that does not exist', cursorOf(['CREATED_AT:DESC', '2026-02-31T00:00:00.000Z', 'x'])],
    ['the year 0', cursorOf(['CREATED_AT:DESC', '0000-01-01T00:00:00.000Z', 'x'])],
    ['NUL in the id', cursorOf(['CREATED_AT:DESC', time, '\u0000'])],
    ['SQL', cursorOf(['CREATED_AT:DESC', "2026-01-01'; drop table user_group; --", 'x'])],
  ])('of %s is refused as BAD_USER_INPUT', async (_what, after) => {
    const { errors } = await gateway.gql(DOCUMENT, { id: tenantId, first: 1, after });
    expect(errors?.map((error) => error.extensions.code)).toEqual(['BAD_USER_INPUT']);
  });

  it('of rows is refused as well when it is out of range', async () => {
    const document =
      'query ($id: ID!, $after: String) { node(id: $id) { ... on BulkInvite { rows(first: 1, after: $after) { nodes { rowNumber } } } } }';
    const { bulkInvite } = await gateway.ask(
      'mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { bulkInvite { id rows(first: 1) { pageInfo { endCursor } } } userErrors { code } } }',
      { input: { tenantId, rows: [{ email: 'x' }] } },
    );
    const { id, rows } = bulkInvite.bulkInvite;
    const [order] = JSON.parse(Buffer.from(rows.pageInfo.endCursor, 'base64url').toString());
    for (const key of [2 ** 31, 1e15, -1e15, 0.5, '1', null]) {
      const { errors } = await gateway.gql(document, { id, after: cursorOf([order, key, 'x']) });
      expect([key, errors?.map((error) => error.extensions.code)]).toEqual([key, ['BAD_USER_INPUT']]);
    }
  });
});

describe('times in a filter', () => {
  it.each(['0000-01-01T00:00:00Z', '0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z'])(
    'may be as far away as %s',
    async (when) => {
      const { data, errors } = await gateway.gql(
        'query ($id: ID!, $when: DateTime!) { tenant(id: $id) { invitations(filter: { createdAfter: $when }) { totalCount } } }',
        { id: tenantId, when },
      );
      expect(errors).toBeUndefined();
      expect(data.tenant.invitations.totalCount).toBe(0);
    },
  );
});
