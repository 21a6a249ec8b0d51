/**
 * Two tenants with one of everything each. A key of one asks, through every operation there is, for what belongs to the
 * other: it never gets it and never changes it. An operation or an id in an input without a case fails the test.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isInputObjectType,
  isListType,
  isObjectType,
} from 'graphql';
import { nodeEntities } from '../../src/api/node.resolver.js';
import { isIdOf } from '../../src/kernel/ids.js';
import { type GraphqlAnswer, startTestGateway, type TestGateway } from '../support/gateway.js';
import { buildTestSchema, operationsOf } from './operations.js';
import { createPopulatedTenant, dumpTenant, type ForeignId, type PopulatedTenant } from './populated-tenant.js';

let gateway: TestGateway;
let schema: GraphQLSchema;
let mine: PopulatedTenant;
let other: PopulatedTenant;

beforeAll(async () => {
  gateway = await startTestGateway();
  schema = await buildTestSchema();
  [mine, other] = [await createPopulatedTenant(gateway), await createPopulatedTenant(gateway)];
});
afterAll(() => gateway.stop());

interface Attempt {
  input: object;
  /** Where the refusal points; default: the input's first field. */
  field?: string[] | null;
  /** Default NOT_FOUND. */
  code?: string;
}

const signInPolicy = { order: ['EMAIL_PASSCODE'] };
const oidc = { issuer: 'https://login.example', clientId: 'x' };
const saml = { metadataUrl: 'https://login.intruder.example/metadata' };

