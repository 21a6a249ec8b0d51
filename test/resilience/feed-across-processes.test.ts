/** One feed, many processes: whoever loses its own in the middle goes on at another, and has every event once. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { until } from '../support/until.js';
import { followFeed } from './feed-follower.js';
import { type GatewayProcess, START_TIMEOUT_MILLISECONDS, startGatewayProcess } from './gateway-process.js';

const INVITE =
  'mutation ($input: InviteUserInput!) { inviteUser(input: $input) { invitation { id } userErrors { code } } }';
const HISTORY =
  'query ($id: ID!, $before: String) { tenant(id: $id) { redemptionEvents(last: 100, before: $before) { nodes { cursor } pageInfo { hasPreviousPage startCursor } } } }';

let database: TestDatabase;
let sql: pg.Pool;
let gateways: [GatewayProcess, GatewayProcess, GatewayProcess];
let tenantId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  sql = new pg.Pool({ connectionString: database.url, max: 2 });
  const start = () => startGatewayProcess('quick', { DATABASE_URL: database.url, SMTP_URL: 'smtp://127.0.0.1:9' });
  gateways = [await start(), await start(), await start()];
  const { createTenant } = await gateways[0].ask(
    'mutation { createTenant(input: { slug: "contoso", displayName: "Contoso" }) { tenant { id } userErrors { code } } }',
  );
  tenantId = createTenant.tenant.id;
}, 3 * START_TIMEOUT_MILLISECONDS);

afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.end('SIGKILL')));
  await sql.end();
  await database.drop();
});

async function count(): Promise<number> {
  const { rows } = await sql.query('select count(*)::int as n from event where tenant_id = $1', [tenantId]);
  return rows[0].n;
}

/** Cursors of the whole history, oldest first. */
async function history(): Promise<string[]> {
  const cursors: string[] = [];
  let before: string | null = null;
  do {
    const { tenant } = await gateways[0].ask(HISTORY, { id: tenantId, before });
    const { nodes, pageInfo } = tenant.redemptionEvents;
    cursors.push(...nodes.map(({ cursor }: { cursor: string }) => cursor).reverse());
    before = pageInfo.hasPreviousPage ? pageInfo.startCursor : null;
  } while (before);
  return cursors;
}

it('a subscriber whose process is killed resumes at another, while two write on, without gap or repeat', async () => {
  const [first, second, third] = gateways;
  const stayed = [followFeed(first, tenantId), followFeed(second, tenantId)];
  const lost = [followFeed(third, tenantId), followFeed(third, tenantId)];
  await Promise.all([...stayed, ...lost].map(({ caughtUp }) => caughtUp));

  let people = 0;
  let isWriting = true;
  const write = async (gateway: GatewayProcess) => {
    while (isWriting) {
      const email = `guest${people++}@fabrikam.example`;
      await gateway.ask(INVITE, { input: { tenantId, email, sendMail: false } });
    }
  };
  const writing = [write(first), write(second)];
  await until(() => lost.every(({ cursors }) => cursors.length >= 20), 'some events at the third');
  await third.end('SIGKILL');
  await until(() => lost.every((follower) => follower.closed() !== undefined), 'the sockets of the third to end');
  const killedAt = await count();
  await until(async () => (await count()) > killedAt + 20, 'more events meanwhile');
  const resumed = lost.map(({ cursors }, at) =>
    followFeed([first, second][at] as GatewayProcess, tenantId, cursors.at(-1)),
  );
  await Promise.all(resumed.map(({ caughtUp }) => caughtUp));
  isWriting = false;
  await Promise.all(writing);

  const total = await count();
  const ways = [
    ...stayed.map(({ cursors }) => [cursors]),
    ...lost.map(({ cursors }, at) => [cursors, resumed[at]?.cursors ?? []]),
  ];
  await until(() => ways.every((way) => way.flat().length >= total), 'every event to arrive');
  const all = await history();
  expect(all).toHaveLength(total);
  for (const way of ways) expect(way.flat()).toEqual(all);
  await Promise.all([...stayed, ...resumed].map((follower) => follower.leave()));
});
