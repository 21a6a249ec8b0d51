/** A socket carries subscriptions only, holds to the limits of HTTP, and lives no longer than its credential. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Client } from 'graphql-ws';
import { later, SECOND } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';

let gateway: TestGateway;
let tenantId: string;
const clients: Client[] = [];

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant()).id;
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.dispose()));
  await gateway.stop();
});

const feed = () => `subscription { redemptionEvents(tenantId: "${tenantId}") { __typename } }`;

function connect(key = gateway.bootstrapKey): { client: Client; closed: () => { code: number } | undefined } {
  let closed: { code: number } | undefined;
  const client = gateway.socket(`Bearer ${key}`, (event) => {
    closed = event as { code: number };
  });
  clients.push(client);
  return { client, closed: () => closed };
}

/** Waits for the first answer, so that the subscription stands. The rest of it is followed in the background. */
async function subscribe(client: Client): Promise<void> {
  const answers = client.iterate({ query: feed() });
  await answers.next();
  answers.next().catch(() => undefined);
}

const codesOf = async (query: string, variables: Record<string, unknown> = {}) => {
  const { client } = connect();
  const errors = await client
    .iterate({ query, variables })
    .next()
    .catch((refused: unknown) => refused);
  return (errors as { extensions: { code: string } }[]).map((error) => error.extensions.code);
};

describe('the socket', () => {
  it.each(['{ viewer { name } }', 'mutation { beginRedemption(input: { token: "x" }) { userErrors { code } } }'])(
    'runs no %s',
    async (document) => {
      expect(await codesOf(document)).toEqual(['BAD_REQUEST']);
    },
  );

  it('holds to the limits of HTTP, with the same codes', async () => {
    const deep = (levels: number) =>
      `... on RedemptionEvent { invitation { ${'externalUser { invitations { nodes { '.repeat(levels)} id ${'} } }'.repeat(levels)} } }`;
    const subscription = (selection: string) =>
      `subscription { redemptionEvents(tenantId: "${tenantId}") { ${selection} } }`;
    expect(await codesOf('subscription { nothing }')).toEqual(['GRAPHQL_VALIDATION_FAILED']);
    expect(await codesOf('subscription {')).toEqual(['GRAPHQL_PARSE_FAILED']);
    expect(await codesOf(subscription(`${'__typename '.repeat(5000)}`))).toEqual(['GRAPHQL_PARSE_FAILED']);
    expect(await codesOf(subscription(deep(6)))).toEqual(['QUERY_TOO_COMPLEX']);
    expect(await codesOf(subscription(deep(3).replaceAll('invitations', 'invitations(first: 100)')))).toEqual([
      'QUERY_TOO_COMPLEX',
    ]);
    expect(await codesOf('subscription ($id: ID!) { redemptionEvents(tenantId: $id) { __typename } }')).toEqual([
      'BAD_USER_INPUT',
    ]);
  });

  it('closes within a second when its key is revoked, and no other socket does', async () => {
    const { id, secret } = await gateway.createKey({ tenantId, permissions: ['EVENT_READ'] });
    const revoked = connect(secret);
    const stays = connect();
    await subscribe(revoked.client);
    await subscribe(stays.client);
    await gateway.ask('mutation ($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { userErrors { code } } }', { id });
    await until(revoked.closed, 'the socket to close', SECOND);
    expect(revoked.closed()?.code).toBe(4403);
    expect(stays.closed()).toBeUndefined();
    await until(() => gateway.app.ground.feed.subscribers === 1, 'what it held to be freed');
  });

  it('closes when its key expires', async () => {
    const expiresAt = later(gateway.clock.now(), 1.5 * SECOND);
    const { secret } = await gateway.createKey({
      tenantId,
      permissions: ['EVENT_READ'],
      expiresAt: expiresAt.toISOString(),
    });
    const { client, closed } = connect(secret);
    await subscribe(client);
    expect(closed()).toBeUndefined();
    await until(closed, 'the socket to close', 3 * SECOND);
    expect(closed()?.code).toBe(4403);
    expect(gateway.clock.now().getTime()).toBeGreaterThanOrEqual(expiresAt.getTime());
  });

  it('is one too many of its key: clients are asked to come back later', async () => {
    const small = await startTestGateway({
      databaseUrl: gateway.databaseUrl,
      smtp: gateway.smtp,
      env: { SOCKETS_PER_API_KEY: '2' },
    });
    const open = (): { client: Client; code: Promise<number> } => {
      const closed = Promise.withResolvers<number>();
      const client = small.socket(`Bearer ${gateway.bootstrapKey}`, (event) =>
        closed.resolve((event as { code: number }).code),
      );
      return { client, code: closed.promise };
    };
    const [first, second, third] = [open(), open(), open()];
    await subscribe(first.client);
    await subscribe(second.client);
    const refused = subscribe(third.client).catch(() => undefined);
    expect(await third.code).toBe(1013);
    await refused;
    await first.client.dispose();
    await until(() => small.app.ground.feed.subscribers === 1, 'the first to leave');
    const next = open();
    await subscribe(next.client);
    await Promise.all([second.client.dispose(), next.client.dispose()]);
    await small.stop();
  });

  it('closes at one process when its key is revoked through another', async () => {
    const second = await startTestGateway({ databaseUrl: gateway.databaseUrl, smtp: gateway.smtp });
    const { id, secret } = await gateway.createKey({ tenantId, permissions: ['EVENT_READ'] });
    const there = second.socket(`Bearer ${secret}`);
    let closed = false;
    there.on('closed', () => {
      closed = true;
    });
    await there.iterate({ query: feed() }).next();
    await gateway.ask('mutation ($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { userErrors { code } } }', { id });
    await until(() => closed, 'the socket at the other process to close', SECOND);
    await there.dispose();
    await second.stop();
  });

  it('ends what it cannot read with an error, and holds nothing of it', async () => {
    const { feedCursor } = (await gateway.ask(`{ tenant(id: "${tenantId}") { feedCursor } }`)).tenant;
    const before = gateway.app.ground.feed.subscribers;
    await gateway.sql('alter table event rename to event_away');
    const query = `subscription { redemptionEvents(tenantId: "${tenantId}", after: "${feedCursor}") { __typename } }`;
    expect(await codesOf(query)).toEqual(['INTERNAL_SERVER_ERROR']);
    await gateway.sql('alter table event_away rename to event');
    expect(gateway.app.ground.feed.subscribers).toBe(before);
  });

  it('shows an event as far as the key may see: the rest is null with FORBIDDEN', async () => {
    const { secret } = await gateway.createKey({ tenantId, permissions: ['EVENT_READ'] });
    await gateway.inviteUser({ tenantId, email: 'ana@fabrikam.example', sendMail: false });
    const { client } = connect(secret);
    const query = `subscription { redemptionEvents(tenantId: "${tenantId}", after: "START") { ... on RedemptionEvent { type invitation { id } } } }`;
    for await (const answer of client.iterate<{ redemptionEvents: { type?: string } }>({ query })) {
      // A checkpoint may come first: the process has not read the event yet.
      if (!answer.data?.redemptionEvents.type) continue;
      expect(answer.data.redemptionEvents).toEqual({ type: 'INVITED', invitation: null });
      expect(answer.errors).toMatchObject([
        { path: ['redemptionEvents', 'invitation'], extensions: { code: 'FORBIDDEN' } },
      ]);
      break;
    }
  });
});