/** Every mutation with everything it can name of another tenant, one thing at a time. */
const mutations: Record<string, (own: PopulatedTenant['ids'], foreign: PopulatedTenant['ids']) => Attempt[]> = {
  createTenant: () => [],
  updateTenant: (_, { tenantId }) => [{ input: { tenantId, displayName: 'Taken over' } }],
  updateTenantBranding: (_, { tenantId }) => [{ input: { tenantId, accentColor: '#ff0000' } }],
  publishTermsOfUse: (_, { tenantId }) => [
    { input: { tenantId, texts: [{ language: 'en', markdown: 'Everything is ours.' }] } },
  ],
  withdrawTermsOfUse: (_, { tenantId }) => [{ input: { tenantId } }],
  createApiKey: (_, { tenantId }) => [
    { input: { tenantId, name: 'Intruder', permissions: ['TENANT_READ'] } },
    { input: { tenantId: null, name: 'Intruder', permissions: ['TENANT_READ'] }, code: 'INVALID' },
  ],
  revokeApiKey: (_, { apiKeyId }) => [{ input: { apiKeyId, revokePending: true } }],
  createGroup: (_, { tenantId }) => [{ input: { tenantId, displayName: 'Intruders' } }],
  updateGroup: (_, { groupId }) => [{ input: { groupId, displayName: 'Intruders' } }],
  deleteGroup: (_, { groupId }) => [{ input: { groupId } }],
  addGroupMembers: (own, { groupId, externalUserId }) => [
    { input: { groupId, externalUserIds: [own.externalUserId] } },
    { input: { groupId: own.groupId, externalUserIds: [externalUserId] }, field: ['externalUserIds', '0'] },
  ],
  removeGroupMembers: (own, { groupId, externalUserId }) => [
    { input: { groupId, externalUserIds: [externalUserId] } },
    { input: { groupId: own.groupId, externalUserIds: [externalUserId] }, field: ['externalUserIds', '0'] },
  ],
  registerApp: (_, { tenantId }) => [
    { input: { tenantId, displayName: 'Intruder', homePageUrl: 'https://intruder.example/' } },
  ],
  updateApp: (_, { appId }) => [{ input: { appId, homePageUrl: 'https://intruder.example/' } }],
  deleteApp: (_, { appId }) => [{ input: { appId } }],
  rotateAppSecret: (_, { appId }) => [{ input: { appId } }],
  assignApp: (own, { appId, externalUserId, groupId }) => [
    { input: { appId, externalUserId: own.externalUserId } },
    { input: { appId: own.appId, externalUserId }, field: ['externalUserId'] },
    { input: { appId: own.appId, groupId }, field: ['groupId'] },
  ],
  unassignApp: (_, { appAssignmentId }) => [{ input: { appAssignmentId } }],
  createIdentityProvider: (_, { tenantId }) => [
    { input: { tenantId, kind: 'OIDC', displayName: 'Intruder', domains: [], oidc } },
    { input: { tenantId, kind: 'SAML', displayName: 'Intruder', domains: [], saml } },
  ],
  updateIdentityProvider: (_, { identityProviderId }) => [
    { input: { identityProviderId, oidc: { issuer: 'https://login.intruder.example' } } },
    { input: { identityProviderId, saml } },
  ],
  prepareSamlKey: (_, { identityProviderId }) => [{ input: { identityProviderId } }],
  switchSamlKey: (_, { identityProviderId }) => [{ input: { identityProviderId } }],
  deleteIdentityProvider: (_, { identityProviderId }) => [{ input: { identityProviderId } }],
  assignRole: (own, { tenantId, externalUserId, groupId, appId }) => [
    { input: { tenantId, role: 'READER', externalUserId: own.externalUserId }, field: ['tenantId'] },
    { input: { tenantId: own.tenantId, role: 'READER', externalUserId }, field: ['externalUserId'] },
    { input: { tenantId: own.tenantId, role: 'READER', groupId }, field: ['groupId'] },
    { input: { tenantId: own.tenantId, role: 'READER', appId }, field: ['appId'] },
  ],
  unassignRole: (_, { roleAssignmentId }) => [{ input: { roleAssignmentId } }],
  createPartner: (_, { tenantId }) => [{ input: { tenantId, displayName: 'Intruder', domains: ['intruder.example'] } }],
  updatePartner: (_, { partnerId }) => [{ input: { partnerId, signInPolicy } }],
  deletePartner: (_, { partnerId }) => [{ input: { partnerId } }],
  updateSignInPolicy: (_, { tenantId }) => [{ input: { tenantId, ...signInPolicy } }],
  updateDomainPolicy: (_, { tenantId }) => [{ input: { tenantId, rule: 'ALLOW_ANY' } }],
  addExternalUser: (own, { tenantId, appId, groupId }) => {
    const input = { tenantId: own.tenantId, email: 'intruder@fabrikam.example' };
    return [
      { input: { ...input, tenantId } },
      { input: { ...input, appIds: [appId] }, field: ['appIds', '0'] },
      { input: { ...input, groupIds: [groupId] }, field: ['groupIds', '0'] },
    ];
  },
  updateSecondFactorPolicy: (_, { tenantId }) => [{ input: { tenantId, required: true } }],
  resetSecondFactor: (_, { externalUserId }) => [{ input: { externalUserId } }],
  resetRedemption: (own, { externalUserId, appId }) => [
    { input: { externalUserId } },
    { input: { externalUserId: own.externalUserId, landingAppId: appId }, field: ['landingAppId'] },
  ],
  deleteExternalUser: (_, { externalUserId }) => [{ input: { externalUserId } }],
  restoreExternalUser: (_, { externalUserId }) => [{ input: { externalUserId } }],
  endSession: (_, { sessionId }) => [{ input: { sessionId } }],
  endSessions: (_, { externalUserId }) => [{ input: { externalUserId } }],
  updateExternalUser: (_, { externalUserId }) => [{ input: { externalUserId, accountEnabled: false } }],
  inviteUser: (own, { tenantId, appId, groupId }) => {
    const input = { tenantId: own.tenantId, email: 'intruder@fabrikam.example' };
    return [
      { input: { ...input, tenantId } },
      { input: { ...input, appIds: [own.appId, appId] }, field: ['appIds', '1'] },
      { input: { ...input, groupIds: [groupId] }, field: ['groupIds', '0'] },
      { input: { ...input, landingAppId: appId }, field: ['landingAppId'] },
      {
        input: { ...input, redirectUrl: `https://${other.slug}.example/callback` },
        field: ['redirectUrl'],
        code: 'REDIRECT_NOT_REGISTERED',
      },
    ];
  },
  resendInvitation: (_, { invitationId }) => [{ input: { invitationId } }],
  revokeInvitation: (_, { invitationId }) => [{ input: { invitationId } }],
  bulkInvite: (own, { tenantId, appId, groupId }) => {
    const input = { tenantId: own.tenantId, rows: [{ email: 'intruder@fabrikam.example' }] };
    return [
      { input: { ...input, tenantId } },
      { input: { ...input, defaults: { appIds: [appId] } }, field: ['defaults', 'appIds', '0'] },
      { input: { ...input, defaults: { groupIds: [groupId] } }, field: ['defaults', 'groupIds', '0'] },
      { input: { ...input, defaults: { landingAppId: appId } }, field: ['defaults', 'landingAppId'] },
    ];
  },
  cancelBulkInvite: (_, { bulkInviteId }) => [{ input: { bulkInviteId } }],
  retryBulkInviteRows: (_, { bulkInviteId }) => [{ input: { bulkInviteId } }],
  // A guest's operations know no ids but handles and tokens: an id in their place opens nothing.
  beginRedemption: (_, { invitationId }) => [{ input: { token: invitationId }, code: 'INVITATION_NOT_FOUND' }],
  sendRedemptionPasscode: (_, { invitationId }) => [
    { input: { redemptionId: invitationId }, code: 'INVITATION_NOT_FOUND', field: null },
  ],
  redeemInvitation: (_, { invitationId }) => [
    {
      input: { redemptionId: invitationId, passcode: '00000000', consent: true, consentVersion: 'x' },
      code: 'INVITATION_NOT_FOUND',
      field: null,
    },
  ],
  declineInvitation: (_, { invitationId }) => [
    { input: { redemptionId: invitationId }, code: 'INVITATION_NOT_FOUND', field: null },
  ],
};

