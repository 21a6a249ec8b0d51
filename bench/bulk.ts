/**
 * A file through POST /bulk-invites, without mails and with two grants a row, from the first byte until COMPLETED, against COPY
 * of as many rows into the invitation table alone; and what memory the process takes beyond what it takes when idle, for one
 * file and for one of ten times its rows. Alone: `npm run build && node dist/bench/bulk.js`.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import { median } from './median.js';
import type { Running } from './processes.js';
import { onStage, type Stage } from './stage.js';

export interface BulkOptions {
  rounds: number;
  /** Of a round. */
  rows: number;
  /** Of the large file; 0: none is sent. */
  largeRows: number;
}

export interface BulkRate {
  /** Rows per second. */
  raw: number;
  ours: number;
  /** Median of the rounds' own. */
  ratio: number;
  /** Microseconds of processor time a row, medians: less noisy than rates while other work runs on the machine. */
  processor: Processor;
  /** Megabytes of resident memory above idle, the most that was seen. */
  memory: Memory[];
}

interface Processor {
  copy: number;
  gateway: number;
  postgres: number;
}

interface Memory {
  rows: number;
  megabytes: number;
  rowsPerSecond: number;
}

interface Round extends Processor {
  raw: number;
  ours: number;
  megabytes: number;
}

const defaults: BulkOptions = {
  rounds: Number(process.env.BENCH_ROUNDS ?? 5),
  rows: Number(process.env.BENCH_BULK_ROWS ?? 100_000),
  largeRows: Number(process.env.BENCH_LARGE_ROWS ?? 1_000_000),
};

const POLL_MILLISECONDS = 20;

interface Bench extends Stage {
  tenantId: string;
}

export function measureBulk({ rounds, rows, largeRows } = defaults): Promise<BulkRate> {
  return onStage(async (stage) => {
    const bench = { ...stage, tenantId: await seed(stage) };
    const measured: Round[] = [];
    for (let round = 0; round <= rounds; round++) measured.push(await measureRound(bench, rows));
    return summarise(bench, measured.slice(1), rows, largeRows);
  });
}

async function measureRound(bench: Bench, rows: number): Promise<Round> {
  const sent = await sendFile(bench, rows);
  const copied = await copyRows(bench, sent.bulkInviteId, rows);
  return {
    ours: sent.rowsPerSecond,
    megabytes: sent.megabytes,
    gateway: sent.gateway,
    postgres: sent.postgres,
    raw: copied.rowsPerSecond,
    copy: copied.processor,
  };
}

async function summarise(bench: Bench, rounds: Round[], rows: number, largeRows: number): Promise<BulkRate> {
  const of = (value: (round: Round) => number) => median(rounds.map(value));
  const ours = of((round) => round.ours);
  const memory = [{ rows, megabytes: Math.max(...rounds.map((round) => round.megabytes)), rowsPerSecond: ours }];
  if (largeRows > 0) {
    const { megabytes, rowsPerSecond } = await sendFile(bench, largeRows);
    memory.push({ rows: largeRows, megabytes, rowsPerSecond });
  }
  return {
    raw: of((round) => round.raw),
    ours,
    ratio: of((round) => round.ours / round.raw),
    processor: {
      copy: of((round) => round.copy),
      gateway: of((round) => round.gateway),
      postgres: of((round) => round.postgres),
    },
    memory,
  };
}

async function sendFile({ origin, key, client, gateway, spent, tenantId }: Bench, rows: number) {
  await client.query('checkpoint');
  const idle = memoryOf(gateway);
  const watch = watchMemory(gateway);
  const before = spent();
  const began = performance.now();
  const response = await fetch(`${origin}/bulk-invites?tenantId=${tenantId}&sendMail=false`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'text/csv' },
    body: ReadableStream.from(csvOf(rows)),
    duplex: 'half',
  } as RequestInit);
  const { bulkInviteId, errors } = (await response.json()) as { bulkInviteId: string; errors?: object[] };
  if (errors) throw new Error(JSON.stringify(errors));
  await untilCompleted(client, bulkInviteId, rows);
  const seconds = (performance.now() - began) / 1000;
  const after = spent();
  return {
    bulkInviteId,
    rowsPerSecond: rows / seconds,
    megabytes: (watch.stop() - idle) / 1024,
    gateway: ((after.gateway - before.gateway) * 1e6) / rows,
    postgres: ((after.postgres - before.postgres) * 1e6) / rows,
  };
}

/** Addresses nobody has yet, in no order, and two groups by name in every row. */
async function* csvOf(rows: number): AsyncGenerator<Uint8Array> {
  const batch = randomBytes(4).toString('hex');
  const encoder = new TextEncoder();
  yield encoder.encode('email,displayName,groups\n');
  for (let first = 0; first < rows; first += 1000) {
    const lines = Array.from({ length: Math.min(1000, rows - first) }, (_, index) => {
      const name = `${randomBytes(8).toString('hex')}${batch}`;
      return `guest-${name}@fabrikam.example,Guest ${first + index},Partners;Suppliers\n`;
    });
    yield encoder.encode(lines.join(''));
  }
}

