/** What the main road costs: inviting, accepting and listing, each against a bare handler on the same database, and starting. */
import { randomBytes, randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from '../src/database/embedded-process.js';
import { startEmbeddedServer } from '../src/database/embedded-server.js';
import { silentLog } from '../src/kernel/log.js';
import { Secrets } from '../src/kernel/secrets.js';
import { acceptDocument, prepareAcceptances } from './accept.js';
import { requestsPerSecond } from './load.js';
import { median } from './median.js';
import { startProcess, untilReady } from './processes.js';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 4);
/** More than the gateway can accept in a round; of the raw handler several times that. */
const ACCEPTANCES_PER_SECOND = 2500;
const RAW_PER_SECOND = 10_000;
const BULK_ROWS = 10_000;

const inviteDocument = `mutation ($input: InviteUserInput!) {
  inviteUser(input: $input) { invitation { id email status } userErrors { code field message } }
}`;

const listDocument = `query ($id: ID!) { tenant(id: $id) { invitations(first: 50) { nodes {
  id email status delivery createdAt expiresAt language sendCount
  externalUser { id email displayName state } groups { id displayName } apps { id displayName } } } } }`;

interface Ratio {
  what: string;
  raw: number;
  ours: number;
  ratio: number;
  goal: number;
}

/** Requests per second. */
interface Round {
  raw: number;
  ours: number;
}

