/**
 * One run: people at work on a fleet of gateways, while things are killed, cut and put out of time. Then the faults end,
 * everything comes to rest, and what must hold is looked up. Where it takes place is `stage.ts`, what befalls it `faults.ts`,
 * who works there `workload.ts`, what must hold `invariants.ts`.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type Calls, Clients } from './clients.js';
import { dealMisfortunes, type Fault, type FaultKind, faultKinds } from './faults.js';
import { findViolations, type Violation } from './invariants.js';
import { seededRandom } from './random.js';
import { openStage, type Stage } from './stage.js';
import { type Subscriber, subscribe } from './subscriber.js';
import { type Journal, startWorkload } from './workload.js';

export interface ChaosOptions {
  seed: number;
  /** How long faults are dealt; what follows takes as long as it takes. */
  milliseconds: number;
  gateways: number;
  /** Default: the product's own. */
  heartbeat?: { beat: number; silentFor: number };
  rowsPerBulkInvite: { least: number; most: number };
  /** Which share of them is uploaded. Whose process is killed falls silent, and is ended only after a minute. */
  uploads: number;
  /** Between two faults. */
  pauseMilliseconds: { least: number; most: number };
  /** Default: every kind of fault. */
  kinds?: readonly FaultKind[];
  /** Called now and then with what goes on. */
  tell?(line: string): void;
}

export interface ChaosReport {
  seed: number;
  faults: Record<FaultKind, number>;
  /** Gateways started, those after a fault included. */
  starts: number;
  calls: Calls;
  /** What clients were told is done. */
  done: Record<'invited' | 'bulkInvites' | 'bulkRows' | 'resent' | 'revoked' | 'redeemed' | 'declined', number>;
  invitations: number;
  events: number;
  mails: number;
  mailsRepeated: number;
  /** Connections of all subscribers. */
  subscriptions: number;
  /** From the last fault until everything was at rest. */
  restSeconds: number;
  violations: Violation[];
  /** Directory with the data and the words of a run that broke a rule; null otherwise. */
  evidence: string | null;
}

const TENANTS = 2;
const SUBSCRIBERS_PER_TENANT = 2;
const TELL_MILLISECONDS = 30_000;
const PRODUCT_SILENT_MILLISECONDS = 20_000;
/** A heartbeat's silence, an upload's, and some more, in which nothing may seem to move. */
const STANDSTILL_MILLISECONDS = 150_000;
const REST_LOOK_MILLISECONDS = 500;

export async function runChaos({ tell = () => undefined, ...options }: ChaosOptions): Promise<ChaosReport> {
  const stage = await openStage({ ...options, random: seededRandom(options.seed) });
  let violated = false;
  try {
    const { report, faults } = await runOn(stage, { ...options, tell });
    violated = report.violations.length > 0;
    if (!violated) return report;
    await writeFile(join(stage.dataDir, 'gateways.log'), stage.fleet.output().join('\n'));
    await writeFile(join(stage.dataDir, 'faults.json'), JSON.stringify({ ...report, faults }, null, 2));
    return { ...report, evidence: stage.dataDir };
  } finally {
    await stage.stop();
    if (!violated) await rm(stage.dataDir, { recursive: true });
  }
}

async function runOn(stage: Stage, options: Required<Pick<ChaosOptions, 'tell'>> & ChaosOptions) {
  const { fleet, mailbox, random } = stage;
  const clients = new Clients(fleet.url);
  const tenantIds = await makeTenants(clients);
  const grants = await makeGrants(clients, tenantIds);
  const subscribers = tenantIds.flatMap((tenantId, tenant) =>
    Array.from({ length: SUBSCRIBERS_PER_TENANT }, (_, index) =>
      subscribe(`subscriber ${index + 1} of tenant ${tenant + 1}`, () => fleet.url, tenantId),
    ),
  );
  const workload = startWorkload({
    clients,
    mailbox,
    random,
    tenantIds,
    grants,
    rowsPerBulkInvite: options.rowsPerBulkInvite,
    uploads: options.uploads,
  });
  const silentFor = options.heartbeat?.silentFor ?? PRODUCT_SILENT_MILLISECONDS;
  const misfortunes = dealMisfortunes({
    ...stage,
    silentFor,
    kinds: options.kinds ?? faultKinds,
    pauseMilliseconds: options.pauseMilliseconds,
  });
  const { faults } = misfortunes;
  for (const endAt = Date.now() + options.milliseconds; Date.now() < endAt; ) {
    await wait(Math.min(TELL_MILLISECONDS, endAt - Date.now()));
    options.tell(`${faults.length} faults, ${clients.calls.answered} answers, ${mailbox.arrivals.length} mails`);
  }
  await misfortunes.stop();
  options.tell('the faults are over; coming to rest');
  const overAt = Date.now();
  await workload.stop();
  const unrest = await comeToRest(stage, subscribers);
  const restSeconds = (Date.now() - overAt) / 1000;
  await Promise.all(subscribers.map((subscriber) => subscriber.stop()));

  const { journal } = workload;
  const { arrivals } = mailbox;
  const violations = await findViolations({
    ...stage,
    journal,
    subscribers,
    arrivals,
    faults,
    gateways: options.gateways,
  });
  const report: ChaosReport = {
    seed: options.seed,
    faults: countByKind(faults),
    starts: fleet.starts(),
    calls: clients.calls,
    done: countDone(journal),
    invitations: await count(stage, 'invitation'),
    events: await count(stage, 'event'),
    mails: arrivals.length,
    mailsRepeated: arrivals.length - new Set(arrivals.map(({ messageId }) => messageId)).size,
    subscriptions: subscribers.reduce((sum, { connections }) => sum + connections.length, 0),
    restSeconds,
    violations: unrest ? [unrest, ...violations] : violations,
    evidence: null,
  };
  return { report, faults };
}

