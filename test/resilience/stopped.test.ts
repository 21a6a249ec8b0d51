/** SIGTERM under load: what was begun is finished, newcomers are told, and the process ends by itself, in time, with 0. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { startSmtpServer, type TestSmtpServer } from '../support/smtp-server.js';
import { until } from '../support/until.js';
import { followFeed } from './feed-follower.js';
import { type GatewayProcess, START_TIMEOUT_MILLISECONDS, startGatewayProcess } from './gateway-process.js';

const CREATE_TENANT =
  'mutation ($slug: String!) { createTenant(input: { slug: $slug, displayName: "Contoso" }) { tenant { id } userErrors { code } } }';

let database: TestDatabase;
let sql: pg.Client;
let smtp: TestSmtpServer;
let gateway: GatewayProcess;

beforeAll(async () => {
  database = await createTestDatabase();
  sql = new pg.Client({ connectionString: database.url });
  await sql.connect();
  smtp = await startSmtpServer();
  gateway = await startGatewayProcess('main', { DATABASE_URL: database.url, SMTP_URL: smtp.url });
}, START_TIMEOUT_MILLISECONDS);

afterAll(async () => {
  await gateway.end('SIGKILL');
  await sql.end();
  await smtp.stop();
  await database.drop();
});

/** Requests one after the other on a connection that is kept, until the gateway takes no more. @returns how it ended. */
async function askUntilRefused(): Promise<{ answered: number; ended: string }> {
  for (let answered = 0; ; answered++) {
    try {
      const { status } = await gateway.post({ query: '{ viewer { name } }' });
      if (status !== 200) return { answered, ended: String(status) };
    } catch (error) {
      const { code } = (error as { cause: { code: string } }).cause;
      return { answered, ended: code };
    }
  }
}

const waiting = async () =>
  Number((await sql.query('select count(*) from pg_locks where not granted and database is not null')).rows[0].count);

describe('a gateway that gets SIGTERM', () => {
  it('finishes what it has taken, resets nobody, closes its sockets as restarting, and ends with 0', async () => {
    const { createTenant } = await gateway.ask(CREATE_TENANT, { slug: 'contoso' });
    const feed = followFeed(gateway, createTenant.tenant.id);
    await feed.caughtUp;
    await sql.query('begin; lock table tenant in exclusive mode');
    const taken = ['a', 'b', 'c', 'd', 'e'].map((slug) =>
      gateway.post({ query: CREATE_TENANT, variables: { slug: `tenant-${slug}` } }),
    );
    await until(async () => (await waiting()) === taken.length, 'the requests to be under way');
    const callers = Array.from({ length: 10 }, askUntilRefused);

    const signalledAt = performance.now();
    const ended = gateway.end('SIGTERM');
    await gateway.line('"msg":"stopping"');
    const readiness = await fetch(`${gateway.url}health/ready`);
    expect([readiness.status, await readiness.json()]).toEqual([
      503,
      { status: 'unavailable', database: true, migrations: true, worker: true, accepting: false },
    ]);
    const outcomes = await Promise.all(callers);
    await sql.query('commit');

    for (const { status, text } of await Promise.all(taken)) {
      expect([status, JSON.parse(text).data.createTenant.userErrors]).toEqual([200, []]);
    }
    // Never a reset: either nobody listens any more, or whoever came through at the last moment is told.
    expect(outcomes.filter(({ ended }) => ended !== 'ECONNREFUSED' && ended !== '503')).toEqual([]);
    expect(await ended).toBe(0);
    expect(performance.now() - signalledAt).toBeLessThan(10_000);
    expect(feed.closed()).toBe(1012);
    const connections = await sql.query(
      `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
    );
    expect(connections.rows).toEqual([]);
    await feed.leave();
  });
});
