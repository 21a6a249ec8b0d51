/** A hundred mails and a mail server in trouble: none is lost, none goes twice, none fails that the guest cannot help. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { SMTPServerOptions } from 'smtp-server';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { refusal, startSmtpServer, type TestSmtpServer } from '../support/smtp-server.js';
import { until } from '../support/until.js';

const MANY = 60;

let smtp: TestSmtpServer;
let gateway: TestGateway;
let tenantId: string;
let batches = 0;

/** What the mail server does; changed by tests. */
let onSender: NonNullable<SMTPServerOptions['onMailFrom']>;
let onRecipient: NonNullable<SMTPServerOptions['onRcptTo']>;
let onConnect: NonNullable<SMTPServerOptions['onConnect']>;
let onClose: () => void;
let hangsUp: () => boolean;
let onKept: () => void;

beforeAll(async () => {
  smtp = await startSmtpServer({
    onConnect: (...args) => onConnect(...args),
    onClose: () => onClose(),
    hangsUp: () => hangsUp(),
    onKept: () => onKept(),
    onMailFrom: (...args) => onSender(...args),
    onRcptTo: (...args) => onRecipient(...args),
  });
  gateway = await startTestGateway({ smtp, env: { SMTP_URL: `${smtp.url}?socketTimeout=500` } });
  tenantId = (await gateway.createTenant()).id;
});
afterAll(async () => {
  await gateway.stop();
  await smtp.stop();
});

beforeEach(() => {
  onSender = (_address, _session, done) => done();
  onRecipient = (_address, _session, done) => done();
  onConnect = (_session, done) => done();
  onClose = () => undefined;
  hangsUp = () => false;
  onKept = () => undefined;
  smtp.dropConnections();
});

/** @returns their domain */
async function inviteMany(count = MANY): Promise<string> {
  const domain = `batch${++batches}.example`;
  await gateway.ask(
    `mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { bulkInvite { id } userErrors { code } } }`,
    { input: { tenantId, rows: Array.from({ length: count }, (_, n) => ({ email: `guest${n}@${domain}` })) } },
  );
  const made = () =>
    gateway.sql<{ n: number }>('select count(*)::int as n from invitation where email like $1', [`%@${domain}`]);
  await until(async () => (await made())[0]?.n === count, 'the invitations');
  return domain;
}

async function deliveries(domain: string): Promise<Record<string, number>> {
  const rows = await gateway.sql<{ delivery: string; n: number }>(
    'select delivery, count(*)::int as n from invitation where email like $1 group by delivery',
    [`%@${domain}`],
  );
  return Object.fromEntries(rows.map(({ delivery, n }) => [delivery, n]));
}

const jobs = (condition: string) =>
  gateway.sql<{ attempts: number; seconds: number }>(
    `select attempts, extract(epoch from run_at - now())::float as seconds from graphile_worker.jobs
     where task_identifier = 'send_invitation_mail' and ${condition}`,
  );

/** The worker's own pause is seconds, then minutes. */
const comeAgainNow = () =>
  gateway.sql('update graphile_worker._private_jobs set run_at = now() where run_at > now() and locked_at is null');

async function allSent(domain: string, count = MANY): Promise<void> {
  await until(
    async () => {
      await comeAgainNow();
      return (await deliveries(domain)).SENT === count;
    },
    'all mails to be sent',
    30_000,
  );
  const mails = gateway.mails().filter(({ envelope }) => envelope.to[0]?.endsWith(domain));
  expect(mails).toHaveLength(count);
  const [events] = await gateway.sql<{ sent: number; failed: number }>(
    `select count(*) filter (where e.type = 'MAIL_SENT')::int as sent, count(*) filter (where e.type = 'MAIL_FAILED')::int as failed
     from event e join invitation i on i.id = e.invitation_id where i.email like $1`,
    [`%@${domain}`],
  );
  expect(events).toEqual({ sent: count, failed: 0 });
}

const lastError = async (domain: string): Promise<string> =>
  (
    await gateway.sql<{ last_error: string }>(
      `select j.last_error from graphile_worker.jobs j join invitation i on j.key = 'invitation-mail/' || i.id || '/1'
       where i.email like $1 and j.last_error is not null limit 1`,
      [`%@${domain}`],
    )
  )[0]?.last_error ?? '';