async function makeTenants(clients: Clients): Promise<string[]> {
  const made: string[] = [];
  for (let number = 1; number <= TENANTS; number++) {
    const { createTenant } = await clients.ask(
      'mutation ($input: CreateTenantInput!) { createTenant(input: $input) { tenant { id } userErrors { code } } }',
      { input: { slug: `tenant-${number}`, displayName: `Tenant ${number}` } },
    );
    made.push(createTenant.tenant.id);
  }
  return made;
}

async function makeGrants(clients: Clients, tenantIds: string[]) {
  const grants = new Map<string, { appId: string; groupId: string }>();
  for (const tenantId of tenantIds) {
    const { registerApp, createGroup } = await clients.ask(
      `mutation ($app: RegisterAppInput!, $group: CreateGroupInput!) {
        registerApp(input: $app) { app { id } userErrors { code } } createGroup(input: $group) { group { id } userErrors { code } }
      }`,
      {
        app: {
          tenantId,
          displayName: 'Desk',
          homePageUrl: 'https://desk.example/',
          redirectUris: ['https://desk.example/cb'],
          roles: [],
        },
        group: { tenantId, displayName: 'Partners' },
      },
    );
    grants.set(tenantId, { appId: registerApp.app.id, groupId: createGroup.group.id });
  }
  return grants;
}

/** What goes on still; a job that lost its key and its attempts to its successor never will. */
const UNREST = `
  select task_identifier as task, key, attempts, locked_by, run_at, last_error from graphile_worker.jobs
  where (key is not null or attempts < max_attempts) and task_identifier <> all ('{clean_up,expire_invitations,end_silent_uploads}')
  union all
  select status, id, null, null, created_at, null from bulk_invite where status in ('RECEIVING', 'QUEUED', 'RUNNING')`;
/** Work that waits to be tried again, a mail mostly, need not wait so long: what is left then is lost. */
const COME_NOW = `update graphile_worker._private_jobs set run_at = now() where run_at > now() and locked_at is null`;

/** Waits as long as anything still moves. @returns what is left when nothing does; null when everything is at rest. */
async function comeToRest(stage: Stage, subscribers: Subscriber[]): Promise<Violation | null> {
  for (
    let movedAt = Date.now(), before = '';
    Date.now() - movedAt < STANDSTILL_MILLISECONDS;
    await wait(REST_LOOK_MILLISECONDS)
  ) {
    await stage.rows(COME_NOW);
    const isWhole = await stage.fleet.isWhole();
    const left = await stage.rows(UNREST);
    if (isWhole && left.length === 0 && (await hasToldAll(stage, subscribers))) return null;
    const now = JSON.stringify([
      left.length,
      await count(stage, 'event'),
      heardBy(subscribers),
      stage.mailbox.arrivals.length,
    ]);
    if (now !== before) movedAt = Date.now();
    before = now;
  }
  const left = await stage.rows(UNREST);
  const isWhole = await stage.fleet.isWhole();
  return { rule: 'everything comes to rest', examples: [{ isWhole }, ...left.slice(0, 5)], count: left.length };
}

async function hasToldAll(stage: Stage, subscribers: Subscriber[]): Promise<boolean> {
  return heardBy(subscribers) >= (await count(stage, 'event')) * SUBSCRIBERS_PER_TENANT;
}

function heardBy(subscribers: Subscriber[]): number {
  return subscribers.reduce((sum, { connections }) => sum + connections.flat().length, 0);
}

async function count(stage: Stage, table: string): Promise<number> {
  const [row] = await stage.rows<{ count: number }>(`select count(*)::int as count from ${table}`);
  return row?.count ?? 0;
}

function countByKind(faults: readonly Fault[]): Record<FaultKind, number> {
  const times = faultKinds.map((kind) => [kind, faults.filter((fault) => fault.kind === kind).length]);
  return Object.fromEntries(times) as Record<FaultKind, number>;
}

function countDone(journal: Journal): ChaosReport['done'] {
  const sum = (numbers: Iterable<number>) => [...numbers].reduce((total, number) => total + number, 0);
  return {
    invited: journal.invited.size,
    bulkInvites: journal.bulkInvites.size,
    bulkRows: sum([...journal.bulkInvites.values()].map(({ rows }) => rows)),
    resent: sum(journal.resent.values()),
    revoked: journal.revoked.size,
    redeemed: journal.redeemed.size,
    declined: journal.declined.size,
  };
}
