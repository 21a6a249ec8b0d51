/**
 * Whether a unit of work costs more when there is ten times as much around it: processor time of the gateway and of PostgreSQL
 * an operation, with ten times the tenants, and with ten times the invitations in a tenant. Sockets are measured with the feed.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { requestsPerSecond } from './load.js';
import { median } from './median.js';
import { onStage, type Stage } from './stage.js';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 4);
const TENANTS = Number(process.env.BENCH_TENANTS ?? 200);
const ROWS = Number(process.env.BENCH_GROWTH_ROWS ?? 20_000);
const BULK_ROWS = 10_000;
const GOAL = 1.2;

const inviteDocument = `mutation ($input: InviteUserInput!) {
  inviteUser(input: $input) { invitation { id email status } userErrors { code } }
}`;

const pageDocument = `query ($id: ID!, $after: String) { tenant(id: $id) { invitations(first: 50, after: $after) {
  pageInfo { endCursor } nodes { id email status delivery createdAt externalUser { id state } groups { id } } } } }`;

const searchDocument = `query ($id: ID!, $part: String!) { tenant(id: $id) {
  invitations(first: 50, filter: { emailContains: $part }) { nodes { id email status } } } }`;

interface Growth {
  what: string;
  /** Microseconds of processor time an operation. */
  few: number;
  many: number;
}

/** @returns a Markdown table. */
export function measureGrowth(): Promise<string> {
  return onStage(async (stage) => {
    const tenants = await growTenants(stage);
    const rows = await growRows(stage);
    return tableOf([...tenants, ...rows]);
  });
}

async function growTenants(stage: Stage): Promise<Growth[]> {
  const tenantIds: string[] = [];
  const invite = () => costOf(stage, () => inviting(tenantIds[Math.floor(Math.random() * tenantIds.length)] ?? ''));
  while (tenantIds.length < TENANTS) tenantIds.push(await createTenant(stage));
  const few = await settled(stage, invite);
  while (tenantIds.length < TENANTS * 10) tenantIds.push(await createTenant(stage));
  return [{ what: `\`inviteUser\`, ${TENANTS} and ${TENANTS * 10} tenants`, few, many: await settled(stage, invite) }];
}

interface Place {
  /** The cursor half-way through the invitations of the tenant. */
  middle: string | null;
  /** In the address of one of them alone. */
  part: string;
}

async function growRows(stage: Stage): Promise<Growth[]> {
  const tenantId = await createTenant(stage);
  await inviteInBulk(stage, tenantId, ROWS);
  const few = await costsIn(stage, tenantId);
  await inviteInBulk(stage, tenantId, ROWS * 9);
  const many = await costsIn(stage, tenantId);
  const sizes = `${ROWS} and ${ROWS * 10} invitations`;
  return Object.entries(few).map(([what, cost]) => ({ what: `${what}, ${sizes}`, few: cost, many: many[what] ?? 0 }));
}

async function costsIn(stage: Stage, tenantId: string): Promise<Record<string, number>> {
  const place = await placeIn(stage, tenantId);
  const page = (after: string | null) => () => ({ query: pageDocument, variables: { id: tenantId, after } });
  const search = () => ({ query: searchDocument, variables: { id: tenantId, part: place.part } });
  return {
    '`inviteUser`': await settled(stage, () => costOf(stage, () => inviting(tenantId))),
    'first page of 50': await settled(stage, () => costOf(stage, page(null))),
    'page of 50 in the middle': await settled(stage, () => costOf(stage, page(place.middle))),
    'search by part of an address': await settled(stage, () => costOf(stage, search)),
    'row of a bulk invite': await settled(stage, () => bulkRowCost(stage, tenantId)),
  };
}

async function placeIn({ client, ask }: Stage, tenantId: string): Promise<Place> {
  const { rows } = await client.query<{ email: string }>(
    'select email from invitation where tenant_id = $1 order by created_at, id limit 1',
    [tenantId],
  );
  const counted = await client.query<{ count: number }>(
    'select count(*)::int as count from invitation where tenant_id = $1',
    [tenantId],
  );
  let middle: string | null = null;
  for (let passed = 0; passed < (counted.rows[0]?.count ?? 0) / 2; passed += 50) {
    const { tenant } = await ask(pageDocument, { id: tenantId, after: middle });
    middle = tenant.invitations.pageInfo.endCursor;
  }
  return { middle, part: (rows[0]?.email ?? '').slice(8, 20) };
}

function inviting(tenantId: string) {
  return { query: inviteDocument, variables: { input: { tenantId, email: randomEmail(), sendMail: false } } };
}

/** Microseconds of processor time an operation, of the gateway and PostgreSQL together. */
async function costOf({ origin, key, spent }: Stage, body: () => object): Promise<number> {
  const before = spent();
  const perSecond = await requestsPerSecond({
    origin,
    path: '/graphql',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: () => JSON.stringify(body()),
    inFlight: 16,
    seconds: SECONDS,
    check: (text) => {
      if (text.includes('"errors"') || text.includes('"code"')) throw new Error(text.slice(0, 300));
    },
  });
  return microseconds(spent(), before) / (perSecond * SECONDS);
}

async function bulkRowCost(stage: Stage, tenantId: string): Promise<number> {
  const before = stage.spent();
  await inviteInBulk(stage, tenantId, BULK_ROWS / 10);
  return microseconds(stage.spent(), before) / (BULK_ROWS / 10);
}

type Spent = ReturnType<Stage['spent']>;

function microseconds(after: Spent, before: Spent): number {
  return (after.gateway - before.gateway + after.postgres - before.postgres) * 1e6;
}

/** With statistics as autovacuum would have made them within a minute; the first round warms up and is dropped. */
async function settled({ client }: Stage, measure: () => Promise<number>): Promise<number> {
  await client.query('vacuum analyze');
  await client.query('checkpoint');
  const rounds: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) rounds.push(await measure());
  return median(rounds.slice(1));
}

let tenants = 0;

async function createTenant({ ask }: Stage): Promise<string> {
  const slug = `tenant-${++tenants}`;
  const { createTenant: made } = await ask(
    'mutation ($input: CreateTenantInput!) { createTenant(input: $input) { tenant { id } } }',
    { input: { slug, displayName: slug } },
  );
  return made.tenant.id;
}

async function inviteInBulk({ ask }: Stage, tenantId: string, count: number): Promise<void> {
  for (let left = count; left > 0; left -= BULK_ROWS) {
    const rows = Array.from({ length: Math.min(left, BULK_ROWS) }, () => ({ email: randomEmail() }));
    const { bulkInvite } = await ask(
      'mutation ($i: BulkInviteInput!) { bulkInvite(input: $i) { bulkInvite { id } userErrors { message } } }',
      { i: { tenantId, rows, defaults: { sendMail: false } } },
    );
    const progress = 'query ($id: ID!) { node(id: $id) { ... on BulkInvite { status } } }';
    while ((await ask(progress, { id: bulkInvite.bulkInvite.id })).node.status !== 'COMPLETED') await wait(50);
  }
}

function randomEmail(): string {
  return `guest-${randomBytes(8).toString('hex')}@fabrikam.example`;
}

function tableOf(growths: Growth[]): string {
  return [
    '| processor time an operation (µs) | few | ten times as many | growth | goal |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...growths.map(
      ({ what, few, many }) =>
        `| ${what} | ${Math.round(few)} | ${Math.round(many)} | **${(many / few).toFixed(2)}** | at most ${GOAL} |`,
    ),
  ].join('\n');
}
