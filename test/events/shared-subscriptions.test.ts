/** Subscribers who asked for the same are served together: nobody notices, except by the work that is done once. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { recordStatements, type Statement } from '../features/bulk-invites/statements.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { type Following, type FollowOptions, follow as followFeed } from './follow.js';

const statements: Statement[] = recordStatements();
let gateway: TestGateway;
let tenantId: string;
let open: Following[] = [];

beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(async () => {
  await gateway.stop();
  jest.restoreAllMocks();
});

beforeEach(async () => {
  tenantId = (await gateway.createTenant()).id;
});
afterEach(async () => {
  await Promise.all(open.map((following) => following.stop()));
  open = [];
  await until(() => subscribers() === 0, 'all to leave');
});

const subscribers = () => gateway.app.ground.feed.subscribers;
const ids = ({ events }: Following) => events.map(({ id }) => id);

async function follow(options: Partial<FollowOptions> = {}): Promise<Following> {
  const following = await followFeed(gateway, { tenantId, ...options });
  open.push(following);
  return following;
}

const followMany = (count: number, options: Partial<FollowOptions> = {}) =>
  Promise.all(Array.from({ length: count }, () => follow(options)));

/** One transaction of so many events about one invitation. */
async function writeEvents(count: number, invitationId: string): Promise<void> {
  await gateway.sql(
    `with told as (
      insert into event (tenant_id, type, at, invitation_id, app_ids)
      select $1, 'STARTED', now(), $2, '{}' from generate_series(1, $3::int)
    ) select pg_notify('vestibule_feed', '')`,
    [tenantId, invitationId, count],
  );
}

let people = 0;
const invite = async () =>
  (await gateway.inviteUser({ tenantId, email: `guest${people++}@fabrikam.example`, sendMail: false })).id;

/** Looking an invitation up, as each execution of the document does once. */
const lookups = () => statements.filter(({ text }) => /from \S*invitation\S* t\s+where t\.id = any/.test(text)).length;

/** Looked up for `count` events that all of them get. */
async function lookupsWhile(followers: Following[], count: number): Promise<number> {
  const invitationId = await invite();
  await until(() => followers.every(({ events }) => events.length === 1), 'the first event');
  const before = lookups();
  for (let n = 0; n < count; n++) await writeEvents(1, invitationId);
  await until(() => followers.every(({ events }) => events.length === count + 1), 'the events');
  return lookups() - before;
}

/** Whoever reads invitations meanwhile gets what a server answers that is shutting down. */
async function whileInvitationsCannotBeRead(work: () => Promise<void>): Promise<void> {
  await gateway.sql(`
    create function shutting_down() returns boolean language plpgsql as
      $$ begin raise exception 'shutting down' using errcode = 'cannot_connect_now'; end $$;
    alter table invitation rename to kept_invitation;
    create view invitation as select * from kept_invitation where shutting_down()`);
  try {
    await work();
  } finally {
    await gateway.sql(`
      drop view invitation; drop function shutting_down(); alter table kept_invitation rename to invitation`);
  }
}

describe('subscribers of the same document, variables and rights', () => {
  it('share one execution per event, and get the same', async () => {
    const followers = await followMany(20);
    expect(await lookupsWhile(followers, 5)).toBe(5);
    for (const { events } of followers) expect(events).toEqual(followers[0]?.events);
    expect(subscribers()).toBe(20);
  });

  it('share it whatever cursor each came with', async () => {
    await invite();
    const fromStart = await followMany(3, { after: 'START' });
    await until(() => fromStart.every(({ events }) => events.length === 1), 'the replay');
    const [cursor] = fromStart.map(({ events }) => events[0]?.cursor ?? null);
    const resumed = await followMany(3, { after: cursor ?? null });
    const live = await followMany(3);
    const before = lookups();
    const invitationId = await invite();
    const all = [...fromStart, ...resumed, ...live];
    await until(() => all.every(({ events }) => events.at(-1)?.invitation?.id === invitationId), 'the live event');
    expect(lookups() - before).toBe(1);
  });

  it('share their checkpoints as well', async () => {
    const followers = await followMany(10);
    await until(() => followers.every(({ checkpoints }) => checkpoints.length === 2), 'the next checkpoint', 7000);
    expect(new Set(followers.map(({ checkpoints }) => checkpoints[1])).size).toBe(1);
  });

  it('share it among several subscriptions of one socket, each under its own id', async () => {
    const client = gateway.socket();
    const query = `subscription { redemptionEvents(tenantId: "${tenantId}") { ... on RedemptionEvent { id } } }`;
    const streams = Array.from({ length: 3 }, () => client.iterate<Seen>({ query }));
    for (const stream of streams) await stream.next();
    await invite();
    const seen = await Promise.all(
      streams.map(async (stream) => (await stream.next()).value?.data?.redemptionEvents.id),
    );
    expect(seen[0]).toMatch(/^evt_/);
    expect(new Set(seen).size).toBe(1);
    await client.dispose();
  });
});

interface Seen {
  redemptionEvents: { id: string };
}

