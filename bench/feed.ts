/**
 * The feed to many subscribers of the same document, against plain ws in the same run: how many messages a second, what one
 * costs in processor time, whether it costs more with ten times the sockets, and how long from commit to delivery while a bulk
 * invite runs beside. Alone: `npm run build && node dist/bench/feed.js`.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from '../src/database/embedded-process.js';
import { startEmbeddedServer } from '../src/database/embedded-server.js';
import { silentLog } from '../src/kernel/log.js';
import type { Order, ReaderOptions, Report } from './feed-readers.js';
import { median } from './median.js';
import { type Running, startProcess, untilReady } from './processes.js';
import { processorSeconds } from './processor-time.js';

export interface FeedOptions {
  rounds: number;
  sockets: number;
  /** Of a round, back to back. */
  events: number;
  /** Of a round of latencies. */
  seconds: number;
}

export interface FanOut {
  /** Messages a second, medians. */
  raw: number;
  ours: number;
  /** Median of the rounds' own. */
  ratio: number;
  /** Microseconds of the server's processor time a message, medians, and the median of the rounds' ratios raw / ours. */
  rawProcessor: number;
  oursProcessor: number;
  processorRatio: number;
  /** Of the gateway, kilobytes of memory a subscriber. */
  kilobytesPerSubscriber: number;
}

export interface Latency {
  /** Milliseconds from commit to delivery, medians over the rounds. */
  raw: Quantiles;
  ours: Quantiles;
  /** Median of the rounds' p99 ours / raw. */
  ratio: number;
}

interface Quantiles {
  p50: number;
  p99: number;
}

export interface FeedResult {
  fanOut: FanOut;
  latency: Latency;
  /** With ten times the sockets. */
  tenfold: FanOut;
  /** Processor time a message with ten times the sockets / with as many as above; of the raw limit it is the kernel's share. */
  growth: number;
  rawGrowth: number;
}

const defaults: FeedOptions = {
  rounds: Number(process.env.BENCH_ROUNDS ?? 5),
  sockets: Number(process.env.BENCH_SOCKETS ?? 1000),
  events: Number(process.env.BENCH_EVENTS ?? 200),
  seconds: Number(process.env.BENCH_SECONDS ?? 10),
};

const EVENTS_PER_SECOND = 20;
const BULK_ROWS = 5000;
const key = randomBytes(24).toString('base64url');

interface Bench {
  db: pg.Pool;
  gateway: Running;
  gatewayPort: number;
  raw: Running;
  rawPort: number;
  tenantId: string;
  otherTenantId: string;
}

