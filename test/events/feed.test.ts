/** The promise of the feed: gap-free, stable, causal per invitation, resumable from every cursor it ever gave. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { Db } from '../../src/database/transaction.js';
import { type FeedItem, openFeedStream } from '../../src/events/feed-stream.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { type Following, type FollowOptions, follow as followFeed, tailToPass as tailOf } from './follow.js';

let gateway: TestGateway;
let tenantId: string;
let open: Following[] = [];

beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.stop());

beforeEach(async () => {
  tenantId = (await gateway.createTenant()).id;
});
afterEach(async () => {
  await Promise.all(open.map((following) => following.stop()));
  open = [];
});

async function follow(options: Partial<FollowOptions> = {}, on = gateway): Promise<Following> {
  const following = await followFeed(on, { tenantId, ...options });
  open.push(following);
  return following;
}

let people = 0;
const invite = async (options: object = {}) =>
  (await gateway.inviteUser({ tenantId, email: `guest${people++}@fabrikam.example`, sendMail: false, ...options })).id;
const change = (mutation: 'resendInvitation' | 'revokeInvitation', invitationId: string) =>
  gateway.gql(`mutation ($id: ID!) { ${mutation}(input: { invitationId: $id }) { userErrors { code } } }`, {
    id: invitationId,
  });

/** So many invitations, eight at a time. */
async function inviteMany(count: number): Promise<string[]> {
  const ids: string[] = [];
  const writer = async () => {
    while (ids.length < count) {
      const place = ids.push('') - 1;
      ids[place] = await invite();
    }
  };
  await Promise.all(Array.from({ length: 8 }, writer));
  await tailToPass();
  return ids;
}

/** Ids of the tenant's events in the order of the feed. */
async function stored(): Promise<string[]> {
  const rows = await gateway.sql<{ id: string }>(
    `select 'evt_' || seq as id from event where tenant_id = $1 order by epoch, xid, seq`,
    [tenantId],
  );
  return rows.map(({ id }) => id);
}

const tailToPass = () => tailOf(gateway);

const history = async (args = 'first: 100') =>
  (
    await gateway.ask(
      `{ tenant(id: "${tenantId}") { feedCursor redemptionEvents(${args}) { totalCount nodes { id cursor type } } } }`,
    )
  ).tenant;
const ids = ({ events }: Following) => events.map(({ id }) => id);
const types = ({ events }: Following) => events.map(({ type }) => type);

/** A transaction of somebody else that has written and stays open. */
async function openWriter(): Promise<{ client: pg.Client; commit(): Promise<void> }> {
  const client = new pg.Client({ connectionString: gateway.databaseUrl });
  await client.connect();
  await client.query('begin');
  await client.query('select pg_current_xact_id()');
  return {
    client,
    commit: async () => {
      await client.query('commit');
      await client.end();
    },
  };
}