describe('subscribers who differ', () => {
  it('in rights see each what their own key may see', async () => {
    const { secret } = await gateway.createKey({ tenantId, permissions: ['EVENT_READ'] });
    const [full] = await followMany(2);
    const [narrow] = await followMany(2, { key: secret });
    const invitationId = await invite();
    await until(() => full?.events.length === 1 && narrow?.events.length === 1, 'the event');
    expect(full?.events[0]?.invitation).toEqual({ id: invitationId });
    expect(narrow?.events[0]?.invitation).toBeNull();
    expect(narrow?.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
  });

  it('in their filter get each what it lets through', async () => {
    const wanted = await followMany(2, { filter: { types: ['INVITED'] } });
    const others = await followMany(2, { filter: { types: ['STARTED'] } });
    const invitationId = await invite();
    await writeEvents(1, invitationId);
    await until(() => [...wanted, ...others].every(({ events }) => events.length === 1), 'one event each');
    expect(wanted.map(({ events }) => events[0]?.type)).toEqual(['INVITED', 'INVITED']);
    expect(others.map(({ events }) => events[0]?.type)).toEqual(['STARTED', 'STARTED']);
  });

  it('in tenant get nothing of each other', async () => {
    const [here] = await followMany(2);
    const elsewhere = await follow({ tenantId: (await gateway.createTenant()).id });
    await invite();
    await until(() => here?.events.length === 1, 'the event');
    expect(elsewhere.events).toEqual([]);
  });

  it('in a variable that says where to begin and is used for more do not share', async () => {
    const invitationId = await invite();
    const client = gateway.socket();
    const query = `subscription ($from: String) { redemptionEvents(tenantId: "${tenantId}", after: $from) {
      ... on RedemptionEvent { type invitation { events(first: 5, after: $from) { nodes { id } } } }
      ... on FeedCheckpoint { cursor }
    } }`;
    // Whoever writes anywhere in the cluster holds back what was just written.
    const cursor: string = await until(async () => {
      const { tenant } = await gateway.ask(
        `{ tenant(id: "${tenantId}") { redemptionEvents(first: 1) { nodes { cursor } } } }`,
      );
      return tenant.redemptionEvents.nodes[0]?.cursor;
    }, 'the invitation in the history');
    const told: Record<string, number> = {};
    const stays = [null, cursor].map(async (from) => {
      const stream = client.iterate<Told>({ query, variables: { from } });
      for await (const { data } of stream) {
        if (data?.redemptionEvents.type !== 'STARTED') continue;
        told[String(from)] = data.redemptionEvents.invitation.events.nodes.length;
        return;
      }
    });
    await until(() => subscribers() === 2, 'both to follow');
    await writeEvents(1, invitationId);
    await Promise.all(stays);
    expect(told[cursor]).not.toBe(told.null);
    await client.dispose();
  });
});

interface Told {
  redemptionEvents: { type?: string; invitation: { events: { nodes: object[] } } };
}

describe('joining the others', () => {
  it('leaves no gap and repeats nothing, however the commits fall', async () => {
    const invitationId = await invite();
    const first = await follow({ after: 'START' });
    const fromStart = [first];
    const followers = [first];
    let isWriting = true;
    // No faster than the first of them reads.
    const writing = (async () => {
      while (isWriting) {
        const known = first.events.length;
        await Promise.all([writeEvents(2, invitationId), writeEvents(1, invitationId), writeEvents(3, invitationId)]);
        await until(() => first.events.length >= known + 6, 'the first to read on');
      }
    })();
    while (followers.length < 19) {
      const cursor = first.events.at(Math.floor(Math.random() * first.events.length))?.cursor ?? null;
      const joined = await Promise.all([follow({ after: 'START' }), follow({ after: cursor }), follow()]);
      fromStart.push(joined[0]);
      followers.push(...joined);
    }
    isWriting = false;
    await writing;
    // For those who joined last.
    await writeEvents(1, invitationId);
    const stored = await gateway.sql<{ id: string }>(
      `select 'evt_' || seq as id from event where tenant_id = $1 order by epoch, xid, seq`,
      [tenantId],
    );
    const all = stored.map(({ id }) => id);
    await until(
      () => followers.every((follower) => ids(follower).at(-1) === all.at(-1)),
      'everybody to have the last',
      20_000,
    );
    for (const follower of followers) expect(ids(follower)).toEqual(all.slice(all.indexOf(ids(follower)[0] as string)));
    for (const follower of fromStart) expect(follower.events).toHaveLength(all.length);
  });

  it('is possible again after the last has left', async () => {
    for (let round = 0; round < 3; round++) {
      const followers = await followMany(3);
      expect(subscribers()).toBe(3);
      await invite();
      await until(() => followers.every(({ events }) => events.length === 1), 'the event');
      await Promise.all(followers.map((follower) => follower.stop()));
      await until(() => subscribers() === 0, 'all to leave');
    }
  });
});

describe('a group that falls behind', () => {
  it('reads on from where it is: nobody misses anything, nobody is ended', async () => {
    const followers = await followMany(3);
    const invitationId = await invite();
    await writeEvents(1300, invitationId);
    await until(() => followers.every(({ events }) => events.length === 1301), 'all events', 20_000);
    for (const follower of followers) {
      expect(new Set(ids(follower)).size).toBe(1301);
      expect(follower.lagged).toBeNull();
    }
  });
});

describe('an event that cannot be looked up, as the database is out of reach,', () => {
  it('waits until it can be, and is then told whole to everyone', async () => {
    const invitationId = await invite();
    const followers = await followMany(3);
    await whileInvitationsCannotBeRead(async () => {
      const before = lookups();
      await writeEvents(1, invitationId);
      await until(() => lookups() > before, 'the first try');
    });
    await until(() => followers.every(({ events }) => events.length === 1), 'the event');
    for (const { events, errors } of followers) {
      expect(events[0]?.invitation).toEqual({ id: invitationId });
      expect(errors).toEqual([]);
    }
  });
});
