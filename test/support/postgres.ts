/**
 * A database per test file: a clone of the migrated template, on the server that `global-setup.ts` started. The first test
 * file that needs the template makes it; the global setup cannot, because it runs outside of jest's TypeScript transform.
 */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { prepareTemplate } from './template.js';
import { TEST_SERVER_URL } from './test-server-url.js';

const TEMPLATE_DATABASE = 'vestibule_test_template';
const TEMPLATE_LOCK = 1;

export interface TestDatabase {
  url: string;
  /** Ends what is still connected. */
  drop(): Promise<void>;
}

export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await onServer(async (client) => {
    await ensureTemplate(client);
    await client.query(`create database ${name} template ${TEMPLATE_DATABASE}`);
  });
  return {
    url: withDatabase(serverUrl(), name),
    drop: () => onServer((client) => client.query(`drop database if exists ${name} with (force)`)),
  };
}

/** Under a lock, and under another name until it is whole. */
async function ensureTemplate(client: pg.Client): Promise<void> {
  await client.query('select pg_advisory_lock($1)', [TEMPLATE_LOCK]);
  const { rowCount } = await client.query('select from pg_database where datname = $1', [TEMPLATE_DATABASE]);
  if (rowCount === 0) {
    const unfinished = `${TEMPLATE_DATABASE}_unfinished`;
    await client.query(`drop database if exists ${unfinished} with (force)`);
    await client.query(`create database ${unfinished}`);
    await prepareTemplate(withDatabase(serverUrl(), unfinished));
    await client.query(`alter database ${unfinished} rename to ${TEMPLATE_DATABASE}`);
  }
  await client.query('select pg_advisory_unlock($1)', [TEMPLATE_LOCK]);
}

export function withDatabase(url: string, database: string): string {
  return Object.assign(new URL(url), { pathname: `/${database}` }).href;
}

async function onServer(work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl() });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

function serverUrl(): string {
  const url = process.env[TEST_SERVER_URL];
  if (!url) throw new Error(`${TEST_SERVER_URL} is not set: the tests run through jest's global setup.`);
  return url;
}
