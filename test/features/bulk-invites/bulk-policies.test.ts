/** What can be asked of a batch beyond "invite whom you can": a rehearsal, all or nothing, stopping, and trying again. */
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { sql } from 'kysely';
import { openBulkInviteProgress } from '../../../src/features/bulk-invites/bulk-invite-progress.js';
import type { NewBulkInvite } from '../../../src/features/bulk-invites/bulk-invites.service.js';
import { type Actor, permissions } from '../../../src/kernel/actor.js';
import type { UserError } from '../../../src/kernel/errors.js';
import { type BulkGround, openBulkGround, type RowRead, request, rowOf } from './bulk-ground.js';

let bulk: BulkGround;

beforeAll(async () => {
  bulk = await openBulkGround();
});
afterEach(() => {
  jest.restoreAllMocks();
});
afterAll(() => bulk.stop());

interface OwnTenant {
  tenantId: string;
  key: Actor;
}

let names = 0;

async function ownTenant(): Promise<OwnTenant> {
  const tenantId = await bulk.newTenant(`p${names++}-${process.pid}`);
  return { tenantId, key: await bulk.newKey(tenantId, permissions) };
}

const ask = ({ tenantId, key }: OwnTenant, given: Partial<NewBulkInvite>) =>
  bulk.bulkInvites.create(bulk.context(key), request(tenantId, given));

const people = (count: number) => Array.from({ length: count }, (_, index) => rowOf(`guest${index}@many.example`));

const codes = (rows: RowRead[]) =>
  rows.map(({ outcome, errors }) => [outcome, ...errors.map(({ code }) => code)].join(' '));

const outcomesOf = async (id: string) => codes(await bulk.rows(id));