export async function measureFeed(options = defaults): Promise<FeedResult> {
  const dataDir = join(tmpdir(), `vestibule-bench-${randomBytes(4).toString('hex')}`);
  const database = await startEmbeddedServer({ dataDir, log: silentLog });
  const [gatewayPort, rawPort] = [await freePort(), await freePort()];
  const gateway = startProcess('src/main.js', {
    DATABASE_URL: database.url,
    PORT: String(gatewayPort),
    SECRET_KEYS: randomBytes(24).toString('base64url'),
    SMTP_URL: 'smtp://127.0.0.1:9',
    MAIL_FROM: 'bench@vestibule.example',
    BOOTSTRAP_API_KEY: key,
    SOCKETS_PER_API_KEY: '100000',
    DATA_DIR: dataDir,
    LOG_LEVEL: 'warn',
    ...(process.env.BENCH_NODE_OPTIONS && { NODE_OPTIONS: process.env.BENCH_NODE_OPTIONS }),
  });
  const raw = startProcess('bench/feed-raw.js', { DATABASE_URL: database.url, PORT: String(rawPort) });
  const db = new pg.Pool({ connectionString: database.url, max: 2 });
  try {
    await untilReady(`http://127.0.0.1:${gatewayPort}/health/ready`, gateway);
    await untilReady(`http://127.0.0.1:${rawPort}/`, raw);
    const tenants = [await makeTenant(gatewayPort, 'bench'), await makeTenant(gatewayPort, 'bulk')] as const;
    const bench = { db, gateway, gatewayPort, raw, rawPort, tenantId: tenants[0], otherTenantId: tenants[1] };
    const fanOut = await measureFanOut(bench, options);
    const latency = await measureLatency(bench, options);
    const tenfold = await measureFanOut(bench, {
      ...options,
      sockets: options.sockets * 10,
      events: Math.ceil(options.events / 10),
    });
    const growth = tenfold.oursProcessor / fanOut.oursProcessor;
    return { fanOut, latency, tenfold, growth, rawGrowth: tenfold.rawProcessor / fanOut.rawProcessor };
  } finally {
    await db.end();
    await Promise.all([gateway.stop(), raw.stop()]);
    await database.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function measureFanOut(bench: Bench, { rounds, sockets, events }: FeedOptions): Promise<FanOut> {
  const memoryBefore = memoryOf(bench.gateway);
  const ours = await openReaders(oursOptions(bench, sockets));
  const kilobytesPerSubscriber = (memoryOf(bench.gateway) - memoryBefore) / sockets;
  const raw = await openReaders({ port: bench.rawPort, sockets, subscription: null });
  const measured: { raw: Rate; ours: Rate }[] = [];
  try {
    for (let round = 0; round <= rounds; round++) {
      const own = await rateOf(bench.gateway, ours, sockets, events, () => writeEvents(bench, events));
      const { sample } = own;
      const limit = await rateOf(bench.raw, raw, sockets, events, () => burst(bench, sample, events));
      measured.push({ raw: limit, ours: own });
    }
  } finally {
    for (const { child } of [ours, raw]) child.disconnect();
  }
  const counted = measured.slice(1);
  if (process.env.BENCH_VERBOSE)
    console.table(
      counted.map(({ raw, ours }) => ({
        raw: raw.perSecond,
        ours: ours.perSecond,
        rawCpu: raw.microseconds,
        oursCpu: ours.microseconds,
      })),
    );
  const middle = (of: (round: { raw: Rate; ours: Rate }) => number) => median(counted.map(of));
  return {
    raw: middle((round) => round.raw.perSecond),
    ours: middle((round) => round.ours.perSecond),
    ratio: middle((round) => round.ours.perSecond / round.raw.perSecond),
    rawProcessor: middle((round) => round.raw.microseconds),
    oursProcessor: middle((round) => round.ours.microseconds),
    processorRatio: middle((round) => round.raw.microseconds / round.ours.microseconds),
    kilobytesPerSubscriber,
  };
}

interface Rate {
  perSecond: number;
  /** Of the server's processor time, a message. */
  microseconds: number;
  sample: string;
}

async function rateOf(
  server: Running,
  readers: Readers,
  sockets: number,
  events: number,
  send: () => Promise<unknown>,
): Promise<Rate> {
  const spentBefore = processorSeconds(server.child.pid ?? 0);
  const all = readers.ask({ do: 'count', eventsPerSocket: events });
  const began = performance.timeOrigin + performance.now();
  await send();
  const { at, sample } = (await all) as Report & { did: 'count' };
  const spent = processorSeconds(server.child.pid ?? 0) - spentBefore;
  const messages = sockets * events;
  return { perSecond: messages / ((at - began) / 1000), microseconds: (spent * 1e6) / messages, sample };
}

function oursOptions({ gatewayPort, tenantId }: Bench, sockets: number): ReaderOptions {
  const query = `subscription { redemptionEvents(tenantId: "${tenantId}") {
    __typename
    ... on RedemptionEvent { id cursor type at reason detail actor { kind displayName } }
    ... on FeedCheckpoint { cursor }
    ... on FeedLagged { resumeAfter }
  } }`;
  return {
    port: gatewayPort,
    sockets,
    subscription: { authorization: `Bearer ${key}`, query, ready: 'FeedCheckpoint' },
  };
}

/** One transaction, one doorbell. @returns sequence numbers */
async function writeEvents({ db, tenantId }: Bench, count: number): Promise<string[]> {
  const { rows } = await db.query(
    `with told as (
      insert into event (tenant_id, type, at, actor_kind, actor_name, invitation_id, app_ids)
      select $1, 'STARTED', now(), 'GUEST', 'Guest', 'inv_01jd0000000000000000000000', '{}' from generate_series(1, $2::int)
      returning seq
    ), rung as (select pg_notify('vestibule_feed', ''))
    select seq from told, rung`,
    [tenantId, count],
  );
  return rows.map(({ seq }) => seq);
}

function burst({ rawPort }: Bench, message: string, count: number): Promise<unknown> {
  return fetch(`http://127.0.0.1:${rawPort}/burst`, { method: 'POST', body: JSON.stringify({ message, count }) });
}

async function measureLatency(bench: Bench, { rounds, sockets, seconds }: FeedOptions): Promise<Latency> {
  const ours = await openReaders(oursOptions(bench, sockets));
  const raw = await openReaders({ port: bench.rawPort, sockets, subscription: null });
  const message = await sampleOf(bench, ours, sockets);
  const bulk = keepBulkRunning(bench);
  const measured: { raw: Quantiles; ours: Quantiles }[] = [];
  try {
    for (let round = 0; round <= rounds; round++) {
      measured.push({
        raw: await latencyOf(raw, seconds, () => writeAndNotify(bench, message)),
        ours: await latencyOf(ours, seconds, async () => (await writeEvents(bench, 1))[0] ?? ''),
      });
    }
  } finally {
    await bulk.stop();
    for (const { child } of [ours, raw]) child.disconnect();
  }
  const counted = measured.slice(1);
  if (process.env.BENCH_VERBOSE)
    console.table(
      counted.map(({ raw, ours }) => ({ raw50: raw.p50, raw99: raw.p99, ours50: ours.p50, ours99: ours.p99 })),
    );
  const middle = (of: (round: { raw: Quantiles; ours: Quantiles }) => number) => median(counted.map(of));
  return {
    raw: { p50: middle((round) => round.raw.p50), p99: middle((round) => round.raw.p99) },
    ours: { p50: middle((round) => round.ours.p50), p99: middle((round) => round.ours.p99) },
    ratio: middle((round) => round.ours.p99 / round.raw.p99),
  };
}

async function sampleOf(bench: Bench, readers: Readers, sockets: number): Promise<string> {
  return (await rateOf(bench.gateway, readers, sockets, 1, () => writeEvents(bench, 1))).sample;
}

/** Events at a steady pace; for each socket and event, from the answer of its commit to its arrival. */
async function latencyOf(readers: Readers, seconds: number, write: () => Promise<string>): Promise<Quantiles> {
  await readers.ask({ do: 'watch' });
  const eventsPerSocket = seconds * EVENTS_PER_SECOND;
  const all = readers.ask({ do: 'count', eventsPerSocket });
  const committed = new Map<string, number>();
  const began = performance.now();
  for (let written = 0; written < eventsPerSocket; written++) {
    await wait(Math.max(began + (written * 1000) / EVENTS_PER_SECOND - performance.now(), 0));
    const seq = await write();
    committed.set(seq, performance.timeOrigin + performance.now());
  }
  await all;
  const { arrivals } = (await readers.ask({ do: 'arrivals' })) as Report & { did: 'arrivals' };
  const delays = [...committed].flatMap(([seq, at]) => (arrivals[seq] ?? []).map((time) => Math.max(time - at, 0)));
  delays.sort((a, b) => a - b);
  const at = (share: number) => delays[Math.floor(delays.length * share)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

let rawEvents = 0;

/** The same row, of a tenant nobody follows, and the text by NOTIFY. */
async function writeAndNotify({ db, otherTenantId }: Bench, message: string): Promise<string> {
  const seq = `raw${rawEvents++}`;
  await db.query(
    `with told as (
      insert into event (tenant_id, type, at, actor_kind, actor_name, invitation_id, app_ids)
      values ($1, 'STARTED', now(), 'GUEST', 'Guest', 'inv_01jd0000000000000000000000', '{}')
    ) select pg_notify('raw_feed', $2)`,
    [otherTenantId, message.replace(/evt_\w+/, `evt_${seq}`)],
  );
  return seq;
}

/** In another tenant, one after the other, so that its work never pauses. */
function keepBulkRunning({ gatewayPort, otherTenantId, db }: Bench): { stop(): Promise<void> } {
  let isRunning = true;
  const run = async () => {
    while (isRunning) {
      const rows = Array.from({ length: BULK_ROWS }, () => ({
        email: `${randomBytes(8).toString('hex')}@fabrikam.example`,
      }));
      const input = { tenantId: otherTenantId, rows, defaults: { sendMail: false } };
      await gql(
        gatewayPort,
        'mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { userErrors { code message } } }',
        input,
      );
      const open = `select exists (select from bulk_invite where finished_at is null) as open`;
      while ((await db.query(open)).rows[0].open) await wait(20);
    }
  };
  const running = run();
  return {
    stop: () => {
      isRunning = false;
      return running;
    },
  };
}

async function makeTenant(port: number, slug: string): Promise<string> {
  const document = 'mutation ($input: CreateTenantInput!) { createTenant(input: $input) { tenant { id } } }';
  const { createTenant } = await gql(port, document, { slug, displayName: slug });
  return (createTenant as { tenant: { id: string } }).tenant.id;
}

async function gql(port: number, query: string, input: object): Promise<Record<string, unknown>> {
  const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ query, variables: { input } }),
  });
  const { data, errors } = (await response.json()) as { data: Record<string, unknown>; errors?: object[] };
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

interface Readers {
  child: ChildProcess;
  ask(order: Order): Promise<Report>;
}

async function openReaders(options: ReaderOptions): Promise<Readers> {
  const child = fork(join(import.meta.dirname, 'feed-readers.js'));
  const ask = async (order: Order): Promise<Report> => {
    child.send(order);
    const [told] = (await once(child, 'message')) as [Report];
    return told;
  };
  await ask({ do: 'open', options });
  return { child, ask };
}

/** Kilobytes; 0 where there is no /proc. */
function memoryOf({ child }: Running): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

export function describeFeed({ fanOut, tenfold, latency, growth, rawGrowth }: FeedResult): string {
  const describe = (name: string, each: FanOut) =>
    `${name}: raw ${Math.round(each.raw)}/s, ours ${Math.round(each.ours)}/s, ratio ${each.ratio.toFixed(2)}; processor ` +
    `${each.rawProcessor.toFixed(1)} and ${each.oursProcessor.toFixed(1)} us a message, ratio ${each.processorRatio.toFixed(2)}; ` +
    `${each.kilobytesPerSubscriber.toFixed(1)} kB a subscriber`;
  return [
    describe('one event to all, goal 0.60', fanOut),
    describe('ten times the sockets', tenfold),
    `growth of the processor time a message: raw ${rawGrowth.toFixed(2)}, ours ${growth.toFixed(2)}, goal at most 1.2`,
    `commit to delivery beside a bulk: raw p50 ${latency.raw.p50.toFixed(1)} p99 ${latency.raw.p99.toFixed(1)} ms, ` +
      `ours p50 ${latency.ours.p50.toFixed(1)} p99 ${latency.ours.p99.toFixed(1)} ms, p99 ratio ${latency.ratio.toFixed(2)}, goal under 2`,
  ].join('\n');
}
