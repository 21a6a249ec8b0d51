/** An open write transaction holds the feed back: for how long can be read, and who it is stands in the log, once. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { Log } from '../../src/kernel/log.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';

interface Line {
  heldForSeconds: number;
  pid: number | null;
  applicationName: string | null;
  state: string | null;
  openSince: Date | null;
  statementSince: Date | null;
  note: string;
}

const lines: Line[] = [];
const log: Log = {
  debug() {},
  info() {},
  error() {},
  warn: (fields, message) => {
    if (message === 'an open transaction holds back the feed of every tenant') lines.push(fields as Line);
  },
  child: () => log,
};

let gateway: TestGateway;
let tenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway({ log });
  tenantId = (await gateway.createTenant()).id;
});
afterAll(() => gateway.stop());
beforeEach(() => void lines.splice(0));

const age = () => gateway.app.ground.feed.horizonAgeSeconds;
let people = 0;
const invite = () => gateway.inviteUser({ tenantId, email: `guest${people++}@fabrikam.example`, sendMail: false });

/** Of somebody else, who has written and forgets to commit. */
async function openWriter(
  url = gateway.databaseUrl,
): Promise<{ client: pg.Client; pid: number; end(): Promise<void> }> {
  const client = new pg.Client({ connectionString: url, application_name: 'forgetful' });
  await client.connect();
  const { rows } = await client.query('select pg_backend_pid() as pid');
  await client.query('begin');
  await client.query(`create temp table secret_values as select 'not for the log' as value`);
  const end = async () => {
    await client.query('rollback');
    await client.end();
  };
  return { client, pid: rows[0].pid, end };
}

describe('the age of the horizon', () => {
  it('is 0 while nothing waits, even behind an open writer, and grows once an event does', async () => {
    const writer = await openWriter();
    expect(age()).toBe(0);
    await invite();
    await until(() => age() > 0.5, 'the age to grow');
    await writer.end();
    await until(() => age() === 0, 'the age to be 0 again');
    expect(lines).toEqual([]);
  });
});

describe('the culprit', () => {
  it('is logged once, with what finds it and without its statement', async () => {
    const writer = await openWriter();
    await invite();
    await until(() => lines.length > 0, 'the line');
    await invite();
    await until(() => age() > 3, 'more time to pass');
    await writer.end();
    await until(() => age() === 0, 'the feed to go on');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ pid: writer.pid, applicationName: 'forgetful', state: 'idle in transaction' });
    expect(lines[0]?.openSince).toBeInstanceOf(Date);
    expect(lines[0]?.statementSince).toBeInstanceOf(Date);
    expect(lines[0]?.heldForSeconds).toBeGreaterThanOrEqual(2);
    expect(lines[0]?.note).toContain('pg_terminate_backend');
    expect(JSON.stringify(lines)).not.toContain('secret_values');
  });

  it('that a role may not look into is named all the same, with what to grant', async () => {
    const role = `r${tenantId.slice(-20).toLowerCase()}`;
    const limited = await limitedRole(role);
    const second = await startTestGateway({ databaseUrl: limited, smtp: gateway.smtp, log });
    lines.splice(0);
    const writer = await openWriter();
    await invite();
    await until(() => lines.some(({ note }) => note.includes('pg_read_all_stats')), 'its line');
    await writer.end();
    await second.stop();
    const line = lines.find(({ note }) => note.includes('pg_read_all_stats'));
    expect(line).toMatchObject({ pid: writer.pid, state: null, openSince: null });
    await gateway.sql(`drop owned by ${role}`);
    await gateway.sql(`drop role ${role}`);
  });
});

/** @returns the address of the same database for a role that may use it and no more */
async function limitedRole(role: string): Promise<string> {
  await gateway.sql(`create role ${role} login password 'x'`);
  for (const schema of ['public', 'graphile_worker']) {
    await gateway.sql(`grant all on schema ${schema} to ${role}`);
    await gateway.sql(`grant all on all tables in schema ${schema} to ${role}`);
    await gateway.sql(`grant all on all sequences in schema ${schema} to ${role}`);
  }
  return Object.assign(new URL(gateway.databaseUrl), { username: role, password: 'x' }).href;
}