/** Everything an invitation would leave behind. */
async function traces(tenantId: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select (select count(*) from invitation where tenant_id = ${tenantId})::int
      + (select count(*) from external_user where tenant_id = ${tenantId})::int
      + (select count(*) from event where tenant_id = ${tenantId})::int
      + (select count(*) from mail_request where tenant_id = ${tenantId})::int as count`.execute(bulk.db);
  return rows[0]?.count ?? -1;
}

async function refusalOf(asked: Promise<unknown>): Promise<string[] | undefined> {
  const error = await asked.then(
    () => null,
    (caught: UserError) => caught,
  );
  return error?.entries.map(({ code, field, message }) => `${code} ${field?.join('.')}: ${message}`);
}

/** The addresses open, member and off of this domain are in the way, each in its own manner. */
async function putObstacles(tenant: OwnTenant, domain: string): Promise<void> {
  const rows = ['open', 'member', 'off'].map((name) => rowOf(`${name}@${domain}`, { sendMail: false }));
  await bulk.run(await ask(tenant, { rows }));
  await sql`update external_user set state = 'ACCEPTED' where email_key = ${`member@${domain}`}`.execute(bulk.db);
  await sql`update external_user set account_enabled = false where email_key = ${`off@${domain}`}`.execute(bulk.db);
}

/** So many chunks of 100 rows, and the process stops. */
async function runChunks(id: string, count: number): Promise<void> {
  for (let chunk = 0; chunk < count; chunk++) await bulk.bulkRun.run(bulk.context(), id, { milliseconds: 1 });
}

describe('a dry run', () => {
  test('makes every check of a real one, in the same words, and nobody is invited', async () => {
    const tenant = await ownTenant();
    await putObstacles(tenant, 'rehearsal.example');
    const before = await traces(tenant.tenantId);
    const rows = [
      ...['open', 'member', 'off', 'new', 'NEW'].map((name) => rowOf(`${name}@rehearsal.example`)),
      rowOf('nowhere'),
      rowOf('apps@rehearsal.example', { apps: ['No such app'] }),
      rowOf(null),
    ];
    const rehearsed = await ask(tenant, { rows, dryRun: true });
    await bulk.run(rehearsed);
    expect(await bulk.read(rehearsed)).toMatchObject({
      status: 'COMPLETED',
      dryRun: true,
      totalRows: 8,
      processedRows: 8,
      invitedRows: 0,
      rejectedRows: 7,
    });
    expect(await traces(tenant.tenantId)).toBe(before);
    const real = await ask(tenant, { rows });
    await bulk.run(real);
    const outcomes = await outcomesOf(real);
    expect(outcomes).toEqual([
      'REJECTED ALREADY_INVITED',
      'REJECTED ALREADY_MEMBER',
      'REJECTED ACCOUNT_DISABLED',
      'INVITED',
      'REJECTED DUPLICATE_ROW',
      'REJECTED ADDRESS_INVALID',
      'REJECTED NOT_FOUND',
      'REJECTED REQUIRED',
    ]);
    expect(await outcomesOf(rehearsed)).toEqual(
      outcomes.map((outcome) => outcome.replace('INVITED', 'VALID').replace('ALREADY_VALID', 'ALREADY_INVITED')),
    );
  });

  test('finds an invitation that has run out no obstacle, and leaves it as it is', async () => {
    const tenant = await ownTenant();
    await bulk.run(await ask(tenant, { rows: [rowOf('late@rehearsal.example')] }));
    await sql`update invitation set expires_at = '2020-01-01' where tenant_id = ${tenant.tenantId}`.execute(bulk.db);
    const id = await ask(tenant, { rows: [rowOf('late@rehearsal.example')], dryRun: true });
    await bulk.run(id);
    expect(await outcomesOf(id)).toEqual(['VALID']);
    const { rows } = await sql`select status from invitation where tenant_id = ${tenant.tenantId}`.execute(bulk.db);
    expect(rows).toEqual([{ status: 'PENDING' }]);
  });

  test("counts the mails of all its chunks against the tenant's quota", async () => {
    const own = await openBulkGround({ mailsPerHour: 150 });
    const given = { rows: people(250), dryRun: true };
    const id = await own.bulkInvites.create(own.context(own.inviter), request(own.tenantId, given));
    await own.run(id);
    const outcomes = codes(await own.rows(id));
    expect(outcomes.slice(0, 150).every((outcome) => outcome === 'VALID')).toBe(true);
    expect(outcomes.slice(150).every((outcome) => outcome === 'REJECTED QUOTA_EXCEEDED')).toBe(true);
    await own.stop();
  });

  test('of REJECT_EVERYTHING tells of each row, and ends COMPLETED', async () => {
    const tenant = await ownTenant();
    const rows = [rowOf('a@rehearsal.example'), rowOf('nowhere')];
    const id = await ask(tenant, { rows, dryRun: true, errorPolicy: 'REJECT_EVERYTHING' });
    await bulk.run(id);
    expect(await outcomesOf(id)).toEqual(['VALID', 'REJECTED ADDRESS_INVALID']);
    expect(await bulk.read(id)).toMatchObject({ status: 'COMPLETED', errors: [] });
  });
});

describe('REJECT_EVERYTHING', () => {
  const everything = { errorPolicy: 'REJECT_EVERYTHING' } as const;

  test('invites nobody when one row is bad, wherever it stands, and says of each row why', async () => {
    const tenant = await ownTenant();
    const id = await ask(tenant, { ...everything, rows: [...people(250), rowOf('nowhere')] });
    await bulk.run(id);
    expect(await bulk.read(id)).toMatchObject({
      status: 'FAILED',
      totalRows: 251,
      processedRows: 0,
      invitedRows: 0,
      rejectedRows: 251,
      errors: [{ code: 'BATCH_REJECTED', message: expect.stringContaining('1 of 251 rows') }],
    });
    const outcomes = await outcomesOf(id);
    expect(outcomes.slice(0, 250).every((outcome) => outcome === 'REJECTED BATCH_REJECTED')).toBe(true);
    expect(outcomes[250]).toBe('REJECTED ADDRESS_INVALID');
    expect(await traces(tenant.tenantId)).toBe(0);
  });

  test('refuses for what only the database knows, too', async () => {
    const tenant = await ownTenant();
    await putObstacles(tenant, 'strict.example');
    const before = await traces(tenant.tenantId);
    const id = await ask(tenant, {
      ...everything,
      rows: [rowOf('new@strict.example'), rowOf('member@strict.example')],
    });
    await bulk.run(id);
    expect(await outcomesOf(id)).toEqual(['REJECTED BATCH_REJECTED', 'REJECTED ALREADY_MEMBER']);
    expect(await traces(tenant.tenantId)).toBe(before);
  });

  test('invites everybody when all rows are good', async () => {
    const tenant = await ownTenant();
    const id = await ask(tenant, { ...everything, rows: people(250) });
    await bulk.run(id);
    expect(await bulk.read(id)).toMatchObject({ status: 'COMPLETED', invitedRows: 250, rejectedRows: 0, errors: [] });
  });

  test('goes on when a conflict arises after the check: that row is rejected', async () => {
    const tenant = await ownTenant();
    const id = await ask(tenant, { ...everything, rows: people(120) });
    await runChunks(id, 2);
    expect(await bulk.read(id)).toMatchObject({ checkedRows: 120, processedRows: 0, rejectedRows: 0 });
    const last = 'guest119@many.example';
    await bulk.run(await ask(tenant, { rows: [rowOf(last)] }));
    await bulk.run(id);
    expect(await bulk.read(id)).toMatchObject({ status: 'COMPLETED', invitedRows: 119, rejectedRows: 1 });
    expect((await outcomesOf(id)).at(-1)).toBe('REJECTED ALREADY_INVITED');
  });

  test('whose check is interrupted goes on where it was', async () => {
    const tenant = await ownTenant();
    const rows = [rowOf('nowhere'), ...people(400), rowOf('nobody')];
    const id = await ask(tenant, { ...everything, rows });
    await runChunks(id, 2);
    expect(await bulk.read(id)).toMatchObject({ status: 'RUNNING', checkedRows: 200, rejectedRows: 1 });
    await bulk.run(id);
    expect(await bulk.read(id)).toMatchObject({
      status: 'FAILED',
      rejectedRows: 402,
      errors: [{ message: expect.stringContaining('2 of 402 rows') }],
    });
  });
});

describe('cancelling', () => {
  const cancel = (tenant: OwnTenant, id: string) => bulk.bulkInvites.cancel(bulk.context(tenant.key), id);

  test('stops what waits at once, and invitations already made stay', async () => {
    const tenant = await ownTenant();
    const id = await ask(tenant, { rows: people(400) });
    await runChunks(id, 1);
    await cancel(tenant, id);
    expect(await bulk.read(id)).toMatchObject({
      status: 'CANCELLED',
      processedRows: 100,
      invitedRows: 100,
      cancelledRows: 300,
      finishedAt: expect.any(Date),
    });
    await bulk.run(id);
    const outcomes = await outcomesOf(id);
    expect(outcomes.slice(0, 100).every((outcome) => outcome === 'INVITED')).toBe(true);
    expect(outcomes.slice(100).every((outcome) => outcome === 'CANCELLED CANCELLED')).toBe(true);
  });

  test('of a batch that nobody has touched yet leaves nothing', async () => {
    const tenant = await ownTenant();
    const id = await ask(tenant, { rows: people(3) });
    await cancel(tenant, id);
    await bulk.run(id);
    expect(await bulk.read(id)).toMatchObject({ status: 'CANCELLED', cancelledRows: 3, processedRows: 0 });
    expect(await traces(tenant.tenantId)).toBe(0);
  });

  test('a second time changes nothing; a batch that has finished cannot be cancelled', async () => {
    const tenant = await ownTenant();
    const [cancelled, completed] = [await ask(tenant, { rows: people(1) }), await ask(tenant, { rows: people(1) })];
    await cancel(tenant, cancelled);
    const before = await bulk.read(cancelled);
    await cancel(tenant, cancelled);
    expect(await bulk.read(cancelled)).toEqual(before);
    await bulk.run(completed);
    expect(await refusalOf(cancel(tenant, completed))).toEqual([
      'INVALID bulkInviteId: It has finished: nothing waits any more.',
    ]);
  });

  test('also ends a batch that is still being received, with the rows that came', async () => {
    const tenant = await ownTenant();
    const id = await ask(tenant, { rows: people(3) });
    await sql`update bulk_invite set status = 'RECEIVING', total_rows = 0 where id = ${id}`.execute(bulk.db);
    await cancel(tenant, id);
    expect(await bulk.read(id)).toMatchObject({ status: 'CANCELLED', totalRows: 3, cancelledRows: 3 });
  });

  test('counts rows that were refused by a check as such', async () => {
    const tenant = await ownTenant();
    const id = await ask(tenant, { rows: [rowOf('nowhere'), ...people(200)], errorPolicy: 'REJECT_EVERYTHING' });
    await runChunks(id, 1);
    await cancel(tenant, id);
    expect(await bulk.read(id)).toMatchObject({ status: 'CANCELLED', rejectedRows: 1, cancelledRows: 200 });
    expect((await outcomesOf(id)).slice(0, 2)).toEqual(['REJECTED ADDRESS_INVALID', 'CANCELLED CANCELLED']);
  });

  test('is told to whoever follows', async () => {
    const tenant = await ownTenant();
    const id = await ask(tenant, { rows: people(1) });
    const progress = openBulkInviteProgress(bulk.context(), id);
    await progress.next();
    await cancel(tenant, id);
    const told: string[] = [];
    for await (const { status } of progress) told.push(status);
    expect(told).toEqual(['CANCELLED']);
  });
});

describe('retrying', () => {
  const retry = (tenant: OwnTenant, id: string) => bulk.bulkInvites.retry(bulk.context(tenant.key), id);

  test('takes the rejected rows once more, in their order, with the same defaults', async () => {
    const tenant = await ownTenant();
    const defaults = { ...request('', {}).defaults, sendMail: false, language: 'ko' };
    const rows = [
      rowOf('a@retry.example', { apps: ['Later'] }),
      rowOf('b@retry.example'),
      rowOf('nowhere'),
      rowOf('c@retry.example', { apps: ['Later'] }),
    ];
    const first = await ask(tenant, { rows, defaults, fileName: 'guests.csv' });
    await bulk.run(first);
    const app = await bulk.newApp(tenant.tenantId, 'Later', 'https://later.example/');
    const second = await retry(tenant, first);
    expect(await bulk.read(second)).toMatchObject({ status: 'QUEUED', totalRows: 3, fileName: 'guests.csv' });
    await bulk.run(second);
    expect(await bulk.read(second)).toMatchObject({ status: 'COMPLETED', invitedRows: 2, rejectedRows: 1 });
    expect((await bulk.rows(second)).map(({ row, email, outcome }) => `${row} ${email} ${outcome}`)).toEqual([
      '1 a@retry.example INVITED',
      '2 nowhere REJECTED',
      '3 c@retry.example INVITED',
    ]);
    const { rows: made } = await sql`
      select i.language, i.delivery, g.app_id from invitation i join invitation_grant g on g.invitation_id = i.id
      where i.bulk_invite_id = ${second}`.execute(bulk.db);
    expect(made).toEqual(Array(2).fill({ language: 'ko', delivery: 'SUPPRESSED', app_id: app }));
    expect(await outcomesOf(first)).toEqual([
      'REJECTED NOT_FOUND',
      'INVITED',
      'REJECTED ADDRESS_INVALID',
      'REJECTED NOT_FOUND',
    ]);
  });

  test('finds a cell that could not be read unreadable again, rather than inviting without it', async () => {
    const tenant = await ownTenant();
    const first = await ask(tenant, { csv: 'email,sendMail\nana@retry.example,perhaps\n' });
    await bulk.run(first);
    const second = await retry(tenant, first);
    await bulk.run(second);
    expect(await outcomesOf(second)).toEqual(['REJECTED INVALID']);
    expect(await traces(tenant.tenantId)).toBe(0);
  });

  test('of a batch refused as a whole takes all its rows, also those the check never came to write', async () => {
    const tenant = await ownTenant();
    const csv = `email,sendMail\n${people(2500)
      .map(({ email }) => `${email},no`)
      .join('\n')}\nbad@retry.example,perhaps\nlate@retry.example,no\n`;
    const first = await ask(tenant, { csv, errorPolicy: 'REJECT_EVERYTHING' });
    await bulk.run(first);
    const second = await retry(tenant, first);
    await bulk.run(second);
    expect(await bulk.read(second)).toMatchObject({
      status: 'FAILED',
      errorPolicy: 'REJECT_EVERYTHING',
      totalRows: 2502,
      rejectedRows: 2502,
      errors: [{ message: expect.stringContaining('1 of 2,502') }],
    });
    expect((await bulk.rows(second)).map(({ email }) => email)).toEqual(
      (await bulk.rows(first)).map(({ email }) => email),
    );
  });

  test('is refused for a batch that goes on, and for one of which nothing was rejected', async () => {
    const tenant = await ownTenant();
    const id = await ask(tenant, { rows: people(1) });
    expect(await refusalOf(retry(tenant, id))).toEqual([
      'INVALID bulkInviteId: It is still being worked off. Wait until it has finished, or cancel it.',
    ]);
    await bulk.run(id);
    expect(await refusalOf(retry(tenant, id))).toEqual([
      'INVALID bulkInviteId: No row of it was rejected: there is nothing to retry.',
    ]);
  });
});

describe('a batch that fails at every attempt', () => {
  const breakRows = (body: string) =>
    sql`${sql.raw(`
      create function interfere() returns trigger language plpgsql as $$ begin ${body} end $$;
      create trigger interfere before update on bulk_invite_row for each row execute function interfere()`)}`.execute(
      bulk.db,
    );
  const mend = () => sql`drop function interfere() cascade`.execute(bulk.db);

  test('is FAILED with the last of them, and what was not reached can be retried', async () => {
    const tenant = await ownTenant();
    const id = await ask(tenant, { rows: people(150) });
    await breakRows(`if new.row_number > 100 then raise 'a bug'; end if; return new;`);
    const turn = (isLastAttempt: boolean) => bulk.bulkRun.takeTurn(bulk.context(), id, { isLastAttempt });
    await expect(turn(false)).rejects.toThrow('a bug');
    expect(await bulk.read(id)).toMatchObject({ status: 'RUNNING', processedRows: 100 });
    await turn(true);
    await mend();
    expect(await bulk.read(id)).toMatchObject({
      status: 'FAILED',
      processedRows: 100,
      invitedRows: 100,
      rejectedRows: 50,
      errors: [{ code: 'BATCH_REJECTED', message: expect.stringContaining('went wrong on our side') }],
    });
    expect((await outcomesOf(id)).slice(99, 101)).toEqual(['INVITED', 'REJECTED BATCH_REJECTED']);
    const again = await bulk.bulkInvites.retry(bulk.context(tenant.key), id);
    await bulk.run(again);
    expect(await bulk.read(again)).toMatchObject({ status: 'COMPLETED', totalRows: 50, invitedRows: 50 });
  });

  test('because the database is out of order is not: it will be tried again', async () => {
    const tenant = await ownTenant();
    const id = await ask(tenant, { rows: people(1) });
    for (const state of ['53100', '57P01', '08006', '25006']) {
      await breakRows(`raise 'an outage' using errcode = '${state}';`);
      await expect(bulk.bulkRun.takeTurn(bulk.context(), id, { isLastAttempt: true })).rejects.toThrow('an outage');
      await mend();
    }
    expect(await bulk.read(id)).toMatchObject({ status: 'QUEUED' });
    await bulk.run(id);
    expect(await bulk.read(id)).toMatchObject({ status: 'COMPLETED', invitedRows: 1 });
  });
});

test('a chunk of a large batch reads its own rows only, also while the planner knows nothing of its size', async () => {
  const own = await openBulkGround();
  const given = { rows: people(10_000), defaults: { ...request('', {}).defaults, sendMail: false } };
  const id = await own.bulkInvites.create(own.context(own.inviter), request(own.tenantId, given));
  const readSoFar = async () => {
    // Both statements on the connection that did the work: it holds its counts back for a second.
    await sql`select pg_stat_force_next_flush()`.execute(own.db);
    const { rows } = await sql<{ read: string }>`
      select idx_tup_fetch as read from pg_stat_user_tables where relname = 'bulk_invite_row'`.execute(own.db);
    return Number(rows[0]?.read);
  };
  const before = await readSoFar();
  await own.bulkRun.run(own.context(), id, { milliseconds: 1 });
  const read = (await readSoFar()) - before;
  const { processedRows } = await own.read(id);
  await own.stop();
  expect(processedRows).toBe(100);
  expect(read).toBeLessThan(1000);
});
