/** Batches and the worker: whoever has ten rows does not wait for somebody else's thousands, and no job is tried for ever. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../../support/gateway.js';
import { until } from '../../support/until.js';

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startTestGateway({ env: { WORKER_CONCURRENCY: '1' } });
  // A chunk of 100 rows takes a tenth of a second, however fast the machine.
  await gateway.sql(`create function slow() returns trigger language plpgsql as $$
    begin if old.total_rows > 100 and new.processed_rows > old.processed_rows then
      perform pg_sleep(0.001 * (new.processed_rows - old.processed_rows)); end if; return new; end $$`);
  await gateway.sql('create trigger slow before update on bulk_invite for each row execute function slow()');
});
afterAll(() => gateway.stop());

let batches = 0;

async function invite(tenantId: string, count: number, defaults: object): Promise<string> {
  const rows = Array.from({ length: count }, (_, n) => ({ email: `guest${n}@batch${batches}.example` }));
  batches += 1;
  const { bulkInvite } = await gateway.ask(
    `mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { bulkInvite { id } userErrors { code message } } }`,
    { input: { tenantId, rows, defaults } },
  );
  return bulkInvite.bulkInvite.id;
}

async function progressOf(ids: string[]): Promise<{ processed: number; status: string }[]> {
  return gateway.sql(
    `select processed_rows as processed, status from bulk_invite where id = any($1) order by created_at`,
    [ids],
  );
}

test('with one worker and five large batches under way, ten rows of a sixth tenant are invited within seconds', async () => {
  const large: string[] = [];
  for (let n = 0; n < 5; n++) {
    const { id } = await gateway.createTenant();
    large.push(await invite(id, 6000, { sendMail: n === 0 }));
  }
  await until(async () => (await progressOf(large)).every(({ processed }) => processed > 0), 'each to have had a turn');
  const { id: tenantId } = await gateway.createTenant();
  const began = performance.now();
  const small = await invite(tenantId, 10, { sendMail: true });
  await until(async () => (await progressOf([small]))[0]?.status === 'COMPLETED', 'the small batch');
  // One after the other, the five would take half a minute.
  expect(performance.now() - began).toBeLessThan(10_000);
  // Its mails overtake those of the large one, of which thousands wait.
  await until(() => gateway.mails('guest9@batch5.example').length === 1, 'the last mail of the small batch');
  const before = await progressOf(large);
  expect(before.every(({ status }) => status === 'RUNNING')).toBe(true);
  const haveMoved = async () =>
    (await progressOf(large)).every(({ processed }, n) => processed > (before[n]?.processed ?? 0));
  await until(haveMoved, 'each of the large ones to have had another turn');
});

test('two batches of one tenant are never worked off at the same time', async () => {
  const { id: tenantId } = await gateway.createTenant();
  const both = [await invite(tenantId, 90, { sendMail: false }), await invite(tenantId, 90, { sendMail: false })];
  const held = `select count(*)::int as held from graphile_worker.jobs
    where queue_name = $1 and locked_at is not null`;
  let most = 0;
  await until(async () => {
    const [{ held: now } = { held: 0 }] = await gateway.sql<{ held: number }>(held, [`bulk/${tenantId}`]);
    most = Math.max(most, now);
    return (await progressOf(both)).every(({ status }) => status === 'COMPLETED');
  }, 'both batches');
  expect(most).toBeLessThanOrEqual(1);
});

test('a batch whose job fails at its last attempt is FAILED, in words for people, and its job is gone', async () => {
  const { id: tenantId } = await gateway.createTenant();
  await gateway.sql(`create function fail() returns trigger language plpgsql as $$
    begin if new.email like '%@batch${batches}.example' then raise 'a bug'; end if; return new; end $$`);
  await gateway.sql('create trigger fail before update on bulk_invite_row for each row execute function fail()');
  const id = await invite(tenantId, 2, { sendMail: false });
  const jobs = () =>
    gateway.sql<{ attempts: number; last_error: string | null }>(
      'select attempts, last_error from graphile_worker.jobs where queue_name = $1',
      [`bulk/${tenantId}`],
    );
  await until(async () => (await jobs())[0]?.last_error, 'the first attempt to fail');
  expect(await progressOf([id])).toEqual([{ processed: 0, status: 'QUEUED' }]);
  await gateway.sql(
    `update graphile_worker._private_jobs set attempts = max_attempts - 1, run_at = now() where key = $1`,
    [`bulk-invite/${id}`],
  );
  await until(async () => (await progressOf([id]))[0]?.status === 'FAILED', 'the batch to be given up');
  await until(async () => (await jobs()).length === 0, 'the job to be gone');
  const { node } = await gateway.ask(
    'query ($id: ID!) { node(id: $id) { ... on BulkInvite { rejectedRows errors { code message } rows { nodes { outcome } } } } }',
    { id },
  );
  expect(node).toEqual({
    rejectedRows: 2,
    errors: [{ code: 'BATCH_REJECTED', message: expect.stringContaining('went wrong on our side') }],
    rows: { nodes: [{ outcome: 'REJECTED' }, { outcome: 'REJECTED' }] },
  });
});