/** @returns a Markdown table. */
export async function measureRoad(): Promise<string> {
  const dataDir = join(tmpdir(), `vestibule-bench-${randomBytes(4).toString('hex')}`);
  const key = randomBytes(24).toString('base64url');
  const startMilliseconds = await measureStart(dataDir, key);
  const server = await startEmbeddedServer({ dataDir, log: silentLog });
  const [gatewayPort, rawPort] = [await freePort(), await freePort()];
  const secretKey = randomBytes(24).toString('base64url');
  const gateway = startProcess('src/main.js', {
    DATABASE_URL: server.url,
    PORT: String(gatewayPort),
    SECRET_KEYS: secretKey,
    SMTP_URL: 'smtp://127.0.0.1:9',
    MAIL_FROM: 'bench@vestibule.example',
    BOOTSTRAP_API_KEY: key,
    DATA_DIR: dataDir,
    LOG_LEVEL: 'warn',
  });
  const raw = startProcess('bench/raw-server.js', { DATABASE_URL: server.url, PORT: String(rawPort) });
  const database = new pg.Client({ connectionString: server.url });
  try {
    await untilReady(`http://127.0.0.1:${gatewayPort}/health/ready`, gateway);
    await untilReady(`http://127.0.0.1:${rawPort}/ready`, raw);
    await database.connect();
    const origins = { gateway: `http://127.0.0.1:${gatewayPort}`, raw: `http://127.0.0.1:${rawPort}` };
    const road = await Road.open({ origins, key, secrets: new Secrets([secretKey]), database });
    const ratios = [await road.compareInvite(), await road.compareAccept(), await road.compareList()];
    return tableOf(ratios, startMilliseconds);
  } finally {
    await database.end();
    await Promise.all([gateway.stop(), raw.stop()]);
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

interface RoadParts {
  origins: { gateway: string; raw: string };
  key: string;
  secrets: Secrets;
  database: pg.Client;
}

class Road {
  readonly #parts: RoadParts;
  #tenantId = '';
  #grants: { appIds: string[]; groupIds: string[] } = { appIds: [], groupIds: [] };

  private constructor(parts: RoadParts) {
    this.#parts = parts;
  }

  /** A tenant with an app, two groups and a thousand invitations that grant them. */
  static async open(parts: RoadParts): Promise<Road> {
    const road = new Road(parts);
    await road.#makeTenant();
    for (let n = 0; n < 1000; n++) {
      await road.#ask(inviteDocument, { input: { ...road.#inviteInput(), ...road.#grants } });
    }
    // What autovacuum does within its first minute; a run is over before that.
    await parts.database.query('analyze');
    return road;
  }

  compareInvite(): Promise<Ratio> {
    const body = () => JSON.stringify({ query: inviteDocument, variables: { input: this.#inviteInput() } });
    return compare('`inviteUser` over HTTP, 16 in flight / `node:http` + `pg`, one INSERT', 0.3, async () => ({
      raw: await this.#loadRaw('/insert', () => JSON.stringify({ email: this.#inviteInput().email }), 16),
      ours: await this.#load(body, 16, '"userErrors":[]', this.#parts.key),
    }));
  }

  /** By the guest's passcode, granting an app and two groups. Each round has invitations of its own. */
  compareAccept(): Promise<Ratio> {
    return compare('accepted over GraphQL, 16 in flight / `node:http` + `pg`, one guarded UPDATE', 0.25, async () => {
      const ready = await this.#invitationsToAccept();
      const rawIds = await this.#rawRowsToAccept();
      return {
        raw: await this.#loadRaw('/accept', () => JSON.stringify({ id: next(rawIds) }), 16),
        ours: await this.#load(
          () => JSON.stringify({ query: acceptDocument, variables: next(ready) }),
          16,
          '"status":"REDEEMED"',
          null,
        ),
      };
    });
  }

  compareList(): Promise<Ratio> {
    const body = JSON.stringify({ query: listDocument, variables: { id: this.#tenantId } });
    const what =
      '`invitations(first: 50)` with user, groups, apps, 32 connections / three flat statements in a bare handler';
    return compare(what, 0.14, async () => ({
      raw: await this.#loadRaw('/list', () => JSON.stringify({ tenantId: this.#tenantId }), 32),
      ours: await this.#load(() => body, 32, '"nodes":[{', this.#parts.key),
    }));
  }

  async #makeTenant(): Promise<void> {
    const { createTenant } = await this.#ask(
      'mutation ($i: CreateTenantInput!) { createTenant(input: $i) { tenant { id } } }',
      { i: { slug: 'bench', displayName: 'Bench' } },
    );
    this.#tenantId = createTenant.tenant.id;
    const tenantId = this.#tenantId;
    const made = await this.#ask(
      `mutation ($app: RegisterAppInput!, $one: CreateGroupInput!, $two: CreateGroupInput!) {
        registerApp(input: $app) { app { id } }
        one: createGroup(input: $one) { group { id } }
        two: createGroup(input: $two) { group { id } } }`,
      {
        app: { tenantId, displayName: 'Orders', homePageUrl: 'https://orders.contoso.example/', redirectUris: [] },
        one: { tenantId, displayName: 'Partners' },
        two: { tenantId, displayName: 'Suppliers' },
      },
    );
    this.#grants = { appIds: [made.registerApp.app.id], groupIds: [made.one.group.id, made.two.group.id] };
  }

  #inviteInput(): { tenantId: string; email: string; sendMail: boolean } {
    return { tenantId: this.#tenantId, email: randomEmail(), sendMail: false };
  }

  async #invitationsToAccept(): Promise<object[]> {
    const { database, secrets } = this.#parts;
    await database.query(`update invitation set status = 'REVOKED' where status = 'PENDING'`);
    for (let left = ACCEPTANCES_PER_SECOND * SECONDS; left > 0; left -= BULK_ROWS) await this.#inviteInBulk();
    return prepareAcceptances(database, secrets, this.#tenantId);
  }

  async #inviteInBulk(): Promise<void> {
    const rows = Array.from({ length: BULK_ROWS }, () => ({ email: randomEmail() }));
    const { bulkInvite } = await this.#ask(
      'mutation ($i: BulkInviteInput!) { bulkInvite(input: $i) { bulkInvite { id } userErrors { message } } }',
      { i: { tenantId: this.#tenantId, rows, defaults: { ...this.#grants, sendMail: false } } },
    );
    const progress = 'query ($id: ID!) { node(id: $id) { ... on BulkInvite { status } } }';
    while ((await this.#ask(progress, { id: bulkInvite.bulkInvite.id })).node.status !== 'COMPLETED') await wait(50);
  }

  async #rawRowsToAccept(): Promise<string[]> {
    const ids = Array.from({ length: RAW_PER_SECOND * SECONDS }, () => randomUUID());
    await this.#parts.database.query(
      `insert into raw_acceptance select id, 'PENDING', null from unnest($1::uuid[]) as row (id)`,
      [ids],
    );
    await this.#parts.database.query('analyze raw_acceptance');
    return ids;
  }

  // biome-ignore lint/suspicious/noExplicitAny: answers are of the document's shape
  async #ask(query: string, variables: object): Promise<any> {
    const { origins, key } = this.#parts;
    const response = await fetch(`${origins.gateway}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await response.json()) as { data: object; errors?: object[] };
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  }

  /** @param key null: a stranger. */
  #load(body: () => string, inFlight: number, answersContain: string, key: string | null): Promise<number> {
    return requestsPerSecond({
      origin: this.#parts.origins.gateway,
      path: '/graphql',
      headers: { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) },
      body,
      inFlight,
      seconds: SECONDS,
      check: (text) => {
        if (!text.includes(answersContain)) throw new Error(`Measured something else: ${text.slice(0, 300)}`);
      },
    });
  }

  #loadRaw(path: string, body: () => string, inFlight: number): Promise<number> {
    return requestsPerSecond({
      origin: this.#parts.origins.raw,
      path,
      headers: { 'content-type': 'application/json' },
      body,
      inFlight,
      seconds: SECONDS,
      check: () => undefined,
    });
  }
}

function randomEmail(): string {
  return `guest-${randomBytes(8).toString('hex')}@fabrikam.example`;
}

function next<T>(prepared: T[]): T {
  const one = prepared.pop();
  if (one === undefined) throw new Error('Too few were prepared for a round.');
  return one;
}

/** Rounds alternate, so that both see the same drift of the machine; the first warms up and is dropped. */
async function compare(what: string, goal: number, measureRound: () => Promise<Round>): Promise<Ratio> {
  const rounds: Round[] = [];
  for (let round = 0; round <= ROUNDS; round++) rounds.push(await measureRound());
  const counted = rounds.slice(1);
  return {
    what,
    goal,
    ratio: median(counted.map(({ raw, ours }) => ours / raw)),
    raw: median(counted.map(({ raw }) => raw)),
    ours: median(counted.map(({ ours }) => ours)),
  };
}

/** Milliseconds from spawning the process to /health/ready, with a data directory that an earlier start initialised. */
async function measureStart(dataDir: string, key: string): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const port = await freePort();
    const process = startProcess('src/main.js', {
      DATA_DIR: dataDir,
      BOOTSTRAP_API_KEY: key,
      PORT: String(port),
      MAILBOX_SMTP_PORT: '0',
      MAILBOX_WEB_PORT: '0',
      LOG_LEVEL: 'warn',
    });
    times.push(await untilReady(`http://127.0.0.1:${port}/health/ready`, process));
    await process.stop();
  }
  return median(times.slice(1));
}

function tableOf(ratios: Ratio[], startMilliseconds: number): string {
  return [
    `| what / raw limit; ${ROUNDS} rounds of ${SECONDS} s | raw per s | ours per s | ratio | goal |`,
    '| --- | ---: | ---: | ---: | ---: |',
    ...ratios.map(
      ({ what, raw, ours, ratio, goal }) =>
        `| ${what} | ${Math.round(raw)} | ${Math.round(ours)} | **${ratio.toFixed(2)}** | ${goal} |`,
    ),
    `| start to \`/health/ready\`, database initialised (ms) | | **${Math.round(startMilliseconds)}** | | under 1500 |`,
  ].join('\n');
}
