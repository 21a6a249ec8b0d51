/** Work whose job is gone gets a new one, and nothing else does. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MINUTE } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';

let gateway: TestGateway;
let tenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant()).id;
  // Jobs wait until the test lets them run.
  await gateway.sql(`create function wait() returns trigger language plpgsql as $$
    begin if new.key is not null then new.run_at := 'infinity'; end if; return new; end $$`);
  await gateway.sql(
    'create trigger wait before insert on graphile_worker._private_jobs for each row execute function wait()',
  );
});
afterAll(() => gateway.stop());

const jobs = async () =>
  (
    await gateway.sql<{ key: string; attempts: number }>(
      'select key, attempts from graphile_worker.jobs where key is not null order by id',
    )
  ).map(({ key, attempts }) => `${key} ${attempts}`);

async function cleanUp(): Promise<void> {
  await gateway.sql(`select graphile_worker.add_job('clean_up')`);
  const left = `select from graphile_worker.jobs where task_identifier = 'clean_up'`;
  await until(async () => (await gateway.sql(left)).length === 0, 'the sweepers');
}

const useUpAttempts = () =>
  gateway.sql('update graphile_worker._private_jobs set attempts = max_attempts where key is not null');
const letThemRun = () => gateway.sql('update graphile_worker._private_jobs set run_at = now()');

describe('a mail that is queued', () => {
  it('without a job, or with one whose attempts are used up, gets one after some minutes and is sent', async () => {
    const deleted = await gateway.inviteUser({ tenantId, email: 'deleted@fabrikam.example' });
    const waiting = await gateway.inviteUser({ tenantId, email: 'waiting@fabrikam.example' });
    await gateway.inviteUser({ tenantId, email: 'silent@fabrikam.example', sendMail: false });
    const revoked = await gateway.inviteUser({ tenantId, email: 'revoked@fabrikam.example' });
    await gateway.sql(`update invitation set status = 'REVOKED', revoked_at = now() where id = $1`, [revoked.id]);
    const keyOf = (id: string) => `invitation-mail/${id}/1`;
    await gateway.sql('delete from graphile_worker._private_jobs where key <> $1', [keyOf(waiting.id)]);
    await cleanUp();
    expect(await jobs()).toEqual([`${keyOf(waiting.id)} 0`]);

    gateway.clock.advance(6 * MINUTE);
    await gateway.sql('update graphile_worker._private_jobs set attempts = 3 where key is not null');
    await cleanUp();
    expect(await jobs()).toEqual([`${keyOf(waiting.id)} 3`, `${keyOf(deleted.id)} 0`]);

    await useUpAttempts();
    await cleanUp();
    expect((await jobs()).sort()).toEqual([`${keyOf(waiting.id)} 0`, `${keyOf(deleted.id)} 0`].sort());

    await letThemRun();
    await gateway.waitForMail('deleted@fabrikam.example');
    await gateway.waitForMail('waiting@fabrikam.example');
    expect(gateway.mails()).toHaveLength(2);
    await until(async () => (await jobs()).length === 0, 'the jobs to be noted as done');
  });
});

describe('a bulk invite', () => {
  it('whose job used up its attempts gets a new one and is finished', async () => {
    const { bulkInvite } = await gateway.ask(
      `mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { bulkInvite { id } userErrors { code } } }`,
      { input: { tenantId, rows: [{ email: 'row@fabrikam.example' }], defaults: { sendMail: false } } },
    );
    const { id } = bulkInvite.bulkInvite;
    await useUpAttempts();
    gateway.clock.advance(6 * MINUTE);
    await cleanUp();
    expect(await jobs()).toEqual([`bulk-invite/${id} 0`]);
    await letThemRun();
    const status = async () => (await gateway.sql('select status from bulk_invite where id = $1', [id]))[0];
    await until(async () => JSON.stringify(await status()) === '{"status":"COMPLETED"}', 'the batch');
    await until(async () => (await jobs()).length === 0, 'its job to be noted as done');
  });

  it('whose job died after it had queued its successor leaves nothing of it behind', async () => {
    await gateway.sql(
      `select graphile_worker.add_job('run_bulk_invite', '{"bulkInviteId": "none"}', max_attempts => 1)`,
    );
    await gateway.sql(
      `update graphile_worker._private_jobs set attempts = max_attempts where payload::text like '%none%'`,
    );
    await cleanUp();
    expect(await gateway.sql(`select from graphile_worker.jobs where task_identifier = 'run_bulk_invite'`)).toEqual([]);
  });
});