/** Ids in inputs that a case of another kind covers. */
const coveredElsewhere = [
  'bulkInvite.rows.appIds',
  'bulkInvite.rows.groupIds',
  'bulkInvite.rows.landingAppId',
  // Bearer handles, no ids of the tenant's.
  'sendRedemptionPasscode.redemptionId',
  'redeemInvitation.redemptionId',
  'declineInvitation.redemptionId',
];

const attempt = (name: string, input: object): Promise<GraphqlAnswer> => {
  const field = schema.getMutationType()?.getFields()[name];
  const payload = getNamedType(field?.type as never);
  const shown = isObjectType(payload)
    ? Object.values(payload.getFields()).filter(
        ({ type }) => isObjectType(getNamedType(type)) && getNamedType(type).name !== 'UserError',
      )
    : [];
  const entities = shown.map((entity) => `${entity.name} { __typename }`).join(' ');
  return gateway.gql(
    `mutation ($input: ${field?.args[0]?.type}) { result: ${name}(input: $input) { ${entities} userErrors { code field } } }`,
    { input },
    { key: mine.key },
  );
};

describe('every operation', () => {
  it('has a case here', () => {
    const known = [...Object.keys(mutations), ...Object.keys(queries), ...Object.keys(subscriptions)].sort();
    expect(
      operationsOf(schema)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(known);
  });

  it('has a case for every id in its input', () => {
    const required = Object.values(schema.getMutationType()?.getFields() ?? {}).flatMap(({ name, args }) =>
      args.flatMap(({ type }) => idPaths(type).map((path) => [name, ...path].join('.'))),
    );
    const foreign = new Set(Object.values(other.ids));
    const covered = Object.entries(mutations).flatMap(([name, attempts]) =>
      attempts(mine.ids, other.ids).flatMap(({ input }) =>
        pathsOf(input, foreign).map((path) => [name, ...path].join('.')),
      ),
    );
    expect(required.filter((path) => !covered.includes(path) && !coveredElsewhere.includes(path))).toEqual([]);
  });

  it("answers NOT_FOUND for what is another tenant's, and changes nothing there", async () => {
    const before = await dumpTenant(gateway, other.id);
    for (const [name, attempts] of Object.entries(mutations)) {
      for (const { input, code = 'NOT_FOUND', field = [Object.keys(input)[0] as string] } of attempts(
        mine.ids,
        other.ids,
      )) {
        const { data, errors } = await attempt(name, input);
        expect([name, errors]).toEqual([name, undefined]);
        const { userErrors, ...entities } = data.result;
        expect([name, userErrors]).toEqual([name, [{ code, field }]]);
        const shown = Object.values(entities).filter((entity) => entity !== null);
        expect([name, shown]).toEqual([
          name,
          name.endsWith('GroupMembers') && field?.[0] !== 'groupId' ? [{ __typename: 'Group' }] : [],
        ]);
      }
    }
    expect(await dumpTenant(gateway, other.id)).toEqual(before);
  });

  it("refuses rows of a bulk invite that name another tenant's apps and groups", async () => {
    const rows = [
      { email: 'row1@fabrikam.example', appIds: [other.ids.appId] },
      { email: 'row2@fabrikam.example', groupIds: [other.ids.groupId] },
      { email: 'row3@fabrikam.example', landingAppId: other.ids.appId },
    ];
    const { data } = await gateway.gql(
      'mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { bulkInvite { id } userErrors { code } } }',
      { input: { tenantId: mine.id, rows } },
      { key: mine.key },
    );
    const states = await progressOf(data.bulkInvite.bulkInvite.id, mine.key);
    expect(states.at(-1)).toMatchObject({ status: 'COMPLETED', invitedRows: 0, rejectedRows: 3 });
  });

  it('of the platform is refused to a key of one tenant', async () => {
    const create = 'mutation { createTenant(input: { slug: "intruder", displayName: "Intruder" }) { tenant { id } } }';
    for (const document of [create, '{ tenants { nodes { id } } }']) {
      const { data, errors } = await gateway.gql(document, {}, { key: mine.key });
      expect(errors?.map((error) => error.extensions.code)).toEqual(['FORBIDDEN']);
      expect(data).toBeNull();
    }
  });
});

async function progressOf(id: string, key: string) {
  const client = gateway.socket(`Bearer ${key}`);
  const states: object[] = [];
  for await (const { data } of client.iterate<{ bulkInviteProgress: object }>({
    query: 'subscription ($id: ID!) { bulkInviteProgress(id: $id) { status invitedRows rejectedRows } }',
    variables: { id },
  })) {
    if (data) states.push(data.bulkInviteProgress);
  }
  await client.dispose();
  return states;
}

/** Query by query: the document, and what it answers to a stranger to the tenant. */
const queries: Record<string, (foreign: PopulatedTenant) => { document: string; data: object | null }[]> = {
  node: ({ ids }) => nodeIds(ids).map((id) => ({ document: `{ node(id: "${id}") { id } }`, data: { node: null } })),
  nodes: ({ ids }) => [
    {
      document: `{ nodes(ids: ${JSON.stringify(nodeIds(ids))}) { id } }`,
      data: { nodes: nodeIds(ids).map(() => null) },
    },
  ],
  tenant: ({ id, slug }) => [
    { document: `{ tenant(id: "${id}") { id } }`, data: { tenant: null } },
    { document: `{ tenant(slug: "${slug}") { id } }`, data: { tenant: null } },
  ],
  explainRedemption: ({ id }) => [
    {
      document: `{ explainRedemption(tenantId: "${id}", email: "ana@fabrikam.example") { address } }`,
      data: { explainRedemption: null },
    },
  ],
  tenants: () => [{ document: '{ tenants { nodes { id } } }', data: null }],
  viewer: () => [{ document: '{ viewer { tenant { id } } }', data: { viewer: { tenant: { id: mine.id } } } }],
};

/** Everything of a tenant that `node` can show, the handle of a redemption too, which it must not. */
function nodeIds(ids: PopulatedTenant['ids']): string[] {
  return Object.values(ids);
}

describe('every query', () => {
  it("has null for what is another tenant's", async () => {
    for (const documents of Object.values(queries)) {
      for (const { document, data } of documents(other)) {
        expect([document, (await gateway.gql(document, {}, { key: mine.key })).data]).toEqual([document, data]);
      }
    }
  });

  it('has the same things for their own tenant, so that null says something', async () => {
    const known = Object.keys(nodeEntities) as (keyof typeof nodeEntities)[];
    const ids = Object.values(other.ids).filter((id) => known.some((type) => isIdOf(type, id)));
    expect(ids.length).toBe(known.length);
    for (const id of ids) {
      expect((await gateway.gql(`{ node(id: "${id}") { id } }`, {}, { key: other.key })).data).toEqual({
        node: { id },
      });
    }
    expect(
      (await gateway.gql(`{ node(id: "${other.ids.redemptionId}") { id } }`, {}, { key: other.key })).data,
    ).toEqual({ node: null });
  });

  it.each(['', 'x', 'grp_', 'inv_00000000000000000000000000', 'evt_1', 'inv_\u0000', "inv_' or true --"])(
    'has null for the id %j, which is of nothing',
    async (id) => {
      const { data } = await gateway.gql(
        'query ($id: ID!) { node(id: $id) { id } tenant(id: $id) { id } }',
        { id },
        { key: mine.key },
      );
      expect(data ?? { node: null, tenant: null }).toEqual({ node: null, tenant: null });
    },
  );
});

/** Where a filter of ours names an id, the other tenant's id. */
const foreignIdOf: Record<string, ForeignId> = {
  bulkInviteId: 'bulkInviteId',
  appId: 'appId',
  groupId: 'groupId',
  externalUserId: 'externalUserId',
  invitationIds: 'invitationId',
};

describe('every list of a tenant', () => {
  const counted: Record<string, string> = {
    InvitationCounts: 'total',
    RedemptionFunnel: 'invited',
    TimelinePoint: 'invited',
  };

  it('is empty when filtered by an id of another tenant', async () => {
    const tenant = schema.getType('Tenant');
    const fields = isObjectType(tenant) ? Object.values(tenant.getFields()) : [];
    let filters = 0;
    for (const field of fields) {
      const filter = field.args.find((arg) => arg.name === 'filter');
      for (const [path = ''] of filter ? idPaths(filter.type) : []) {
        const id = foreignIdOf[path];
        if (!id) throw new Error(`No case for Tenant.${field.name}(filter: { ${path} }).`);
        const plural = path.endsWith('Ids');
        const count = counted[getNamedType(field.type).name] ?? 'totalCount';
        const span =
          field.name === 'redemptionTimeline' ? 'from: "2020-01-01T00:00:00Z", to: "2020-01-03T00:00:00Z",' : '';
        const document = (value: string) =>
          `{ tenant(id: "${mine.id}") { list: ${field.name}(${span} filter: { ${path}: ${plural ? `["${value}"]` : `"${value}"`} }) { ${count} } } }`;
        const list = (await gateway.ask(document(other.ids[id]), {}, { key: mine.key })).tenant.list;
        expect([field.name, path, JSON.stringify(list)]).toEqual([
          field.name,
          path,
          expect.not.stringMatching(/[1-9]/),
        ]);
        if (!span)
          expect((await gateway.ask(document(mine.ids[id]), {}, { key: mine.key })).tenant.list[count]).toBeGreaterThan(
            0,
          );
        filters += 1;
      }
    }
    expect(filters).toBeGreaterThan(10);
  });

  const lists = ['externalUsers', 'groups', 'apps', 'identityProviders', 'apiKeys', 'invitations', 'bulkInvites'];

  it.each(lists)('goes on within its own tenant after a cursor of another: %s', async (list) => {
    const read = async ({ id, key }: PopulatedTenant, args: string) =>
      (
        await gateway.ask(
          `{ tenant(id: "${id}") { ${list}(${args}) { nodes { id } pageInfo { endCursor startCursor } } } }`,
          {},
          { key },
        )
      ).tenant[list];
    const own = (await read(mine, 'first: 100')).nodes.map((node: { id: string }) => node.id);
    const { pageInfo } = await read(other, 'first: 1');
    for (const args of [`first: 100, after: "${pageInfo.endCursor}"`, `last: 100, before: "${pageInfo.startCursor}"`]) {
      for (const node of (await read(mine, args)).nodes) expect(own).toContain(node.id);
    }
  });

  it("refuses a cursor of another tenant's feed", async () => {
    const history = async ({ id, key }: PopulatedTenant, args: string) =>
      gateway.gql(`{ tenant(id: "${id}") { feedCursor redemptionEvents(${args}) { nodes { cursor } } } }`, {}, { key });
    const { data } = await history(other, 'first: 1');
    for (const cursor of [data.tenant.feedCursor, data.tenant.redemptionEvents.nodes[0].cursor]) {
      const answer = await history(mine, `first: 1, after: "${cursor}"`);
      expect(answer.errors?.map((error) => error.extensions.code)).toEqual(['BAD_USER_INPUT']);
    }
  });
});

const subscriptions: Record<string, (foreign: PopulatedTenant['ids']) => string> = {
  redemptionEvents: ({ tenantId }) =>
    `subscription { redemptionEvents(tenantId: "${tenantId}", after: "START") { __typename } }`,
  bulkInviteProgress: ({ bulkInviteId }) => `subscription { bulkInviteProgress(id: "${bulkInviteId}") { id } }`,
};

describe('every subscription', () => {
  it("is refused with NOT_FOUND for what is another tenant's", async () => {
    expect(
      operationsOf(schema)
        .filter(({ kind }) => kind === 'subscription')
        .map(({ name }) => name)
        .sort(),
    ).toEqual(Object.keys(subscriptions).sort());
    for (const document of Object.values(subscriptions)) {
      const client = gateway.socket(`Bearer ${mine.key}`);
      const { value } = await client.iterate({ query: document(other.ids) }).next();
      expect(value).toMatchObject({ data: null, errors: [{ extensions: { code: 'NOT_FOUND' } }] });
      await client.dispose();
    }
  });

  it("shows nothing of another tenant, also with that tenant's ids in the filter", async () => {
    const client = gateway.socket(`Bearer ${mine.key}`);
    const query =
      'subscription ($tenantId: ID!, $filter: RedemptionEventFilter) { redemptionEvents(tenantId: $tenantId, after: "START", filter: $filter) { __typename } }';
    const filter = { invitationIds: [other.ids.invitationId] };
    for await (const { data } of client.iterate({ query, variables: { tenantId: mine.id, filter } })) {
      expect(data).toEqual({ redemptionEvents: { __typename: 'FeedCheckpoint' } });
      break;
    }
    await client.dispose();
  });
});

describe('every table', () => {
  /** Not of one tenant: the tenants themselves, the feed's horizon, processes and tools. */
  const ofTheInstallation = [
    'feed_state',
    'gateway_process',
    'rate_count',
    'schema_migration',
    'spent_challenge',
    'tenant',
  ];
  /** Written by the million or kept beyond what they tell of (data.md 13): no foreign keys by decision. */
  const withoutForeignKeys = ['bulk_invite_row', 'event', 'idempotency_record', 'mail_request', 'tenant_mail_count'];

  it('says whose its rows are', async () => {
    const tables = await gateway.sql<{ name: string }>(
      `select table_name as name from information_schema.tables t where table_schema = 'public' and not exists (
        select from information_schema.columns c where c.table_schema = 'public' and c.table_name = t.table_name and c.column_name = 'tenant_id'
      ) order by 1`,
    );
    expect(tables.map(({ name }) => name)).toEqual(ofTheInstallation);
  });

  it('ties what it refers to to its own tenant, by keys of tenant and id', async () => {
    const keys = await gateway.sql<{ source: string; target: string; columns: string[] }>(
      `select c.conrelid::regclass::text as source, c.confrelid::regclass::text as target,
        array(select a.attname::text from pg_attribute a where a.attrelid = c.conrelid and a.attnum = any(c.conkey) order by 1) as columns
      from pg_constraint c join pg_namespace n on n.oid = c.connamespace where c.contype = 'f' and n.nspname = 'public'`,
    );
    const loose = keys.filter(({ target, columns }) => target !== 'tenant' && !columns.includes('tenant_id'));
    // A tenant's own id is its terms' tenant_id.
    expect(loose.map(({ source, target }) => `${source} -> ${target}`).sort()).toEqual([
      'passcode -> redemption_flow',
      'tenant -> terms_of_use',
    ]);
    const tied = new Set(keys.map(({ source }) => source));
    const scoped = await gateway.sql<{ name: string }>(
      `select table_name as name from information_schema.columns where table_schema = 'public' and column_name = 'tenant_id' order by 1`,
    );
    expect(scoped.map(({ name }) => name).filter((name) => !tied.has(name))).toEqual(withoutForeignKeys);
  });

  it('refuses a row that refers across tenants', async () => {
    const insert = gateway.sql(
      'insert into group_member (group_id, external_user_id, tenant_id, created_at) values ($1, $2, $3, now())',
      [mine.ids.groupId, other.ids.externalUserId, mine.id],
    );
    await expect(insert).rejects.toMatchObject({ code: '23503' });
  });
});

/** Paths of the ids an input can carry; positions in lists left out. */
function idPaths(type: GraphQLInputType): string[][] {
  const inner = getNullableType(type);
  if (isListType(inner)) return idPaths(inner.ofType as GraphQLInputType);
  if (isInputObjectType(inner)) {
    return Object.values(inner.getFields()).flatMap((field) =>
      idPaths(field.type).map((path) => [field.name, ...path]),
    );
  }
  return inner.name === 'ID' ? [[]] : [];
}

/** Where in a value one of the ids stands; positions in lists left out. */
function pathsOf(value: unknown, ids: ReadonlySet<string>): string[][] {
  if (typeof value === 'string') return ids.has(value) ? [[]] : [];
  if (Array.isArray(value)) return value.flatMap((item) => pathsOf(item, ids));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, ids).map((path) => [key, ...path]));
}
