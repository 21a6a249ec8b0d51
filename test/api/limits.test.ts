/** What a document and a request may ask for: whoever sends too much is told so with a code, and nothing runs. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { GraphqlAnswer, TestGateway } from '../support/gateway.js';
import { startTestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let tenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant()).id;
});
afterAll(() => gateway.stop());

const codes = ({ errors }: GraphqlAnswer) => errors?.map((error) => error.extensions.code);

/** A request as no GraphQL client would make it. */
async function post(
  body: string,
  headers: Record<string, string> = { 'content-type': 'application/json' },
): Promise<GraphqlAnswer> {
  const authorization = `Bearer ${gateway.bootstrapKey}`;
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { authorization, ...headers },
    body,
  });
  const text = await response.text();
  expect(text).not.toMatch(/stack|node_modules|\.ts:|\.js:/);
  return { status: response.status, ...JSON.parse(text) };
}

/** `tenant { invitations { nodes { tenant { … } } } }`, so many times over. */
function nested(times: number, page = ''): string {
  const open = `tenant { invitations${page} { nodes { `.repeat(times);
  return `{ ${open.replace('tenant', `tenant(id: "${tenantId}")`)} id ${'} } } '.repeat(times)} }`;
}

describe('the size of a document', () => {
  it('lets an ordinary dashboard through', async () => {
    const list = 'invitations { nodes { id events { nodes { type } } } }';
    const { tenant } = await gateway.ask(`{ tenant(id: "${tenantId}") { id invitationCounts { total } ${list} } }`);
    expect(tenant.id).toBe(tenantId);
  });

  it('has at most 12 levels, fragments counted', async () => {
    const answer = await gateway.gql(nested(6, '(first: 1)'));
    expect(answer).toMatchObject({ status: 400, errors: [{ extensions: { code: 'QUERY_TOO_COMPLEX' } }] });
    const fragments = Array.from({ length: 14 }, (_, level) => `fragment F${level} on Query { ...F${level + 1} }`).join(
      ' ',
    );
    expect(codes(await gateway.gql(`{ ...F0 } ${fragments} fragment F14 on Query { viewer { name } }`))).toEqual([
      'QUERY_TOO_COMPLEX',
    ]);
  });

  it('has at most 30 aliases', async () => {
    const aliases = (count: number) =>
      `{ ${Array.from({ length: count }, (_, index) => `a${index}: viewer { name }`).join(' ')} }`;
    expect(codes(await gateway.gql(aliases(500)))).toEqual(['QUERY_TOO_COMPLEX']);
    expect(codes(await gateway.gql(aliases(1000)))).toEqual(['GRAPHQL_PARSE_FAILED']);
    expect(codes(await gateway.gql(aliases(31)))).toEqual(['QUERY_TOO_COMPLEX']);
    expect((await gateway.gql(aliases(30))).errors).toBeUndefined();
  });

  it('counts every page whole, also one whose size comes by a variable', async () => {
    const wide = (size: string) => `query ${size.startsWith('$') ? '($first: Int)' : ''} {
      tenant(id: "${tenantId}") { groups(first: ${size}) { nodes { members(first: ${size}) { nodes { groups(first: ${size}) { nodes { id } } } } } } }
    }`;
    expect(await gateway.gql(wide('100'))).toMatchObject({
      status: 400,
      errors: [{ extensions: { code: 'QUERY_TOO_COMPLEX' } }],
    });
    expect(codes(await gateway.gql(wide('$first'), { first: 100 }))).toEqual(['QUERY_TOO_COMPLEX']);
    expect((await gateway.gql(wide('$first'), { first: 2 })).errors).toBeUndefined();
    expect(codes(await gateway.gql(wide('$first'), { first: 100 }))).toEqual(['QUERY_TOO_COMPLEX']);
  });

  it('counts each of the nodes asked for', async () => {
    const document =
      'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Tenant { groups(first: 100) { nodes { members(first: 10) { nodes { id } } } } } } }';
    const ids = (count: number) => ({ ids: Array.from({ length: count }, () => tenantId) });
    expect((await gateway.gql(document, ids(1))).errors).toBeUndefined();
    expect(codes(await gateway.gql(document, ids(100)))).toEqual(['QUERY_TOO_COMPLEX']);
    expect(codes(await gateway.gql('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', ids(101)))).toEqual([
      'BAD_USER_INPUT',
    ]);
  });

  it('is not cheated by fragments that multiply', async () => {
    const doubling = Array.from(
      { length: 9 },
      (_, level) => `fragment F${level} on Query { ${`...F${level + 1} `.repeat(9)} }`,
    ).join(' ');
    const began = performance.now();
    const answer = await gateway.gql(`{ ...F0 } ${doubling} fragment F9 on Query { viewer { name } }`);
    expect(codes(answer)).toEqual(['QUERY_TOO_COMPLEX']);
    expect(performance.now() - began).toBeLessThan(2000);
  });

  it('may not go in circles', async () => {
    const answer = await gateway.gql(
      '{ ...A } fragment A on Query { viewer { name } ...B } fragment B on Query { ...A }',
    );
    expect(new Set(codes(answer))).toEqual(new Set(['GRAPHQL_VALIDATION_FAILED']));
  });

  it('has at most 4000 tokens', async () => {
    const answer = await gateway.gql(`{ ${'__typename '.repeat(10_000)} }`);
    expect(codes(answer)).toEqual(['GRAPHQL_PARSE_FAILED']);
  });

  it.each([0, -1, 101])('has pages of 1 to 100, not of %i', async (size) => {
    for (const argument of [`first: ${size}`, `last: ${size}`]) {
      expect(
        codes(await gateway.gql(`{ tenant(id: "${tenantId}") { groups(${argument}) { nodes { id } } } }`)),
      ).toEqual(['BAD_USER_INPUT']);
    }
  });

  it.each([
    'first: 1, last: 1',
    'first: 1, before: "x"',
    'last: 1, after: "x"',
    'after: "made up"',
    'before: "made up"',
  ])('refuses the page %s', async (argument) => {
    for (const list of ['groups', 'redemptionEvents']) {
      const answer = await gateway.gql(`{ tenant(id: "${tenantId}") { ${list}(${argument}) { nodes { id } } } }`);
      expect(codes(answer)).toEqual(['BAD_USER_INPUT']);
    }
  });
});

