/** Processes that share a database and are killed without notice: nothing is lost, nothing is done twice, somebody goes on. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { startSmtpServer, type TestSmtpServer } from '../support/smtp-server.js';
import { until } from '../support/until.js';
import { followFeed } from './feed-follower.js';
import { type GatewayProcess, START_TIMEOUT_MILLISECONDS, startGatewayProcess } from './gateway-process.js';

/** So that a kill finds mails under way. */
const SMTP_DELAY_MILLISECONDS = 50;
const WORKER_CONCURRENCY = 4;

let database: TestDatabase;
let sql: pg.Pool;
let smtp: TestSmtpServer;
let running: GatewayProcess[] = [];
let tenantId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  sql = new pg.Pool({ connectionString: database.url, max: 2 });
  await sql.query('drop schema public cascade; drop schema graphile_worker cascade; create schema public');
  smtp = await startSmtpServer({
    onRcptTo: (_address, _session, callback) => void setTimeout(callback, SMTP_DELAY_MILLISECONDS),
  });
  running = await Promise.all([start(), start()]);
  const { createTenant } = await first().ask(
    'mutation { createTenant(input: { slug: "contoso", displayName: "Contoso" }) { tenant { id } userErrors { code } } }',
  );
  tenantId = createTenant.tenant.id;
}, START_TIMEOUT_MILLISECONDS);

afterAll(async () => {
  await killAll();
  await sql.end();
  await smtp.stop();
  await database.drop();
});

const start = () =>
  startGatewayProcess('quick', {
    DATABASE_URL: database.url,
    SMTP_URL: smtp.url,
    WORKER_CONCURRENCY: String(WORKER_CONCURRENCY),
    SMTP_MAX_CONNECTIONS: '1',
  });

function first(): GatewayProcess {
  return running[0] as GatewayProcess;
}

async function killAll(): Promise<void> {
  await Promise.all(running.splice(0).map((gateway) => gateway.end('SIGKILL')));
}

async function rows<T>(text: string, ...values: unknown[]): Promise<T[]> {
  return (await sql.query(text, values)).rows as T[];
}

const bulkInvite = async (name: string, count: number, sendMail: boolean): Promise<string> => {
  const input = {
    tenantId,
    rows: Array.from({ length: count }, (_, index) => ({ email: `${name}${index}@fabrikam.example` })),
    defaults: { sendMail },
  };
  const { bulkInvite } = await first().ask(
    'mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { bulkInvite { id } userErrors { code } } }',
    { input },
  );
  return bulkInvite.bulkInvite.id;
};

const progressOf = async (id: string) =>
  (
    await rows<{ status: string; processed: number; invited: number; total: number }>(
      'select status, processed_rows as processed, invited_rows as invited, total_rows as total from bulk_invite where id = $1',
      id,
    )
  )[0];

describe('two processes that start at once on an empty database', () => {
  it('migrate it once and are both ready', async () => {
    expect(await Promise.all(running.map((gateway) => gateway.isReady()))).toEqual([true, true]);
    const migrated = running.filter(({ output }) => output.some((line) => line.includes('schema migrated')));
    expect(migrated).toHaveLength(1);
    expect(await rows('select from api_key')).toHaveLength(1);
  });

  it('serve one feed and share the jobs', async () => {
    const feeds = running.map((gateway) => followFeed(gateway, tenantId));
    await Promise.all(feeds.map((feed) => feed.caughtUp));
    await bulkInvite('shared', 20, true);
    await until(() => feeds.every(({ cursors }) => cursors.length === 40), 'invitations and mails in both feeds');
    expect(new Set(feeds[0]?.cursors).size).toBe(40);
    expect(feeds[1]?.cursors).toEqual(feeds[0]?.cursors);
    expect(smtp.received).toHaveLength(20);
    expect(new Set(recipients('shared')).size).toBe(20);
    await Promise.all(feeds.map((feed) => feed.leave()));
  });
});

