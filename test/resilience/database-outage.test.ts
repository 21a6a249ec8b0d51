/** The database goes away under a running gateway and comes back: requests are told so, and everything goes on by itself. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { createTestDatabase, type TestDatabase, withDatabase } from '../support/postgres.js';
import { startSmtpServer, type TestSmtpServer } from '../support/smtp-server.js';
import { until } from '../support/until.js';
import { followFeed } from './feed-follower.js';
import { type GatewayProcess, START_TIMEOUT_MILLISECONDS, startGatewayProcess } from './gateway-process.js';

const INVITE =
  'mutation ($input: InviteUserInput!) { inviteUser(input: $input) { invitation { id } userErrors { code } } }';
const FEED =
  'query ($id: ID!) { tenant(id: $id) { redemptionEvents(last: 100) { nodes { type cursor invitation { email } } } } }';

let database: TestDatabase;
let server: pg.Client;
let smtp: TestSmtpServer;
/** Ends the wait of mails that the SMTP server holds. */
let letMailsPass: () => void;
let gateway: GatewayProcess;
let tenantId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  server = new pg.Client({ connectionString: withDatabase(database.url, 'postgres') });
  await server.connect();
  const passing = Promise.withResolvers<void>();
  letMailsPass = passing.resolve;
  smtp = await startSmtpServer({
    onRcptTo: ({ address }, _session, callback) =>
      void (address.startsWith('held') ? passing.promise : Promise.resolve()).then(() => callback()),
  });
  gateway = await startGatewayProcess('quick', { DATABASE_URL: database.url, SMTP_URL: smtp.url });
  const { createTenant } = await gateway.ask(
    'mutation { createTenant(input: { slug: "contoso", displayName: "Contoso" }) { tenant { id } userErrors { code } } }',
  );
  tenantId = createTenant.tenant.id;
}, START_TIMEOUT_MILLISECONDS);

afterAll(async () => {
  await gateway.end('SIGKILL');
  await server.end();
  await smtp.stop();
  await database.drop();
});

const databaseName = () => new URL(database.url).pathname.slice(1);

async function endConnections(): Promise<void> {
  await server.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [databaseName()]);
}

async function takeDatabaseAway(): Promise<void> {
  await server.query(`alter database ${databaseName()} allow_connections false`);
  await endConnections();
}

async function bringDatabaseBack(): Promise<void> {
  await server.query(`alter database ${databaseName()} allow_connections true`);
}

const invite = (name: string) => gateway.ask(INVITE, { input: { tenantId, email: `${name}@fabrikam.example` } });

interface Told {
  type: string;
  cursor: string;
  invitation: { email: string };
}

async function events(): Promise<Told[]> {
  return (await gateway.ask(FEED, { id: tenantId })).tenant.redemptionEvents.nodes.reverse();
}

const isDelivered = async (name: string) =>
  (await events()).some(({ type, invitation }) => type === 'MAIL_SENT' && invitation.email.startsWith(name));

describe('a gateway whose database', () => {
  it('goes away answers typed errors and is not ready; when it is back, all goes on and no event is lost', async () => {
    const feed = followFeed(gateway, tenantId);
    const beginning = await feed.caughtUp;
    await invite('before');
    await until(() => isDelivered('before'), 'the first mail');
    await invite('held');
    await until(() => smtp.connections() > 0 && feed.cursors.length === 3, 'the second mail to be under way');

    await takeDatabaseAway();
    const { text } = await gateway.post({ query: FEED, variables: { id: tenantId } });
    expect(JSON.parse(text).errors[0].extensions.code).toBe('INTERNAL_SERVER_ERROR');
    expect(text).not.toContain(databaseName());
    const readiness = await fetch(`${gateway.url}health/ready`);
    expect([readiness.status, await readiness.json()]).toMatchObject([503, { database: false, migrations: false }]);
    letMailsPass();
    await gateway.line('the worker ended by itself');

    await bringDatabaseBack();
    const backAt = performance.now();
    await until(() => gateway.isReady(), 'the gateway to be ready again');
    expect(performance.now() - backAt).toBeLessThan(5000);
    await invite('after');
    await until(() => isDelivered('held'), 'the mail that was under way');
    await until(() => isDelivered('after'), 'a mail of the time after');
    const told = (await events()).map(({ cursor }) => cursor);
    expect(told).toHaveLength(6);
    await until(() => feed.cursors.length >= told.length, 'the events at the subscriber who stayed');
    expect(feed.cursors).toEqual(told);

    const resumed = followFeed(gateway, tenantId, beginning);
    await resumed.caughtUp;
    expect(resumed.cursors).toEqual(told);
    await Promise.all([feed.leave(), resumed.leave()]);
  });

  it('cuts every connection is ready again within seconds', async () => {
    await endConnections();
    await until(() => gateway.isReady(), 'the gateway to be ready again', 5000);
    await invite('cut');
    await until(() => isDelivered('cut'), 'its mail');
  });
});