describe('reading from a cursor', () => {
  it('brings everything from START, then what happens', async () => {
    await inviteMany(3);
    const following = await follow({ after: 'START' });
    expect(ids(following)).toEqual(await stored());
    await invite();
    await until(() => following.events.length === 4, 'the live event');
    expect(ids(following)).toEqual(await stored());
  });

  it('brings only what happens from now on without a cursor', async () => {
    await inviteMany(3);
    const following = await follow();
    expect(following.events).toEqual([]);
    const invitationId = await invite();
    await until(() => following.events.length > 0, 'the live event');
    expect(following.events).toMatchObject([{ type: 'INVITED', invitation: { id: invitationId } }]);
  });

  it('goes on after any event of the history', async () => {
    await inviteMany(5);
    const { nodes } = (await history()).redemptionEvents;
    const oldestFirst = nodes.reverse();
    for (const place of [0, 2, 4]) {
      const following = await follow({ after: oldestFirst[place].cursor });
      expect(ids(following)).toEqual((await stored()).slice(place + 1));
    }
  });

  it('pages the history by the cursors of the subscription', async () => {
    await inviteMany(5);
    const { events } = await follow({ after: 'START' });
    const older = await history(`first: 2, after: "${events[3]?.cursor}"`);
    expect(older.redemptionEvents.nodes.map((node: { id: string }) => node.id)).toEqual([events[2]?.id, events[1]?.id]);
    const newer = await history(`last: 2, before: "${events[1]?.cursor}"`);
    expect(newer.redemptionEvents.nodes.map((node: { id: string }) => node.id)).toEqual([events[3]?.id, events[2]?.id]);
  });

  it('has neither gap nor repeat while 200 invitations are made at the same time', async () => {
    const writing = inviteMany(200);
    const followers: Promise<Following>[] = [];
    for (const share of [0.1, 0.3, 0.5, 0.7]) {
      await until(async () => (await stored()).length >= share * 200, 'some events');
      followers.push(follow({ after: 'START' }));
    }
    const invitations = await writing;
    const all = await stored();
    expect(all).toHaveLength(200);
    for (const following of await Promise.all(followers)) {
      await until(() => following.events.length >= 200, 'all events');
      expect(ids(following)).toEqual(all);
      expect(following.events.map(({ invitation }) => invitation?.id).sort()).toEqual([...invitations].sort());
    }
  });

  it('leaves no gap between the state that was loaded and the feed from its feedCursor', async () => {
    const writing = inviteMany(90);
    const loaded = [];
    for (const share of [0.2, 0.5, 0.8]) {
      await until(async () => (await stored()).length >= share * 90, 'some events');
      const { tenant } = await gateway.ask(
        `{ tenant(id: "${tenantId}") { invitations(first: 100) { nodes { id } } feedCursor } }`,
      );
      const following = await follow({ after: tenant.feedCursor });
      loaded.push({ state: tenant.invitations.nodes.map((node: { id: string }) => node.id), following });
    }
    const invitations = await writing;
    for (const { state, following } of loaded) {
      const known = () => new Set([...state, ...following.events.map(({ invitation }) => invitation?.id)]);
      await until(() => known().size >= invitations.length, 'state and feed to make up everything');
      expect([...known()].sort()).toEqual([...invitations].sort());
    }
  });

  it.each(['made up', 'START ', '', 'AAAAAAAAAAAAAAAAMS4xLjE'])('refuses the cursor %j', async (after) => {
    const following = await follow({ after });
    expect(following.errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
  });

  it('refuses a cursor of another tenant, and a tenant out of reach', async () => {
    const cursor = (await history()).feedCursor;
    const other = (await gateway.createTenant()).id;
    const withForeignCursor = await follow({ tenantId: other, after: cursor });
    expect(withForeignCursor.errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
    const { secret } = await gateway.createKey({ tenantId, permissions: ['EVENT_READ', 'INVITATION_READ'] });
    const outOfReach = await follow({ tenantId: other, key: secret });
    expect(outOfReach.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
  });
});

describe('the order', () => {
  it('of one invitation is the order in which it happened, however many act on it at once', async () => {
    const invitations = await inviteMany(15);
    await Promise.all(
      invitations.flatMap((id) => [
        change('resendInvitation', id),
        change('revokeInvitation', id),
        change('resendInvitation', id),
      ]),
    );
    await tailToPass();
    const following = await follow({ after: 'START', filter: { types: ['INVITED', 'RESENT', 'REVOKED'] } });
    for (const id of invitations) {
      const told = following.events.filter(({ invitation }) => invitation?.id === id).map(({ type }) => type);
      expect(told.join(' ')).toMatch(/^INVITED( RESENT)* REVOKED$/);
    }
  });

  it('is never hurried past a transaction that is still open', async () => {
    const following = await follow();
    const writer = await openWriter();
    const invitationId = await invite();
    await change('resendInvitation', invitationId);
    await change('revokeInvitation', invitationId);
    const own = `{ node(id: "${invitationId}") { ... on Invitation { events { nodes { type } } } } }`;
    const written = (await gateway.ask(own)).node.events.nodes.map((node: { type: string }) => node.type);
    expect(written).toEqual(expect.arrayContaining(['INVITED', 'RESENT', 'REVOKED']));
    expect((await history()).redemptionEvents).toEqual({ totalCount: 0, nodes: [] });
    expect(following.events).toEqual([]);

    await writer.commit();
    await until(() => types(following).includes('REVOKED'), 'the events to appear');
    expect(types(following).filter((type) => !type.startsWith('MAIL'))).toEqual(['INVITED', 'RESENT', 'REVOKED']);
    expect(ids(following)).toEqual((await stored()).slice(0, following.events.length));
  });

  it('gives an event of a long transaction its place before those that were committed meanwhile', async () => {
    const [first] = await inviteMany(1);
    const following = await follow();
    const writer = await openWriter();
    const second = await invite();
    await writer.client.query(
      `insert into event (tenant_id, type, at, invitation_id, app_ids) values ($1, 'STARTED', now(), $2, '{}')`,
      [tenantId, first],
    );
    await writer.commit();
    await until(() => following.events.length === 2, 'both events');
    expect(following.events).toMatchObject([
      { type: 'STARTED', invitation: { id: first } },
      { type: 'INVITED', invitation: { id: second } },
    ]);
  });
});

describe('filters', () => {
  it('let through types, invitations and apps, in replay and live', async () => {
    const app = await gateway.ask(
      'mutation ($input: RegisterAppInput!) { registerApp(input: $input) { app { id } userErrors { code } } }',
      { input: { tenantId, displayName: 'Orders', homePageUrl: 'https://orders.example/' } },
    );
    const appId: string = app.registerApp.app.id;
    const cases: { filter: object; passes: (seen: { type: string; granted: boolean }) => boolean }[] = [
      { filter: { types: ['REVOKED'] }, passes: ({ type }) => type === 'REVOKED' },
      { filter: { appId }, passes: ({ granted }) => granted },
      { filter: { appId, types: ['INVITED'] }, passes: ({ granted, type }) => granted && type === 'INVITED' },
    ];
    const live = await Promise.all(cases.map(({ filter }) => follow({ filter })));
    const granted = [await invite({ appIds: [appId] }), await invite({ landingAppId: appId })];
    const others = [await invite()];
    for (const id of [...granted, ...others]) await change('revokeInvitation', id);
    await tailToPass();
    const all = await follow({ after: 'START' });
    expect(all.events).toHaveLength(6);
    for (const [index, { filter, passes }] of cases.entries()) {
      const expected = all.events
        .filter(({ type, invitation }) => passes({ type, granted: granted.includes(invitation?.id ?? '') }))
        .map(({ id }) => id);
      expect(ids(await follow({ after: 'START', filter }))).toEqual(expected);
      await until(() => live[index]?.events.length === expected.length, 'the live events');
      expect(ids(live[index] as Following)).toEqual(expected);
    }
  });

  it('of rare things still move the cursor on: a checkpoint comes in silence', async () => {
    const following = await follow({ filter: { types: ['REDEEMED'] } });
    await inviteMany(3);
    await until(() => following.checkpoints.length > 1, 'the next checkpoint');
    expect(following.events).toEqual([]);
    const [first, next] = following.checkpoints;
    expect((await follow({ after: first as string })).events).toHaveLength(3);
    expect((await follow({ after: next as string })).events).toHaveLength(0);
  });
});

describe('who cannot keep up', () => {
  /** As SQL makes them, many at once; they ring once. */
  async function writeEvents(count: number): Promise<void> {
    const invitationId = await invite();
    await gateway.sql(
      `with told as (
        insert into event (tenant_id, type, at, invitation_id, app_ids)
        select $1, 'STARTED', now(), $2, '{}' from generate_series(1, $3::int)
      ) select pg_notify('vestibule_feed', '')`,
      [tenantId, invitationId, count],
    );
  }

  function openStream(after: (FeedItem & { kind: 'lagged' }) | null = null) {
    const { ground } = gateway.app;
    const db = ground.orm.em.getConnection().getClient() as Db;
    return openFeedStream({ db, tail: ground.feed, tenantId, filter: null, after: after?.place ?? null });
  }

  it('is told so, with a cursor that brings back what was dropped', async () => {
    const slow = openStream();
    const { value: checkpoint } = await slow.next();
    expect(checkpoint).toMatchObject({ kind: 'checkpoint' });
    await writeEvents(1500);
    await tailToPass();
    const { value: lagged } = await slow.next();
    expect(lagged).toMatchObject({ kind: 'lagged' });
    expect(await slow.next()).toEqual({ done: true, value: undefined });

    const resumed = openStream(lagged);
    for (let count = 0; count < 1501; count++) expect((await resumed.next()).value).toMatchObject({ kind: 'event' });
    expect((await resumed.next()).value).toMatchObject({ kind: 'checkpoint' });
    await resumed.return?.();
  });

  it('or comes from before retention, is told so and resumes from what is kept', async () => {
    await inviteMany(4);
    const { nodes } = (await history()).redemptionEvents;
    const oldestFirst = nodes.reverse();
    const days = 3650;
    const old = oldestFirst[2].id.replace('evt_', '');
    await gateway.sql(
      `update event set at = at - make_interval(days => $1) where (epoch, xid, seq) <= (select epoch, xid, seq from event where seq = $2)`,
      [days, old],
    );
    await gateway.sql(`select graphile_worker.add_job('clean_up')`);
    await until(async () => (await stored()).length === 1, 'old events to go');

    const following = await follow({ after: oldestFirst[0].cursor });
    await until(() => following.done, 'the stream to end');
    expect(following.events).toEqual([]);
    const resumed = await follow({ after: following.lagged });
    expect(ids(resumed)).toEqual([oldestFirst[3].id]);
    expect(ids(await follow({ after: 'START' }))).toEqual([oldestFirst[3].id]);
  });
});

describe('leaving', () => {
  const subscribers = () => gateway.app.ground.feed.subscribers;

  it('frees what the subscription held, by completing and by hanging up', async () => {
    await until(() => subscribers() === 0, 'earlier subscribers to leave');
    const client = gateway.socket();
    const events = client.iterate({
      query: `subscription { redemptionEvents(tenantId: "${tenantId}") { __typename } }`,
    });
    await events.next();
    expect(subscribers()).toBe(1);
    await events.return?.();
    await until(() => subscribers() === 0, 'the completed one to leave');

    const another = await follow();
    expect(subscribers()).toBe(1);
    another.client.terminate();
    await until(() => subscribers() === 0, 'the one that hung up to leave');
    await client.dispose();
  });

  it('of one does not disturb the others', async () => {
    const [stays, leaves] = [await follow(), await follow()];
    await leaves.stop();
    await invite();
    await until(() => stays.events.length === 1, 'the event');
  });
});

describe('several processes on one database', () => {
  let second: TestGateway;

  beforeAll(async () => {
    second = await startTestGateway({ databaseUrl: gateway.databaseUrl, smtp: gateway.smtp });
  });
  afterAll(() => second.stop());

  it('serve the same feed, and each takes the cursors of the other', async () => {
    const key = gateway.bootstrapKey;
    const [here, there] = [await follow(), await follow({ key }, second)];
    await inviteMany(40);
    await until(() => here.events.length === 40 && there.events.length === 40, 'all events at both');
    expect(here.events).toEqual(there.events);
    expect(ids(here)).toEqual(await stored());
    const [middle] = here.events.slice(19, 20);
    const resumed = await follow({ key, after: middle?.cursor ?? null }, second);
    expect(ids(resumed)).toEqual(ids(here).slice(20));
  });

  it('serve a cursor at once that was given by the other, faster one', async () => {
    const key = gateway.bootstrapKey;
    const seen: string[][] = [];
    for (let round = 0; round < 10; round++) {
      await invite();
      const { tenant } = await gateway.ask(
        `{ tenant(id: "${tenantId}") { redemptionEvents(first: 1) { nodes { cursor } } } }`,
      );
      const [newest] = tenant.redemptionEvents.nodes;
      if (newest) seen.push(ids(await follow({ key, after: newest.cursor }, second)));
    }
    await tailToPass();
    const repeats = seen.flat().length - new Set(seen.flat()).size;
    expect(repeats).toBe(0);
  });
});