describe('a mail server', () => {
  it('that is gone is tried now and then, by one mail at a time, until it is back', async () => {
    await smtp.goDown();
    const domain = await inviteMany();
    await until(async () => (await jobs('attempts >= 1 and locked_at is null')).length >= 3, 'some attempts');
    expect(await deliveries(domain)).toEqual({ QUEUED: MANY });
    // Waiting costs no attempts: most mails were not even tried once.
    expect((await jobs('last_error is not null')).length).toBeLessThan(MANY / 2);
    expect(await lastError(domain)).toContain('The mail server could not be reached.');
    await smtp.comeBack();
    await allSent(domain);
  });

  it('that stays away for days is still asked: the last of 25 attempts comes after three days', async () => {
    await smtp.goDown();
    const domain = await inviteMany(1);
    let waited = 0;
    for (const attempt of [1, 2, 3, 10, 20, 24]) {
      await gateway.sql(
        `update graphile_worker._private_jobs set attempts = $1, run_at = now() where key like 'invitation-mail/%' and locked_at is null`,
        [attempt - 1],
      );
      const [job] = await until(async () => {
        const found = await jobs(`attempts = ${attempt} and locked_at is null`);
        return found[0] && found;
      }, `attempt ${attempt}`);
      if (attempt >= 10) expect(job?.seconds).toBeGreaterThan(6 * 60 * 60);
      waited = job?.seconds ?? 0;
    }
    expect(waited * 14).toBeGreaterThan(3 * 24 * 60 * 60);
    expect(await deliveries(domain)).toEqual({ QUEUED: 1 });
    await smtp.comeBack();
    await allSent(domain, 1);
  }, 60_000);

  it('that does not like our sender fails nobody', async () => {
    onSender = (_address, _session, done) => done(refusal(550, '5.7.1 sender rejected'));
    const domain = await inviteMany();
    await until(() => lastError(domain), 'some attempts');
    expect(await deliveries(domain)).toEqual({ QUEUED: MANY });
    onSender = (_address, _session, done) => done();
    await allSent(domain);
  });

  it('that refuses every address for a reason of its own fails nobody', async () => {
    let refused = 0;
    onRecipient = (_address, _session, done) => {
      refused++;
      done(refusal(554, '5.7.1 client host blocked, see https://blocklist.example/?1'));
    };
    const domain = await inviteMany();
    await until(async () => {
      await comeAgainNow();
      return refused > 12;
    }, 'some refusals');
    expect(await deliveries(domain)).toEqual({ QUEUED: MANY });
    onRecipient = (_address, _session, done) => done();
    await allSent(domain);
  });

  it('that refuses one address by its rules fails that one, after a second try, and says so', async () => {
    onRecipient = ({ address }, _session, done) =>
      done(address.startsWith('guest3@') ? refusal(550, '5.7.1 no strangers here') : null);
    const domain = await inviteMany(10);
    await until(async () => {
      await comeAgainNow();
      return (await deliveries(domain)).FAILED;
    }, 'the refusal');
    await until(async () => (await deliveries(domain)).SENT === 9, 'the others');
    const [refused] = await gateway.sql('select email, delivery_error as reason from invitation where delivery = $1', [
      'FAILED',
    ]);
    expect(refused).toEqual({
      email: `guest3@${domain}`,
      reason: 'The mail server refused the address: its rules do not let the mail in (550 5.7.1).',
    });
  });

  it('that wants to see a stranger twice gets every mail at the second try, and no other waits for it', async () => {
    const seen = new Set<string>();
    onRecipient = ({ address }, _session, done) => {
      const isKnown = seen.has(address) || !address.startsWith('guest1');
      seen.add(address);
      done(isKnown ? null : refusal(451, '4.7.1 greylisted, come again'));
    };
    const domain = await inviteMany(20);
    await until(async () => (await deliveries(domain)).SENT === 9, 'those that were let in');
    await allSent(domain, 20);
  });

  it('that takes two connections at a time gets two, and every mail', async () => {
    let connected = 0;
    let refused = 0;
    onConnect = (_session, done) => {
      connected++;
      if (connected <= 2) return done();
      refused++;
      done(refusal(421, '4.7.0 too many connections'));
    };
    onClose = () => connected--;
    onRecipient = (_address, _session, done) => void setTimeout(done, 5);
    const domain = await inviteMany();
    await allSent(domain);
    expect(refused).toBeLessThan(15);
  });

  it('that hangs up in the middle of a message gets it again', async () => {
    let messages = 0;
    hangsUp = () => messages++ < 5;
    const domain = await inviteMany(10);
    await allSent(domain, 10);
    expect(messages).toBeGreaterThan(10);
  });

  it('that hangs up before saying that it took a message gets it again, with the same Message-ID', async () => {
    onKept = () => {
      onKept = () => undefined;
      smtp.dropConnections();
    };
    const domain = await inviteMany(1);
    await until(async () => {
      await comeAgainNow();
      return (await deliveries(domain)).SENT === 1;
    }, 'the mail');
    const mails = gateway.mails(`guest0@${domain}`);
    expect(mails).toHaveLength(2);
    expect(mails[0]?.mail.messageId).toBe(mails[1]?.mail.messageId);
  });

  it('that cannot prove who it is gets no mail, and none fails', async () => {
    const impostor = await startSmtpServer({ disabledCommands: ['AUTH'] });
    const other = await startTestGateway({ smtp: impostor });
    try {
      const tenant = await other.createTenant();
      const { id } = await other.inviteUser({ tenantId: tenant.id, email: 'guest@tls.example' });
      const job = () =>
        other.sql<{ last_error: string | null }>(
          `select last_error from graphile_worker.jobs where key like 'invitation-mail/%'`,
        );
      await until(async () => (await job())[0]?.last_error, 'the attempt');
      expect((await job())[0]?.last_error).toMatch(/secure connection|could not be reached/);
      expect(await other.sql('select delivery from invitation where id = $1', [id])).toEqual([{ delivery: 'QUEUED' }]);
      expect(impostor.received).toEqual([]);
    } finally {
      await other.stop();
      await impostor.stop();
    }
  });
});

