/** A process that starts: it waits for one that migrates and says so, and leaves alone what a newer version made. */
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { START_TIMEOUT_MILLISECONDS, spawnGateway } from './gateway-process.js';

/** Of `src/database/migrate.ts`: every version agrees on it. */
const MIGRATION_LOCK = 7_281_904_316;

let database: TestDatabase;
let sql: pg.Client;

beforeEach(async () => {
  database = await createTestDatabase();
  sql = new pg.Client({ connectionString: database.url });
  await sql.connect();
});
afterEach(async () => {
  await sql.end();
  await database.drop();
});

const start = () => spawnGateway('main', { DATABASE_URL: database.url, SMTP_URL: 'smtp://127.0.0.1:9' });

it(
  'waits while another process migrates, says so once, and starts when that one has finished',
  async () => {
    await sql.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const gateway = start();
    await gateway.line('another process is migrating; waiting for it');
    await sql.query('select pg_sleep(0.5)');
    const said = gateway.output.filter((line) => line.includes('another process is migrating'));
    expect(said).toHaveLength(1);
    expect(gateway.output.some((line) => line.includes('vestibule is ready'))).toBe(false);
    await sql.query('select pg_advisory_unlock($1)', [MIGRATION_LOCK]);
    await gateway.line('vestibule is ready');
    expect(await gateway.end('SIGTERM')).toBe(0);
  },
  START_TIMEOUT_MILLISECONDS,
);

it(
  'refuses a database that a newer version migrated, says which and what to do, and ends with 1',
  async () => {
    await sql.query(`insert into schema_migration (name, executed_at) values ('20991231-from-the-future', now())`);
    const gateway = start();
    const line = await gateway.line('was migrated by a newer version');
    expect(line).toContain('20991231-from-the-future');
    expect(line).toContain('Start that version, or restore a backup.');
    expect(await gateway.ended).toBe(1);
  },
  START_TIMEOUT_MILLISECONDS,
);
