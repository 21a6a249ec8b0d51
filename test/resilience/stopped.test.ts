/** SIGTERM under load: what was begun is finished or handed over, newcomers are told, and the process ends by itself, in time. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { startSmtpServer, type TestSmtpServer } from '../support/smtp-server.js';
import { until } from '../support/until.js';
import { followFeed } from './feed-follower.js';
import { type GatewayProcess, KEY, START_TIMEOUT_MILLISECONDS, startGatewayProcess } from './gateway-process.js';

const CREATE_TENANT =
  'mutation ($slug: String!) { createTenant(input: { slug: $slug, displayName: "Contoso" }) { tenant { id } userErrors { code } } }';

let database: TestDatabase;
let sql: pg.Client;
let smtp: TestSmtpServer;
let gateway: GatewayProcess;
/** Resolved, the mail server takes the mails it holds. */
const mailsPass = Promise.withResolvers<void>();

const start = (env: Record<string, string> = {}) =>
  startGatewayProcess('main', { DATABASE_URL: database.url, SMTP_URL: smtp.url, ...env });

beforeAll(async () => {
  database = await createTestDatabase();
  sql = new pg.Client({ connectionString: database.url });
  await sql.connect();
  smtp = await startSmtpServer({
    onRcptTo: ({ address }, _session, callback) =>
      void (address.startsWith('held') ? mailsPass.promise : Promise.resolve()).then(() => callback()),
  });
  gateway = await start();
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

  it('leaves a bulk invite and its mails to the next, which goes on at once, and answers an upload', async () => {
    gateway = await start();
    const { createTenant } = await gateway.ask(CREATE_TENANT, { slug: 'busy' });
    const tenantId = createTenant.tenant.id;
    const lines = Array.from({ length: ROWS }, (_, row) => `guest${row}@fabrikam.example,${row < MAILS}`);
    const csv = ['email,sendMail', ...lines].join('\n');
    const { bulkInvite } = await gateway.ask(BULK_INVITE, { input: { tenantId, csv } });
    const upload = beginUpload(tenantId);
    await until(async () => (await processedRows(bulkInvite.bulkInvite.id)) > 0, 'the first rows');
    const processed = await processedRows(bulkInvite.bulkInvite.id);
    expect(processed).toBeLessThan(ROWS);

    const signalledAt = performance.now();
    expect(await gateway.end('SIGTERM')).toBe(0);
    expect(performance.now() - signalledAt).toBeLessThan(10_000);
    const { status, body } = await upload.answered;
    expect([status, body]).toMatchObject([503, { errors: [{ code: 'UPLOAD_INCOMPLETE' }] }]);
    expect(await jobsHeld()).toEqual([]);

    gateway = await start();
    await until(async () => (await processedRows(bulkInvite.bulkInvite.id)) === ROWS, 'the rest', 60_000);
    const mailsOf = () => smtp.received.filter(({ envelope }) => envelope.to[0]?.startsWith('guest'));
    await until(() => mailsOf().length >= MAILS, 'the mails', 60_000);
    await until(async () => (await jobs()).length === 0, 'the jobs to be done');
    expect(mailsOf()).toHaveLength(MAILS);
    expect(new Set(mailsOf().flatMap(({ envelope }) => envelope.to)).size).toBe(MAILS);
  }, 180_000);

  it('hands a job that outlasts the time to stop over, so that the next process begins it at once', async () => {
    await gateway.end('SIGTERM');
    gateway = await start({ SHUTDOWN_DRAIN_SECONDS: '3' });
    const { createTenant } = await gateway.ask(CREATE_TENANT, { slug: 'held' });
    const connections = smtp.connections();
    await gateway.ask(
      'mutation ($input: InviteUserInput!) { inviteUser(input: $input) { invitation { id } userErrors { code } } }',
      { input: { tenantId: createTenant.tenant.id, email: 'held@fabrikam.example' } },
    );
    await until(() => smtp.connections() > connections, 'the mail to be under way');
    expect(await gateway.end('SIGTERM')).toBe(1);
    expect(gateway.output.some((line) => line.includes('the time to stop is over'))).toBe(true);
    expect(await jobsHeld()).toEqual([]);
    expect((await sql.query('select from gateway_process')).rows).toEqual([]);

    const [before] = await jobs();
    expect(before?.attempts).toBe(1);
    gateway = await start();
    const startedAt = performance.now();
    await until(async () => (await jobs())[0]?.attempts === 2, 'the next process to begin it', 10_000);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    mailsPass.resolve();
    await until(async () => (await jobs()).length === 0, 'the mail to be sent');
    expect(smtp.received.filter(({ envelope }) => envelope.to[0]?.startsWith('held'))).toHaveLength(1);
  }, 120_000);
});

const ROWS = 4000;
/** So many of them ask for a mail. */
const MAILS = 200;

const BULK_INVITE =
  'mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { bulkInvite { id } userErrors { code } } }';

async function processedRows(id: string): Promise<number> {
  return (await sql.query('select processed_rows as rows from bulk_invite where id = $1', [id])).rows[0].rows;
}

/** Without what runs by the clock. */
async function jobs(): Promise<{ key: string; attempts: number; locked_by: string | null }[]> {
  const { rows } = await sql.query('select key, attempts, locked_by from graphile_worker.jobs where key is not null');
  return rows;
}

const jobsHeld = async () => (await jobs()).filter((job) => job.locked_by !== null);

/** An upload that never ends by itself. */
function beginUpload(tenantId: string) {
  const upload = request(`${gateway.url}bulk-invites?tenantId=${tenantId}`, {
    method: 'POST',
    headers: { 'content-type': 'text/csv', authorization: `Bearer ${KEY}` },
  });
  upload.write('email\nuploaded@fabrikam.example\n');
  const answered = once(upload, 'response').then(async ([response]: IncomingMessage[]) => {
    const answer = response as IncomingMessage;
    return { status: answer.statusCode, body: await json(answer) };
  });
  return { answered };
}