describe('a process that is killed', () => {
  it('in the middle of a bulk invite leaves the rest to the next, which does no row twice', async () => {
    const id = await bulkInvite('bulk', 3000, false);
    await until(async () => ((await progressOf(id))?.processed ?? 0) > 0, 'the first rows');
    await killAll();
    const killedAt = (await progressOf(id)) as { processed: number };
    expect(killedAt.processed).toBeLessThan(3000);
    running = [await start()];
    await until(async () => (await progressOf(id))?.status === 'COMPLETED', 'the batch to be finished', 25_000);
    expect(await progressOf(id)).toMatchObject({ processed: 3000, invited: 3000, total: 3000 });
    const [counted] = await rows(
      `select count(*)::int as invitations, count(distinct email_key)::int as addresses, count(distinct row_number)::int as numbers,
        (select count(*)::int from bulk_invite_row r join invitation own on own.id = r.invitation_id and own.row_number = r.row_number
          where r.bulk_invite_id = $1 and r.outcome = 'INVITED') as rows,
        (select count(*)::int from event e where e.bulk_invite_id = $1 and e.type = 'INVITED') as events,
        (select count(distinct e.invitation_id)::int from event e where e.bulk_invite_id = $1 and e.type = 'INVITED') as told
      from invitation i where i.bulk_invite_id = $1`,
      id,
    );
    expect(counted).toEqual({
      invitations: 3000,
      addresses: 3000,
      numbers: 3000,
      rows: 3000,
      events: 3000,
      told: 3000,
    });
  });

  it('in the middle of mailing loses no mail, and repeats only those under way, recognisably', async () => {
    const id = await bulkInvite('mailed', 60, true);
    await until(() => recipients('mailed').length >= 10, 'the first mails');
    await killAll();
    expect(recipients('mailed').length).toBeLessThan(60);
    running = [await start()];
    const counts = () =>
      rows<{ delivery: string; events: number; invitations: number }>(
        `select i.delivery, count(*)::int as invitations, sum(told.times)::int as events from invitation i,
          lateral (select count(*) as times from event e where e.invitation_id = i.id and e.type = 'MAIL_SENT') told
        where i.bulk_invite_id = $1 group by 1`,
        id,
      );
    await until(async () => (await counts()).every(({ delivery }) => delivery === 'SENT'), 'all mails', 25_000);
    expect(await counts()).toEqual([{ delivery: 'SENT', invitations: 60, events: 60 }]);
    expect(new Set(recipients('mailed')).size).toBe(60);
    expect(recipients('mailed').length - 60).toBeLessThanOrEqual(WORKER_CONCURRENCY);
    const messageIds = smtp.received.filter(isTo('mailed')).map(({ mail }) => mail.messageId);
    expect(new Set(messageIds).size).toBe(60);
  });

  it('between proof and acceptance leaves the guest to go on with the next, and is accepted once', async () => {
    const email = 'guest@fabrikam.example';
    const { inviteUser } = await first().ask(
      `mutation ($input: InviteUserInput!) { inviteUser(input: $input) { redeemUrl invitation { id } userErrors { code } } }`,
      { input: { tenantId, email } },
    );
    const begun = await guest('beginRedemption(input: $input)', 'BeginRedemptionInput', {
      token: inviteUser.redeemUrl.split('/').at(-1),
    });
    const { id: redemptionId, consentVersion } = begun.redemption;
    await guest('sendRedemptionPasscode(input: $input)', 'RedemptionIdInput', { redemptionId });
    const passcode = await until(() => passcodeTo(email), 'the passcode');
    await killAll();
    running = await Promise.all([start(), start()]);
    const input = { redemptionId, consentVersion, consent: true, passcode };
    const answers = await Promise.all(
      running.map((gateway) => guest('redeemInvitation(input: $input)', 'RedeemInvitationInput', input, gateway)),
    );
    expect(answers.filter(({ redemption }) => redemption?.status === 'REDEEMED').length).toBeGreaterThan(0);
    const accepted = `select from event where invitation_id = $1 and type = 'REDEEMED'`;
    expect(await rows(accepted, inviteUser.invitation.id)).toHaveLength(1);
    const [user] = await rows('select state from external_user where email_key = $1', email);
    expect(user).toEqual({ state: 'ACCEPTED' });
  });
});

const isTo =
  (name: string) =>
  ({ envelope }: { envelope: { to: string[] } }) =>
    envelope.to.some((address) => address.startsWith(name));

function recipients(name: string): string[] {
  return smtp.received.filter(isTo(name)).flatMap(({ envelope }) => envelope.to);
}

function passcodeTo(email: string): string | undefined {
  return smtp.received.flatMap(({ envelope, mail }) =>
    envelope.to.includes(email) ? (/\b\d{4} ?\d{4}\b/.exec(mail.text ?? '')?.[0].replace(' ', '') ?? []) : [],
  )[0];
}

/** A guest's mutation, without a credential. */
async function guest(field: string, type: string, input: object, gateway = first()) {
  const selection = '{ redemption { id status consentVersion } userErrors { code } }';
  const document = `mutation ($input: ${type}!) { answer: ${field} ${selection} }`;
  const { status, text } = await gateway.post({ query: document, variables: { input } }, null);
  expect(status).toBe(200);
  return JSON.parse(text).data.answer;
}
