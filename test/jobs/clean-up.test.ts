/** What runs by the clock, in large numbers: batches that end, and nothing gone that is still needed. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DAY, HOUR, later, MINUTE } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';

let gateway: TestGateway;
let tenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway({ env: { EVENT_RETENTION_DAYS: '30' } });
});
afterAll(() => gateway.stop());
beforeEach(async () => {
  tenantId = (await gateway.createTenant()).id;
});

/** Adds the job and waits until none is left. */
async function run(task: string): Promise<void> {
  await gateway.sql('select graphile_worker.add_job($1)', [task]);
  await until(async () => (await gateway.sql('select from graphile_worker.jobs')).length === 0, `${task} to be done`);
}

const ago = (milliseconds: number) => later(gateway.clock.now(), -milliseconds);
const countOf = async (table: string) =>
  Number(
    (await gateway.sql<{ n: string }>(`select count(*) as n from ${table} where tenant_id = $1`, [tenantId]))[0]?.n,
  );

describe('cleaning up', () => {
  it('deletes events beyond retention, batch by batch, and never past one that stays', async () => {
    const write = (count: number, at: Date) =>
      gateway.sql(
        `insert into event (tenant_id, type, at, invitation_id, app_ids) select $1, 'STARTED', $2, 'inv_x', '{}' from generate_series(1, $3::int)`,
        [tenantId, at, count],
      );
    await write(12_000, ago(31 * DAY));
    await write(1, ago(29 * DAY));
    await write(3, ago(40 * DAY));
    await run('clean_up');
    expect(await countOf('event')).toBe(4);
    const [kept] = await gateway.sql<{ after: boolean }>(
      `select (s.pruned_epoch, s.pruned_xid, s.pruned_seq) < (e.epoch, e.xid, e.seq) as after
      from feed_state s, event e where e.tenant_id = $1 order by e.epoch, e.xid, e.seq limit 1`,
      [tenantId],
    );
    expect(kept?.after).toBe(true);
  });

  it('forgets idempotency keys after a day and mails after the windows of their limits', async () => {
    const keyAt = (key: string, at: Date) =>
      gateway.sql(`insert into idempotency_record values ($1, '', 'test', $2, '', '{}', $3)`, [tenantId, key, at]);
    await keyAt('old', ago(DAY + MINUTE));
    await keyAt('young', ago(DAY - MINUTE));
    const mailAt = (at: Date) =>
      gateway.sql(`insert into mail_request (tenant_id, address_key, requested_at) values ($1, 'x', $2)`, [
        tenantId,
        at,
      ]);
    await mailAt(ago(11 * MINUTE));
    await mailAt(ago(9 * MINUTE));
    const hourAt = (at: Date) => gateway.sql('insert into tenant_mail_count values ($1, $2, 0, 1)', [tenantId, at]);
    await hourAt(ago(3 * HOUR));
    await hourAt(ago(0));
    await run('clean_up');
    expect(await gateway.sql('select key from idempotency_record where tenant_id = $1', [tenantId])).toEqual([
      { key: 'young' },
    ]);
    expect(await countOf('mail_request')).toBe(1);
    expect(await countOf('tenant_mail_count')).toBe(1);
  });

  it('forgets tries after their hour, and answered challenges once they can be answered no more', async () => {
    const triesAt = (subject: string, at: Date) =>
      gateway.sql("insert into credential_tries values ($1, 'PASSWORD', $2, $3, 10)", [tenantId, subject, at]);
    await triesAt('old', ago(HOUR + MINUTE));
    await triesAt('young', ago(HOUR - MINUTE));
    const spentAt = (challenge: string, at: Date) =>
      gateway.sql('insert into spent_challenge values ($1, $2, $3)', [Buffer.from(challenge), tenantId, at]);
    await spentAt('old', ago(21 * MINUTE));
    await spentAt('young', ago(11 * MINUTE));
    await run('clean_up');
    expect(await countOf('credential_tries')).toBe(1);
    expect(await countOf('spent_challenge')).toBe(1);
  });
});

describe('the sweeper', () => {
  it('expires every invitation that has run out, in batches, with one event each', async () => {
    const { id } = await gateway.inviteUser({ tenantId, email: 'first@fabrikam.example', sendMail: false });
    await gateway.sql(
      `insert into invitation select (jsonb_populate_record(i, jsonb_build_object('id', i.id || n, 'email_key', n || i.email_key, 'expires_at', $2::timestamptz))).*
      from invitation i, generate_series(1, 1200) n where i.id = $1`,
      [id, ago(MINUTE)],
    );
    await run('expire_invitations');
    const byStatus = await gateway.sql(
      'select status, count(*)::int as n from invitation where tenant_id = $1 group by 1 order by 1',
      [tenantId],
    );
    expect(byStatus).toEqual([
      { status: 'EXPIRED', n: 1200 },
      { status: 'PENDING', n: 1 },
    ]);
    const events = await gateway.sql(
      `select count(*)::int as n, count(distinct invitation_id)::int as of from event where tenant_id = $1 and type = 'EXPIRED'`,
      [tenantId],
    );
    expect(events).toEqual([{ n: 1200, of: 1200 }]);
  });
});
