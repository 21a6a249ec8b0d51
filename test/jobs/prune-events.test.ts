/** Retention: what is gone is one stretch from the beginning of the feed, and whoever had not read it is told. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Db } from '../../src/database/transaction.js';
import { feedStart } from '../../src/events/feed-place.js';
import { openFeedStream } from '../../src/events/feed-stream.js';
import { pruneEvents } from '../../src/jobs/prune-events.js';
import { systemActor } from '../../src/kernel/actor.js';
import { DAY, later } from '../../src/kernel/clock.js';
import { RequestContext } from '../../src/request/request-context.js';
import { tailToPass } from '../events/follow.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let tenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.stop());
beforeEach(async () => {
  tenantId = (await gateway.createTenant()).id;
  await gateway.sql('delete from event');
});

/** So many events of that age, in a transaction of their own. */
const writeEvents = (count: number, daysAgo: number) =>
  gateway.sql(
    `insert into event (tenant_id, type, at, invitation_id, app_ids)
    select $1, 'STARTED', now() - make_interval(days => $3), 'inv_x', '{}' from generate_series(1, $2::int)`,
    [tenantId, count, daysAgo],
  );

const prune = (days: number, signal?: AbortSignal) => {
  const ctx = new RequestContext(gateway.app.ground, systemActor('test'));
  return pruneEvents(ctx, later(gateway.clock.now(), -days * DAY), signal);
};

const ages = async () =>
  (
    await gateway.sql<{ days: number }>(
      `select distinct round(extract(epoch from now() - at) / 86400)::int as days from event order by days desc`,
    )
  ).map(({ days }) => days);

async function isPrunedUpToOldest(): Promise<boolean> {
  const [answer] = await gateway.sql<{ fits: boolean }>(
    `select coalesce((select (s.pruned_epoch, s.pruned_xid, s.pruned_seq) < (e.epoch, e.xid, e.seq)
      from event e order by e.epoch, e.xid, e.seq limit 1), true) as fits from feed_state s`,
  );
  return answer?.fits ?? false;
}

describe('retention', () => {
  it('deletes what is older, over many batches and again later, and notes how far it went', async () => {
    await writeEvents(12_000, 400);
    await writeEvents(5_000, 300);
    await writeEvents(10, 10);
    await prune(350);
    expect(await ages()).toEqual([300, 10]);
    expect(await isPrunedUpToOldest()).toBe(true);
    await prune(200);
    expect(await ages()).toEqual([10]);
    await prune(5);
    expect(await ages()).toEqual([]);
  });

  it('never goes past an event that stays, whatever is behind it', async () => {
    await writeEvents(10, 400);
    await writeEvents(1, 10);
    await writeEvents(10, 400);
    await prune(350);
    const [left] = await gateway.sql<{ count: number }>('select count(*)::int as count from event');
    expect(left?.count).toBe(11);
    expect(await isPrunedUpToOldest()).toBe(true);
  });

  it('stops after a batch when the process stops', async () => {
    await writeEvents(6_000, 400);
    await prune(350, AbortSignal.abort());
    expect(await ages()).toEqual([400]);
  });

  it('that overtakes a reader in the middle of its replay is told to it, with where to go on', async () => {
    await writeEvents(600, 400);
    await writeEvents(1, 10);
    const { ground } = gateway.app;
    const db = ground.orm.em.getConnection().getClient() as Db;
    const open = (after = feedStart) => openFeedStream({ db, tail: ground.feed, tenantId, filter: null, after });
    await tailToPass(gateway);
    const reader = open();
    expect((await reader.next()).value).toMatchObject({ kind: 'event' });
    await prune(350);
    const kinds: string[] = [];
    let last = (await reader.next()).value;
    for (; last?.kind === 'event'; last = (await reader.next()).value) kinds.push(last.kind);
    // The page it had read already.
    expect(kinds).toHaveLength(499);
    expect(last).toMatchObject({ kind: 'lagged' });
    if (last?.kind !== 'lagged') return;
    const resumed = open(last.place);
    expect((await resumed.next()).value).toMatchObject({ kind: 'event', event: { type: 'STARTED' } });
    expect((await resumed.next()).value).toMatchObject({ kind: 'checkpoint' });
    await resumed.return?.();
  });
});
