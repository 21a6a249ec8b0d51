/** A job whose claim was written while the answer to it was lost: it is locked by a worker that lives and knows nothing of it. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';

let gateway: TestGateway;
let tenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant()).id;
});
afterAll(() => gateway.stop());

it('is freed when the connection breaks that lost the answer, and runs', async () => {
  // Given out at once, to nobody.
  await gateway.sql(`create function give_out() returns trigger language plpgsql as $$
    begin
      new.locked_at := now();
      new.locked_by := (select worker_ids[1] from gateway_process);
      new.attempts := 1;
      return new;
    end $$`);
  await gateway.sql(`create trigger give_out before insert on graphile_worker._private_jobs
    for each row when (new.key like 'invitation-mail/%') execute function give_out()`);
  await gateway.inviteUser({ tenantId, email: 'lost@fabrikam.example' });
  const held = () => gateway.sql('select from graphile_worker.jobs where locked_by is not null');
  expect(await held()).toHaveLength(1);
  await gateway.sql(`select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'vestibule worker' and datname = current_database()`);
  await gateway.waitForMail('lost@fabrikam.example');
  await until(async () => (await held()).length === 0, 'the job to be done');
  expect(gateway.mails()).toHaveLength(1);
});
