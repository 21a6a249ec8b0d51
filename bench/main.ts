/**
 * `npm run bench`: what the main road costs, as ratios against a raw limit in the same run on the same database, the median
 * of several alternating rounds. Absolute numbers belong to the machine, ratios to the code. `bench/README.md` has results.
 */
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from '../src/database/embedded-process.js';
import { startEmbeddedServer } from '../src/database/embedded-server.js';
import { silentLog } from '../src/kernel/log.js';
import { describeBulk, measureBulk } from './bulk.js';
import { describeFeed, measureFeed } from './feed.js';
import { requestsPerSecond } from './load.js';
import { startProcess, untilReady } from './processes.js';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 4);
const key = randomBytes(24).toString('base64url');

/** Each with a gateway and a database of its own; alone by its name in BENCH_ONLY. */
const parts: Record<string, () => Promise<string>> = {
  bulk: async () => describeBulk(await measureBulk()),
  feed: async () => describeFeed(await measureFeed()),
};
const only = parts[process.env.BENCH_ONLY ?? ''];
if (only) {
  console.log(await only());
  process.exit();
}

const inviteDocument = `mutation ($input: InviteUserInput!) {
  inviteUser(input: $input) { invitation { id email status } userErrors { code field message } }
}`;

interface Ratio {
  what: string;
  raw: number;
  ours: number;
  ratio: number;
  goal: number;
}

const dataDir = join(tmpdir(), `vestibule-bench-${randomBytes(4).toString('hex')}`);
const startMilliseconds = await measureStart();
const server = await startEmbeddedServer({ dataDir, log: silentLog });
const [gatewayPort, rawPort] = [await freePort(), await freePort()];
const gateway = startProcess('src/main.js', {
  DATABASE_URL: server.url,
  PORT: String(gatewayPort),
  SECRET_KEYS: randomBytes(24).toString('base64url'),
  SMTP_URL: 'smtp://127.0.0.1:9',
  MAIL_FROM: 'bench@vestibule.example',
  BOOTSTRAP_API_KEY: key,
  DATA_DIR: dataDir,
  LOG_LEVEL: 'warn',
});
const raw = startProcess('bench/raw-server.js', { DATABASE_URL: server.url, PORT: String(rawPort) });
try {
  await untilReady(`http://127.0.0.1:${gatewayPort}/health/ready`, gateway);
  await untilReady(`http://127.0.0.1:${rawPort}/ready`, raw);
  const tenantId = await seed();
  await analyze();
  const results = [await compareInvite(tenantId), await compareList(tenantId)];
  report(results);
} finally {
  await Promise.all([gateway.stop(), raw.stop()]);
  await server.stop();
  await rm(dataDir, { recursive: true, force: true });
}
for (const part of Object.values(parts)) console.log(await part());

