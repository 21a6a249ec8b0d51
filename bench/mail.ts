/**
 * Mails rendered, sent, their delivery recorded and their jobs gone, against nodemailer's pool alone with one of these very
 * messages, ready-made, to the same server: with its subject, text and HTML ready, and with its bytes ready, for which
 * nodemailer composes nothing.
 */
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import PostalMime from 'postal-mime';
import { freePort } from '../src/database/embedded-process.js';
import { startEmbeddedServer } from '../src/database/embedded-server.js';
import { silentLog } from '../src/kernel/log.js';
import { median } from './median.js';
import { type Running, startProcess, untilReady } from './processes.js';
import { parentOf, processorSeconds } from './processor-time.js';

export interface MailRate {
  /** Mails per second of the pool alone, with texts ready. */
  raw: number;
  /** The same with bytes ready. */
  rawBytes: number;
  ours: number;
  /** To `raw`; median of the rounds' own. */
  ratio: number;
  ratioToBytes: number;
  /** Milliseconds of processor time a mail, medians: less noisy than rates while other work runs on the machine. */
  processor: Processor;
}

interface Processor {
  /** The pool alone, and the mail server beside it. */
  pool: number;
  poolOfBytes: number;
  sinkOfPool: number;
  gateway: number;
  postgres: number;
  sink: number;
}

interface Round extends Processor {
  raw: number;
  rawBytes: number;
  ours: number;
}

export interface MailOptions {
  rounds: number;
  /** Of a round. */
  mails: number;
  connections: number;
}

const defaults: MailOptions = {
  rounds: Number(process.env.BENCH_ROUNDS ?? 5),
  mails: Number(process.env.BENCH_MAILS ?? 4000),
  connections: 5,
};

const key = randomBytes(24).toString('base64url');
const ROWS_OF_A_CALL = 2000;
const HELD = 'infinity';

export async function measureMail({ rounds, mails, connections } = defaults): Promise<MailRate> {
  const dataDir = join(tmpdir(), `vestibule-bench-${randomBytes(4).toString('hex')}`);
  const database = await startEmbeddedServer({ dataDir, log: silentLog });
  const [smtpPort, sinkPort, poolPort, gatewayPort] = await Promise.all([
    freePort(),
    freePort(),
    freePort(),
    freePort(),
  ]);
  const smtpUrl = `smtp://127.0.0.1:${smtpPort}`;
  const sink = startProcess('bench/mail-sink.js', { PORT: String(smtpPort), HTTP_PORT: String(sinkPort) });
  const pool = startProcess('bench/mail-pool.js', {
    PORT: String(poolPort),
    SMTP_URL: smtpUrl,
    CONNECTIONS: String(connections),
  });
  const gateway = startProcess('src/main.js', {
    DATABASE_URL: database.url,
    PORT: String(gatewayPort),
    SECRET_KEYS: randomBytes(24).toString('base64url'),
    SMTP_URL: smtpUrl,
    SMTP_MAX_CONNECTIONS: String(connections),
    MAIL_FROM: 'Bench <bench@vestibule.example>',
    MAILS_PER_TENANT_PER_HOUR: '10000000',
    BOOTSTRAP_API_KEY: key,
    DATA_DIR: dataDir,
    LOG_LEVEL: 'warn',
    ...(process.env.BENCH_NODE_OPTIONS && { NODE_OPTIONS: process.env.BENCH_NODE_OPTIONS }),
  });
  const db = new pg.Pool({ connectionString: database.url, max: 2 });
  try {
    await Promise.all([
      untilReady(`http://127.0.0.1:${gatewayPort}/health/ready`, gateway),
      untilReady(`http://127.0.0.1:${poolPort}/`, pool),
      untilReady(`http://127.0.0.1:${sinkPort}/`, sink),
    ]);
    const tenantId = await makeTenant(gatewayPort);
    await holdMails(db);
    const postmaster = await postmasterOf(db);
    const results: Round[] = [];
    for (let round = 0; round <= rounds; round++) {
      await invite(db, gatewayPort, tenantId, mails);
      const own = await metered([pidOf(gateway), postmaster, pidOf(sink)], mails, () => sendHeld(db, mails));
      const message = Buffer.from(await (await fetch(`http://127.0.0.1:${sinkPort}/last`)).arrayBuffer());
      const { subject, text, html } = await PostalMime.parse(message);
      const parts = Buffer.from(JSON.stringify({ subject, text, html }));
      const limitOf = (form: 'parts' | 'bytes', body: Buffer) =>
        metered([pidOf(pool), pidOf(sink)], mails, () => sendReadyMade(poolPort, form, body, mails));
      const limit = await limitOf('parts', parts);
      const limitOfBytes = await limitOf('bytes', message);
      results.push({
        raw: limit.rate,
        rawBytes: limitOfBytes.rate,
        ours: own.rate,
        pool: limit.milliseconds[0] ?? 0,
        poolOfBytes: limitOfBytes.milliseconds[0] ?? 0,
        sinkOfPool: limit.milliseconds[1] ?? 0,
        gateway: own.milliseconds[0] ?? 0,
        postgres: own.milliseconds[1] ?? 0,
        sink: own.milliseconds[2] ?? 0,
      });
    }
    return summary(results.slice(1));
  } finally {
    await db.end();
    await Promise.all([gateway.stop(), pool.stop(), sink.stop()]);
    await database.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

function pidOf({ child }: Running): number {
  return child.pid ?? 0;
}

async function postmasterOf(db: pg.Pool): Promise<number> {
  const { rows } = await db.query(`select pg_backend_pid() as pid`);
  return parentOf(rows[0].pid);
}

/** Processor milliseconds a mail of each process while `send` runs. */
async function metered(pids: number[], mails: number, send: () => Promise<number>) {
  const before = pids.map(processorSeconds);
  const rate = await send();
  const milliseconds = pids.map((pid, at) => ((processorSeconds(pid) - (before[at] ?? 0)) * 1000) / mails);
  return { rate, milliseconds };
}

async function gql(port: number, query: string, input: object): Promise<Record<string, never>> {
  const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ query, variables: { input } }),
  });
  const { data, errors } = (await response.json()) as { data: Record<string, never>; errors?: object[] };
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

