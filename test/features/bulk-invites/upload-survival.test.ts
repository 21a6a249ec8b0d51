/** Uploads whose process is stopped or killed in the middle: told or found, never half done, and repeated with the same key. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import {
  type GatewayProcess,
  KEY,
  START_TIMEOUT_MILLISECONDS,
  startGatewayProcess,
} from '../../resilience/gateway-process.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';
import { until } from '../../support/until.js';
import { answerTo, csvOf, openUpload, type UploadTo, upload } from './uploading.js';

const ROWS = 6000;

let database: TestDatabase;
let sql: pg.Pool;
let gateway: GatewayProcess;
let tenantId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  sql = new pg.Pool({ connectionString: database.url, max: 2 });
  sql.on('error', () => undefined);
}, START_TIMEOUT_MILLISECONDS);
afterAll(async () => {
  await gateway.end('SIGKILL');
  await sql.end();
  await database.drop();
});

async function start(): Promise<void> {
  gateway = await startGatewayProcess('main', { DATABASE_URL: database.url, SMTP_URL: 'smtp://127.0.0.1:9' });
}

async function newTenant(slug: string): Promise<void> {
  const { createTenant } = await gateway.ask(
    'mutation ($slug: String!) { createTenant(input: { slug: $slug, displayName: "Contoso" }) { tenant { id } userErrors { code } } }',
    { slug },
  );
  tenantId = createTenant.tenant.id;
}

const to = (): UploadTo => ({
  url: gateway.url,
  key: KEY,
  query: { tenantId, sendMail: 'false', idempotencyKey: 'the-file' },
});

const batches = async () =>
  (
    await sql.query<{ id: string; status: string; total_rows: number; errors: { code: string }[] }>(
      'select * from bulk_invite where tenant_id = $1 order by id',
      [tenantId],
    )
  ).rows;

/** An upload of which the first half was sent and some of it has arrived. */
async function begun(file: string) {
  const sent = openUpload(to());
  sent.write(file.slice(0, file.length / 2));
  await until(async () => ((await batches())[0]?.total_rows ?? 0) > 0, 'the first buffer');
  return sent;
}

/** The same file once more, with the same key: a batch of its own, every row invited once, nothing left of the first. */
async function repeat(file: string): Promise<void> {
  const again = await upload(to(), file);
  expect(again.status).toBe(202);
  await until(
    async () => (await batches()).find(({ id, status }) => id === again.bulkInviteId && status === 'COMPLETED'),
    'the repeated upload to be worked off',
    25_000,
  );
  const counts = async () =>
    (
      await sql.query<{ invitations: number; rows: number; of_first: number }>(
        `select (select count(*)::int from invitation where bulk_invite_id = $1) as invitations,
          (select count(*)::int from bulk_invite_row where bulk_invite_id = $1) as rows,
          (select count(*)::int from bulk_invite_row where bulk_invite_id = $2) as of_first`,
        [again.bulkInviteId, (await batches())[0]?.id],
      )
    ).rows[0];
  await until(async () => (await counts())?.of_first === 0, 'the rows of the first upload to be gone');
  expect(await counts()).toEqual({ invitations: ROWS, rows: ROWS, of_first: 0 });
}

describe('an upload whose process gets SIGTERM', () => {
  beforeAll(async () => {
    await start();
    await newTenant('stopped');
  }, START_TIMEOUT_MILLISECONDS);

  it('is taken when it ends in time; else it is told to come again, is FAILED, and succeeds with the same key', async () => {
    const file = csvOf(ROWS, 'stopped.example');
    const slow = await begun(file);
    const told = answerTo(slow);
    const quick = openUpload({ ...to(), query: { tenantId, sendMail: 'false' } });
    quick.write('email\n');
    await until(async () => (await batches()).length === 2, 'both uploads');
    const ended = gateway.end('SIGTERM');
    await gateway.line('"msg":"stopping"');
    const taken = answerTo(quick);
    quick.end('ana@quick.example\n');
    expect((await taken).status).toBe(202);
    const { status, headers, errors } = await told;
    expect([status, headers['retry-after'], errors?.[0]?.code]).toEqual([503, '5', 'UPLOAD_INCOMPLETE']);
    slow.destroy();
    expect(await ended).toBe(0);
    expect((await batches())[0]).toMatchObject({ status: 'FAILED', errors: [{ code: 'UPLOAD_INCOMPLETE' }] });
    await start();
    await repeat(file);
    await until(async () => (await batches())[1]?.status === 'COMPLETED', 'the upload that was taken');
  });
});

describe('an upload whose process is killed', () => {
  beforeAll(() => newTenant('killed'));

  it('is FAILED once it has been silent for a minute, and succeeds with the same key from then on', async () => {
    const file = csvOf(ROWS, 'killed.example');
    const sent = await begun(file);
    await gateway.end('SIGKILL');
    sent.destroy();
    await start();
    const tooEarly = await upload(to(), file);
    expect([tooEarly.status, tooEarly.errors?.[0]?.code, tooEarly.headers['retry-after']]).toEqual([
      409,
      'CONFLICT',
      '60',
    ]);
    await sql.query(`update bulk_invite set received_at = now() - interval '61 seconds' where tenant_id = $1`, [
      tenantId,
    ]);
    await sql.query(`select graphile_worker.add_job('end_silent_uploads')`);
    const failed = await until(async () => (await batches()).find(({ status }) => status === 'FAILED'), 'its end');
    expect(failed).toMatchObject({ total_rows: 0, errors: [{ code: 'UPLOAD_INCOMPLETE' }] });
    await repeat(file);
  });
});