describe('what a document says', () => {
  it.each([
    ['{ viewer { name ', 'GRAPHQL_PARSE_FAILED'],
    ['', 'BAD_REQUEST'],
    ['{ nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    ['{ viewer { nothing } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['{ viewer }', 'GRAPHQL_VALIDATION_FAILED'],
    ['{ tenant(idd: "x") { id } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['mutation { createGroup(input: { tenantId: "x" }) { group { id } } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['query ($id: ID!) { tenant(id: $id) { id } }', 'BAD_USER_INPUT'],
    ['query A { viewer { name } } query B { viewer { name } }', 'BAD_REQUEST'],
    ['subscription { bulkInviteProgress(id: "x") { id } }', 'BAD_REQUEST'],
    ['{ tenant(id: "x", slug: "y") { id } }', 'BAD_USER_INPUT'],
    ['{ tenant { id } }', 'BAD_USER_INPUT'],
  ])('%s is refused as %s', async (document, code) => {
    expect(codes(await gateway.gql(document))).toEqual([code]);
  });

  it('reads a time only as RFC 3339, in a variable as in a literal', async () => {
    const literal = `{ tenant(id: "${tenantId}") { redemptionTimeline(from: "yesterday", to: "2026-01-01T00:00:00Z") { at } } }`;
    expect(codes(await gateway.gql(literal))).toEqual(['GRAPHQL_VALIDATION_FAILED']);
    const variable = `query ($from: DateTime!) { tenant(id: "${tenantId}") { redemptionTimeline(from: $from, to: "2026-01-01T00:00:00Z") { at } } }`;
    expect(codes(await gateway.gql(variable, { from: 'yesterday' }))).toEqual(['BAD_USER_INPUT']);
  });

  it.each([
    ['NUL', 'a\u0000b'],
    ['half a surrogate pair', 'a\ud800b'],
  ])('has no text that cannot be stored: %s', async (_what, text) => {
    const group = 'mutation ($input: CreateGroupInput!) { createGroup(input: $input) { group { id } } }';
    expect(codes(await gateway.gql(group, { input: { tenantId, displayName: text } }))).toEqual(['BAD_USER_INPUT']);
    const bulk = 'mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { bulkInvite { id } } }';
    const rows = [{ email: 'ana@fabrikam.example', message: text }];
    expect(codes(await gateway.gql(bulk, { input: { tenantId, rows } }))).toEqual(['BAD_USER_INPUT']);
  });

  it('has no such text in a literal either', async () => {
    expect(codes(await gateway.gql('{ tenant(slug: "a\\u0000b") { id } }'))).toEqual(['BAD_USER_INPUT']);
    expect(codes(await gateway.gql('{ tenant(slug: "a\\ud800b") { id } }'))).toEqual(['GRAPHQL_PARSE_FAILED']);
  });

  it('may carry variables it does not declare, nested as deep as they like', async () => {
    const nested = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const answer = await post(`{"query": "{ viewer { name } }", "variables": {"x": ${nested}}}`);
    expect(answer).toMatchObject({ status: 200, data: { viewer: { name: expect.any(String) } } });
  });

  it('may ask for the schema, without a credential too', async () => {
    const { data, errors } = await gateway.gql(
      '{ __schema { queryType { name } types { name fields { name type { name ofType { name } } } } } }',
      {},
      { key: null },
    );
    expect(errors).toBeUndefined();
    expect(data.__schema.queryType.name).toBe('Query');
  });
});

describe('what a request says', () => {
  it.each([
    ['no JSON', '{"query": ', { 'content-type': 'application/json' }],
    ['nothing', '', { 'content-type': 'application/json' }],
    ['JSON without a document', '{}', { 'content-type': 'application/json' }],
    ['a document that is no text', '{"query": 1}', { 'content-type': 'application/json' }],
    [
      'variables that are no object',
      '{"query": "{ viewer { name } }", "variables": "x"}',
      { 'content-type': 'application/json' },
    ],
    ['an array of documents', '[{"query": "{ viewer { name } }"}]', { 'content-type': 'application/json' }],
    ['a form', 'query=%7Bviewer%7Bname%7D%7D', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['plain text', '{"query": "{ viewer { name } }"}', { 'content-type': 'text/plain' }],
    ['a document in GraphQL', '{ viewer { name } }', { 'content-type': 'application/graphql' }],
  ])('%s is a BAD_REQUEST', async (_what, body, headers) => {
    const answer = await post(body, headers);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(codes(answer)).toEqual(['BAD_REQUEST']);
    expect(answer.data ?? null).toBeNull();
  });

  it('of more than 8 MB is a BAD_REQUEST', async () => {
    const answer = await post(
      JSON.stringify({ query: '{ viewer { name } }', variables: { x: 'x'.repeat(9_000_000) } }),
    );
    expect(answer).toMatchObject({ status: 413, errors: [{ extensions: { code: 'BAD_REQUEST' } }] });
  });

  it('by GET runs nothing', async () => {
    const query = encodeURIComponent('{ viewer { name } }');
    const response = await fetch(`${gateway.url}/graphql?query=${query}`, {
      headers: { authorization: `Bearer ${gateway.bootstrapKey}` },
    });
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(await response.text()).not.toContain('viewer');
  });

  it('does not depend on cookies', async () => {
    const answer = await post('{"query": "{ viewer { name } }"}', {
      'content-type': 'application/json',
      authorization: '',
      cookie: 'session=x',
    });
    expect(codes(answer)).toEqual(['UNAUTHENTICATED']);
  });

  it('with a credential that is none is UNAUTHENTICATED, public operations included', async () => {
    const document = 'mutation { beginRedemption(input: { token: "x" }) { userErrors { code } } }';
    for (const authorization of ['Bearer made-up', 'Basic eDp5', '']) {
      const answer = await post(JSON.stringify({ query: document }), {
        'content-type': 'application/json',
        authorization,
      });
      expect(answer).toMatchObject({ status: 401, errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
    }
  });
});

describe("a guest's mutation", () => {
  const begin = 'beginRedemption(input: { token: "x" }) { userErrors { code } }';

  it('stands alone in its document', async () => {
    const twice = `mutation { a: ${begin} b: ${begin} }`;
    expect(codes(await gateway.gql(twice, {}, { key: null }))).toEqual(['BAD_REQUEST']);
    const hidden = `mutation { ...A } fragment A on Mutation { a: ${begin} b: ${begin} }`;
    expect(codes(await gateway.gql(hidden, {}, { key: null }))).toEqual(['BAD_REQUEST']);
    const inline = `mutation { ... { a: ${begin} } }`;
    expect(codes(await gateway.gql(`${inline.slice(0, -1)} ... { b: ${begin} } }`, {}, { key: null }))).toEqual([
      'BAD_REQUEST',
    ]);
    const alone = await gateway.gql(`mutation { ${begin} }`, {}, { key: null });
    expect(alone.data.beginRedemption.userErrors).toEqual([{ code: 'INVITATION_NOT_FOUND' }]);
  });

  it('is not one of several in a single fragment', async () => {
    const one = `mutation { ... { a: ${begin} b: ${begin} } }`;
    expect(codes(await gateway.gql(one, {}, { key: null }))).toEqual(['BAD_REQUEST']);
  });
});