describe('what became of mails', () => {
  it('is noted for the others while somebody holds one of the invitations, and for that one afterwards', async () => {
    const client = new pg.Client({ connectionString: gateway.databaseUrl });
    await client.connect();
    const release = Promise.withResolvers<void>();
    onRecipient = (_address, _session, done) => void release.promise.then(() => done());
    const domain = await inviteMany(20);
    await client.query('begin');
    await client.query('select from invitation where email = $1 for update', [`guest7@${domain}`]);
    release.resolve();
    await until(async () => (await deliveries(domain)).SENT === 19, 'the others');
    await client.query('commit');
    await client.end();
    await allSent(domain, 20);
  });
});

describe('a passcode', () => {
  it('does not wait behind the mails of a batch, however slow the server', async () => {
    const guest = await gateway.inviteUser({ tenantId, email: 'waiting@fabrikam.example', sendMail: false });
    onRecipient = (_address, _session, done) => void setTimeout(done, 300);
    const domain = await inviteMany(150);
    await until(() => gateway.mails().some(({ envelope }) => envelope.to[0]?.endsWith(domain)), 'the first mails');
    const { beginRedemption } = await gateway.ask(
      'mutation ($input: BeginRedemptionInput!) { beginRedemption(input: $input) { redemption { id } userErrors { code } } }',
      { input: { token: guest.redeemUrl.split('/').at(-1) } },
      { key: null },
    );
    await gateway.ask(
      'mutation ($input: RedemptionIdInput!) { sendRedemptionPasscode(input: $input) { userErrors { code } } }',
      { input: { redemptionId: beginRedemption.redemption.id } },
      { key: null },
    );
    await gateway.waitForMail('waiting@fabrikam.example');
    expect((await deliveries(domain)).QUEUED).toBeGreaterThan(50);
    onRecipient = (_address, _session, done) => done();
    await allSent(domain, 150);
  });
});