async function untilCompleted(client: pg.Client, id: string, rows: number): Promise<void> {
  for (;;) {
    const { rows: found } = await client.query('select status, invited_rows from bulk_invite where id = $1', [id]);
    const { status, invited_rows: invited } = found[0] ?? {};
    if (status === 'COMPLETED' && invited === rows) return;
    if (!['QUEUED', 'RUNNING'].includes(status)) throw new Error(`The batch is ${status} with ${invited} invited.`);
    await wait(POLL_MILLISECONDS);
  }
}

/** The invitations just made, to another tenant whose users are there already: their indexes and foreign keys are the same. */
async function copyRows({ client, spent, tenantId }: Bench, bulkInviteId: string, rows: number) {
  const other = `tnt_${randomBytes(13).toString('hex')}`;
  const replaced: Record<string, string> = {
    id: `replace(id, 'inv_', 'inw_')`,
    tenant_id: `'${other}'`,
    external_user_id: `replace(external_user_id, 'usr_', 'usw_')`,
    bulk_invite_id: 'null',
  };
  const columns = async (table: string) => {
    const { rows: found } = await client.query<{ name: string }>(
      `select column_name as name from information_schema.columns where table_schema = 'public' and table_name = $1 order by ordinal_position`,
      [table],
    );
    return found.map(({ name }) => name);
  };
  const tenantColumns = (await columns('tenant')).map((name) => (['id', 'slug'].includes(name) ? `'${other}'` : name));
  await client.query(`insert into tenant select ${tenantColumns.join(', ')} from tenant where id = '${tenantId}'`);
  const userColumns = (await columns('external_user')).map((name) =>
    name === 'id' ? `replace(id, 'usr_', 'usw_')` : (replaced[name] ?? name),
  );
  await client.query(
    `insert into external_user select ${userColumns.join(', ')} from external_user
     where id in (select external_user_id from invitation where bulk_invite_id = $1)`,
    [bulkInviteId],
  );
  const { rows: settings } = await client.query<{ path: string }>(`select current_setting('data_directory') as path`);
  const file = `${settings[0]?.path}/bench.copy`;
  const invitationColumns = (await columns('invitation')).map((name) => replaced[name] ?? name);
  await client.query(
    `copy (select ${invitationColumns.join(', ')} from invitation where bulk_invite_id = '${bulkInviteId}') to '${file}'`,
  );
  await client.query('checkpoint');
  const before = spent();
  const began = performance.now();
  const { rowCount } = await client.query(`copy invitation from '${file}'`);
  const seconds = (performance.now() - began) / 1000;
  if (rowCount !== rows) throw new Error(`COPY wrote ${rowCount} rows.`);
  return { rowsPerSecond: rows / seconds, processor: ((spent().postgres - before.postgres) * 1e6) / rows };
}

/** A tenant with two groups. */
async function seed({ ask }: Stage): Promise<string> {
  const { createTenant } = await ask(
    'mutation ($input: CreateTenantInput!) { createTenant(input: $input) { tenant { id } } }',
    { input: { slug: 'bench', displayName: 'Bench' } },
  );
  const tenantId = createTenant.tenant.id;
  for (const displayName of ['Partners', 'Suppliers']) {
    await ask('mutation ($input: CreateGroupInput!) { createGroup(input: $input) { userErrors { message } } }', {
      input: { tenantId, displayName },
    });
  }
  return tenantId;
}

function watchMemory(gateway: Running): { stop(): number } {
  let most = 0;
  const look = () => {
    most = Math.max(most, memoryOf(gateway));
  };
  const timer = setInterval(look, POLL_MILLISECONDS);
  return {
    stop() {
      clearInterval(timer);
      look();
      return most;
    },
  };
}

/** Kilobytes; 0 where there is no /proc. */
function memoryOf({ child }: Running): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

export function describeBulk({ raw, ours, ratio, processor, memory }: BulkRate): string {
  const { copy, gateway, postgres } = processor;
  return [
    `bulk: COPY ${Math.round(raw)} rows/s, ours ${Math.round(ours)} rows/s, ratio ${ratio.toFixed(3)}, goal 0.08`,
    `processor time a row: COPY ${copy.toFixed(0)} us, PostgreSQL ${postgres.toFixed(0)} us, gateway ${gateway.toFixed(0)} us`,
    ...memory.map(
      ({ rows, megabytes, rowsPerSecond }) =>
        `${rows} rows: ${Math.round(megabytes)} MB above idle, goal under 150; ${Math.round(rowsPerSecond)} rows/s`,
    ),
  ].join('\n');
}
