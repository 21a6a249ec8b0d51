/** A database per test file: a clone of the migrated template, on the server that `global-setup.ts` started. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** Environment variable that carries the server's URL from the setup to the workers. */
export const TEST_SERVER_URL = 'VESTIBULE_TEST_SERVER_URL';
export const TEMPLATE_DATABASE = 'vestibule_test_template';

export interface TestDatabase {
  url: string;
  /** Ends what is still connected. */
  drop(): Promise<void>;
}

export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await onServer(`create database ${name} template ${TEMPLATE_DATABASE}`);
  return {
    url: withDatabase(serverUrl(), name),
    drop: () => onServer(`drop database if exists ${name} with (force)`),
  };
}

export function withDatabase(url: string, database: string): string {
  return Object.assign(new URL(url), { pathname: `/${database}` }).href;
}

async function onServer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl() });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

function serverUrl(): string {
  const url = process.env[TEST_SERVER_URL];
  if (!url) throw new Error(`${TEST_SERVER_URL} is not set: the tests run through jest's global setup.`);
  return url;
}