async function gql(query: string, variables: object): Promise<Record<string, never>> {
  const response = await fetch(`http://127.0.0.1:${gatewayPort}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data: Record<string, never>; errors?: object[] };
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

/** What autovacuum does within its first minute; a run is over before that. */
async function analyze(): Promise<void> {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  await client.query('analyze');
  await client.end();
}

/** A tenant with an app, two groups and a thousand invitations that grant them. */
async function seed(): Promise<string> {
  const made = (await gql('mutation ($i: CreateTenantInput!) { createTenant(input: $i) { tenant { id } } }', {
    i: { slug: 'bench', displayName: 'Bench' },
  })) as never as { createTenant: { tenant: { id: string } } };
  const tenantId = made.createTenant.tenant.id;
  const app = (await gql('mutation ($i: RegisterAppInput!) { registerApp(input: $i) { app { id } } }', {
    i: { tenantId, displayName: 'Orders', homePageUrl: 'https://orders.contoso.example/', redirectUris: [], roles: [] },
  })) as never as { registerApp: { app: { id: string } } };
  const groupIds: string[] = [];
  for (const displayName of ['Partners', 'Suppliers']) {
    const group = (await gql('mutation ($i: CreateGroupInput!) { createGroup(input: $i) { group { id } } }', {
      i: { tenantId, displayName },
    })) as never as { createGroup: { group: { id: string } } };
    groupIds.push(group.createGroup.group.id);
  }
  for (let n = 0; n < 1000; n++) {
    await gql(inviteDocument, { input: { ...inviteInput(tenantId), appIds: [app.registerApp.app.id], groupIds } });
  }
  return tenantId;
}

function inviteInput(tenantId: string): { tenantId: string; email: string; sendMail: boolean } {
  return { tenantId, email: `guest-${randomBytes(8).toString('hex')}@fabrikam.example`, sendMail: false };
}

function compareInvite(tenantId: string): Promise<Ratio> {
  const body = () => JSON.stringify({ query: inviteDocument, variables: { input: inviteInput(tenantId) } });
  const ours = graphqlLoad(body, 16, (text) => mustContain(text, '"userErrors":[]'));
  const limit = rawLoad('/insert', () => JSON.stringify({ email: inviteInput(tenantId).email }), 16);
  return compare('inviteUser over HTTP, 16 in flight / node:http + pg, one INSERT', 0.3, limit, ours);
}

function compareList(tenantId: string): Promise<Ratio> {
  const query = `query ($id: ID!) { tenant(id: $id) { invitations(first: 50) { nodes {
    id email status delivery createdAt expiresAt language sendCount
    externalUser { id email displayName state } groups { id displayName } apps { id displayName } } } } }`;
  const body = JSON.stringify({ query, variables: { id: tenantId } });
  const ours = graphqlLoad(
    () => body,
    32,
    (text) => mustContain(text, '"nodes":[{'),
  );
  const limit = rawLoad('/list', () => JSON.stringify({ tenantId }), 32);
  return compare(
    'invitations(first: 50) with user, groups, apps, 32 connections / three statements in a bare handler',
    0.14,
    limit,
    ours,
  );
}

function mustContain(text: string, part: string): void {
  if (!text.includes(part)) throw new Error(`Measured something else: ${text.slice(0, 300)}`);
}

function graphqlLoad(body: () => string, inFlight: number, check: (text: string) => void): () => Promise<number> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
  return () =>
    requestsPerSecond({
      origin: `http://127.0.0.1:${gatewayPort}`,
      path: '/graphql',
      headers,
      body,
      inFlight,
      seconds: SECONDS,
      check,
    });
}

function rawLoad(path: string, body: () => string, inFlight: number): () => Promise<number> {
  const headers = { 'content-type': 'application/json' };
  return () =>
    requestsPerSecond({
      origin: `http://127.0.0.1:${rawPort}`,
      path,
      headers,
      body,
      inFlight,
      seconds: SECONDS,
      check: () => undefined,
    });
}

/** Rounds alternate, so that both see the same drift of the machine; the first of each warms up and is dropped. */
async function compare(
  what: string,
  goal: number,
  limit: () => Promise<number>,
  ours: () => Promise<number>,
): Promise<Ratio> {
  const rounds: { raw: number; ours: number }[] = [];
  for (let round = 0; round <= ROUNDS; round++) rounds.push({ raw: await limit(), ours: await ours() });
  const counted = rounds.slice(1);
  const ratio = median(counted.map((round) => round.ours / round.raw));
  return {
    what,
    goal,
    ratio,
    raw: median(counted.map((round) => round.raw)),
    ours: median(counted.map((round) => round.ours)),
  };
}

/** From spawning the process to /health/ready, with a data directory that has been initialised by an earlier start. */
async function measureStart(): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const port = await freePort();
    const env = {
      DATA_DIR: dataDir,
      BOOTSTRAP_API_KEY: key,
      PORT: String(port),
      MAILBOX_SMTP_PORT: '0',
      MAILBOX_WEB_PORT: '0',
      LOG_LEVEL: 'warn',
    };
    const process = startProcess('src/main.js', env);
    times.push(await untilReady(`http://127.0.0.1:${port}/health/ready`, process));
    await process.stop();
  }
  return median(times.slice(1));
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function report(results: Ratio[]): void {
  console.log(
    `Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${ROUNDS} rounds of ${SECONDS} s, medians\n`,
  );
  console.log('| what / raw limit | raw per s | ours per s | ratio | goal |\n| --- | ---: | ---: | ---: | ---: |');
  for (const { what, raw, ours, ratio, goal } of results) {
    console.log(`| ${what} | ${Math.round(raw)} | ${Math.round(ours)} | **${ratio.toFixed(2)}** | ${goal} |`);
  }
  console.log(
    `| start to /health/ready, database initialised (ms) | | ${Math.round(startMilliseconds)} | | under 1500 |`,
  );
}