async function makeTenant(port: number): Promise<string> {
  const data = (await gql(
    port,
    'mutation ($input: CreateTenantInput!) { createTenant(input: $input) { tenant { id } } }',
    { slug: 'bench', displayName: 'Bench' },
  )) as never as { createTenant: { tenant: { id: string } } };
  return data.createTenant.tenant.id;
}

/** New mail jobs wait for the word, so that all of a round are there when it begins. */
async function holdMails(db: pg.Pool): Promise<void> {
  await db.query(`create function hold_mails() returns trigger language plpgsql as $$
    begin
      if new.key like 'invitation-mail/%' then new.run_at := '${HELD}'; end if;
      return new;
    end $$`);
  await db.query(
    'create trigger hold_mails before insert on graphile_worker._private_jobs for each row execute function hold_mails()',
  );
}

async function invite(db: pg.Pool, port: number, tenantId: string, mails: number): Promise<void> {
  for (let left = mails; left > 0; left -= ROWS_OF_A_CALL) {
    const rows = Array.from({ length: Math.min(left, ROWS_OF_A_CALL) }, () => {
      const name = randomBytes(8).toString('hex');
      return { email: `${name}@fabrikam.example`, displayName: `Guest ${name}` };
    });
    const defaults = { message: 'Welcome to our project.\nSee you on Monday!' };
    await gql(
      port,
      'mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { userErrors { code message } } }',
      { tenantId, rows, defaults },
    );
  }
  const held = `select count(*)::int as n from graphile_worker._private_jobs where run_at = '${HELD}'`;
  while ((await db.query(held)).rows[0].n < mails) await wait(50);
  await db.query('vacuum analyze');
}

/** Mails per second from the word to when the last job is gone. */
async function sendHeld(db: pg.Pool, mails: number): Promise<number> {
  await db.query(`update graphile_worker._private_jobs set run_at = now() where run_at = '${HELD}'`);
  const began = performance.now();
  await db.query(`select graphile_worker.add_job('expire_invitations')`);
  const left = `select exists (
    select from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id
    where t.identifier = 'send_invitation_mail') as more`;
  while ((await db.query(left)).rows[0].more) await wait(20);
  const seconds = (performance.now() - began) / 1000;
  const { rows } = await db.query(`select count(*)::int as n from invitation where delivery <> 'SENT'`);
  if (rows[0].n > 0) throw new Error(`${rows[0].n} mails are not noted as sent.`);
  return mails / seconds;
}

async function sendReadyMade(port: number, form: string, message: Buffer, mails: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/`, {
    method: 'POST',
    headers: { 'x-count': String(mails), 'x-form': form },
    body: new Uint8Array(message),
  });
  const { seconds } = (await response.json()) as { seconds: number };
  return mails / seconds;
}

function summary(rounds: Round[]): MailRate {
  if (process.env.BENCH_VERBOSE) console.table(rounds);
  const middle = (of: (round: Round) => number) => median(rounds.map(of));
  return {
    raw: middle(({ raw }) => raw),
    rawBytes: middle(({ rawBytes }) => rawBytes),
    ours: middle(({ ours }) => ours),
    ratio: middle(({ raw, ours }) => ours / raw),
    ratioToBytes: middle(({ rawBytes, ours }) => ours / rawBytes),
    processor: {
      pool: middle(({ pool }) => pool),
      poolOfBytes: middle(({ poolOfBytes }) => poolOfBytes),
      sinkOfPool: middle(({ sinkOfPool }) => sinkOfPool),
      gateway: middle(({ gateway }) => gateway),
      postgres: middle(({ postgres }) => postgres),
      sink: middle(({ sink }) => sink),
    },
  };
}

export function describeMail({ raw, rawBytes, ours, ratio, ratioToBytes, processor }: MailRate): string {
  return [
    "| mails rendered, sent, delivery recorded, 5 connections / nodemailer's pool alone | raw per s | ours per s | ratio | goal |",
    '| --- | ---: | ---: | ---: | ---: |',
    `| messages with texts ready | ${Math.round(raw)} | ${Math.round(ours)} | **${ratio.toFixed(2)}** | 0.80 |`,
    `| messages with bytes ready | ${Math.round(rawBytes)} | ${Math.round(ours)} | **${ratioToBytes.toFixed(2)}** | 0.80 |`,
    '',
    `Processor time a mail (ms): ${JSON.stringify(processor)}`,
  ].join('\n');
}
