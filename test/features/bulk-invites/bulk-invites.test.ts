import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { sql } from 'kysely';
import {
  BULK_INVITE_CHANNEL,
  openBulkInviteProgress,
} from '../../../src/features/bulk-invites/bulk-invite-progress.js';
import type { NewBulkInvite } from '../../../src/features/bulk-invites/bulk-invites.service.js';
import { permissions } from '../../../src/kernel/actor.js';
import type { UserError } from '../../../src/kernel/errors.js';
import { type BulkGround, openBulkGround, type RowRead, request, rowOf } from './bulk-ground.js';
import { countPerTransaction, recordStatements } from './statements.js';

let bulk: BulkGround;

beforeAll(async () => {
  bulk = await openBulkGround();
});

afterEach(() => {
  jest.restoreAllMocks();
});

afterAll(() => bulk.stop());

let names = 0;
const freshName = () => `t${names++}-${process.pid}`;

const people = (count: number, domain = `${freshName()}.example`) =>
  Array.from({ length: count }, (_, index) => rowOf(`guest${index}@${domain}`));

const ask = (given: Partial<NewBulkInvite>, tenantId = bulk.tenantId, actor = bulk.inviter) =>
  bulk.bulkInvites.create(bulk.context(actor), request(tenantId, given));

async function refusalOf(asked: Promise<unknown>) {
  const error = await asked.then(
    () => null,
    (caught: UserError) => caught,
  );
  return error?.entries.map(({ code, field }) => `${code} ${field?.join('.')}`);
}

const codes = (rows: RowRead[]) =>
  rows.map(({ outcome, errors }) =>
    [outcome, ...errors.map(({ code, field }) => `${code} ${field?.join('.')}`)].join(' '),
  );

async function count(table: 'bulk_invite' | 'bulk_invite_row' | 'invitation', tenantId: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from ${sql.table(table)} where tenant_id = ${tenantId}`.execute(bulk.db);
  return rows[0]?.count ?? 0;
}

describe('a batch', () => {
  test('becomes invitations with the facts, grants and mail jobs of single ones', async () => {
    const app = await bulk.newApp(bulk.tenantId, 'Orders', 'https://orders.contoso.example/');
    const group = await bulk.newGroup(bulk.tenantId, 'Partners');
    const rows = [
      rowOf('ana@batch.example', { apps: ['orders'], groups: [group], landingApp: app, cc: ['boss@batch.example'] }),
      rowOf('bo@batch.example', { sendMail: false }),
    ];
    const id = await ask({ rows, defaults: { ...request('', {}).defaults, language: 'ko', inviterName: 'Kim' } });
    await bulk.run(id);

    expect(await bulk.read(id)).toMatchObject({
      status: 'COMPLETED',
      totalRows: 2,
      processedRows: 2,
      invitedRows: 2,
      rejectedRows: 0,
      createdByName: 'Onboarding',
    });
    const { rows: invitations } = await sql`
      select i.email, i.row_number, i.language, i.inviter_name, i.invited_by_kind, i.invited_by_id, i.delivery, i.landing_app_id,
        (select array_agg(coalesce(g.app_id, g.group_id) order by g.position) from invitation_grant g where g.invitation_id = i.id) as grants,
        (select array_agg(e.type) from event e where e.invitation_id = i.id and e.bulk_invite_id = ${id}) as events
      from invitation i where i.bulk_invite_id = ${id} order by i.row_number`.execute(bulk.db);
    const common = {
      language: 'ko',
      inviter_name: 'Kim',
      invited_by_kind: 'API_KEY',
      invited_by_id: bulk.inviter.id,
      events: ['INVITED'],
    };
    expect(invitations).toEqual([
      {
        ...common,
        email: 'ana@batch.example',
        row_number: 1,
        delivery: 'QUEUED',
        landing_app_id: app,
        grants: [app, group],
      },
      {
        ...common,
        email: 'bo@batch.example',
        row_number: 2,
        delivery: 'SUPPRESSED',
        landing_app_id: null,
        grants: null,
      },
    ]);
    const { rows: jobs } = await sql`
      select task_identifier as task, queue_name as queue, count(*)::int as count from graphile_worker.jobs group by 1, 2 order by 1`.execute(
      bulk.db,
    );
    expect(jobs).toEqual([
      { task: 'run_bulk_invite', queue: `bulk/${bulk.tenantId}`, count: 1 },
      { task: 'send_invitation_copy', queue: null, count: 1 },
      { task: 'send_invitation_mail', queue: null, count: 1 },
    ]);
  });

  test('of a messy file invites whom it can and says of every other row what is wrong', async () => {
    const csv = await readFile(join(import.meta.dirname, '../../../docs/samples/messy.csv'), 'utf8');
    const id = await ask({ csv, fileName: 'messy.csv' });
    await bulk.run(id);
    expect(codes(await bulk.rows(id))).toEqual([
      'INVITED',
      'REJECTED ADDRESS_INVALID email',
      'REJECTED DUPLICATE_ROW email',
      'INVITED',
      'REJECTED DUPLICATE_ROW email',
      'REJECTED GROUP_ADDRESS email',
      'REJECTED ADDRESS_INVALID email',
    ]);
    expect(await bulk.read(id)).toMatchObject({
      fileName: 'messy.csv',
      invitedRows: 2,
      rejectedRows: 5,
      warnings: ['Columns that are not known were ignored: Favourite colour.'],
    });
  });

  test('finds a duplicate also when the earlier row was refused or lies many chunks back', async () => {
    const [first, ...rest] = people(260);
    const rows = [
      rowOf(first?.email ?? null, { apps: ['no such app'] }),
      ...rest,
      rowOf(first?.email?.toUpperCase() ?? null),
    ];
    const id = await ask({ rows, defaults: { ...request('', {}).defaults, sendMail: false } });
    await bulk.run(id);
    const outcomes = codes(await bulk.rows(id));
    expect(outcomes[0]).toBe('REJECTED NOT_FOUND appIds.0');
    expect(outcomes[260]).toBe('REJECTED DUPLICATE_ROW email');
    expect(await bulk.read(id)).toMatchObject({ invitedRows: 259, rejectedRows: 2 });
  });

  test('reaches nothing of another tenant', async () => {
    const other = await bulk.newTenant(freshName());
    const app = await bulk.newApp(other, 'Secret plans', 'https://plans.example/');
    const group = await bulk.newGroup(other, 'Board');
    const rows = [
      rowOf('a@reach.example', { apps: [app] }),
      rowOf('b@reach.example', { groups: [group] }),
      rowOf('c@reach.example', { landingApp: 'Secret plans' }),
      rowOf('d@reach.example', { redirectUrl: 'https://plans.example/' }),
    ];
    const id = await ask({ rows });
    await bulk.run(id);
    expect(codes(await bulk.rows(id))).toEqual([
      'REJECTED NOT_FOUND appIds.0',
      'REJECTED NOT_FOUND groupIds.0',
      'REJECTED NOT_FOUND landingAppId',
      'REJECTED REDIRECT_NOT_REGISTERED redirectUrl',
    ]);
    expect(await refusalOf(ask({ rows }, other))).toEqual(['NOT_FOUND tenantId']);
  });

  test('treats hostile names as data', async () => {
    const rows = [
      rowOf('a@hostile.example', { displayName: "Robert'); drop table invitation; --" }),
      rowOf('b@hostile.example', { displayName: '{{constructor}} <script>' }),
      rowOf('c@hostile.example', { displayName: 'visit https://evil.example now' }),
      rowOf('d@hostile.example', { displayName: 'line\r\nBcc: x@evil.example' }),
      rowOf('e@hostile.example', { displayName: 'nul \0 here', groups: ['\ud800'] }),
      rowOf('f@hostile.example', { cc: ['"},{"@evil.example', 'x@evil.example, y@evil.example'] }),
      rowOf(null),
    ];
    const id = await ask({ rows });
    await bulk.run(id);
    expect(codes(await bulk.rows(id))).toEqual([
      'INVITED',
      'INVITED',
      'REJECTED INVALID displayName',
      'REJECTED INVALID displayName',
      'REJECTED INVALID undefined',
      'REJECTED ADDRESS_INVALID ccRecipients.0 ADDRESS_INVALID ccRecipients.1',
      'REJECTED REQUIRED email',
    ]);
  });

  test('says so when an address is invited, a member, disabled or of the tenant itself', async () => {
    const earlier = await ask({
      rows: [rowOf('open@obstacle.example'), rowOf('member@obstacle.example'), rowOf('off@obstacle.example')],
    });
    await bulk.run(earlier);
    await sql`update external_user set state = 'ACCEPTED' where email_key = 'member@obstacle.example'`.execute(bulk.db);
    await sql`update external_user set account_enabled = false where email_key = 'off@obstacle.example'`.execute(
      bulk.db,
    );
    const emails = ['open', 'member', 'off', 'new'].map((name) => `${name}@obstacle.example`);
    const id = await ask({ rows: [...emails, 'us@contoso.example'].map((email) => rowOf(email)) });
    await bulk.run(id);
    expect(codes(await bulk.rows(id))).toEqual([
      'REJECTED ALREADY_INVITED email',
      'REJECTED ALREADY_MEMBER email',
      'REJECTED ACCOUNT_DISABLED email',
      'INVITED',
      'REJECTED OWN_DOMAIN email',
    ]);
  });

  test('puts nobody into a group with an app role for a key that may not grant it', async () => {
    const tenantId = await bulk.newTenant(freshName());
    const key = await bulk.newKey(
      tenantId,
      permissions.filter((permission) => permission !== 'APP_ASSIGN'),
    );
    const app = await bulk.newApp(tenantId, 'Orders', 'https://orders.example/');
    const [admins, guests] = [await bulk.newGroup(tenantId, 'Admins'), await bulk.newGroup(tenantId, 'Guests')];
    await sql`insert into app_assignment (id, tenant_id, app_id, group_id, role, created_at)
      values (${`asg_${freshName()}`}, ${tenantId}, ${app}, ${admins}, 'admin', now())`.execute(bulk.db);
    const rows = [rowOf('a@roles.example', { groups: ['Admins'] }), rowOf('b@roles.example', { groups: [guests] })];
    const id = await ask({ rows }, tenantId, key);
    await bulk.run(id);
    expect(codes(await bulk.rows(id))).toEqual(['REJECTED INVITER_NOT_AUTHORIZED groupIds', 'INVITED']);
  });
});

describe('a request is refused as a whole, and nothing is stored,', () => {
  const refused: [string, Partial<NewBulkInvite>, string[]][] = [
    ['without rows and csv', {}, ['REQUIRED rows']],
    ['with both', { rows: [], csv: '' }, ['INVALID csv']],
    ['with no rows', { rows: [] }, ['REQUIRED rows']],
    ['with a header only', { csv: 'email\n' }, ['REQUIRED csv']],
    ['with an unreadable file', { csv: 'name\nAna\n' }, ['CSV_UNREADABLE csv']],
    ['with a file cut off in a later row', { csv: 'email\nana@fabrikam.example\n"bo' }, ['CSV_UNREADABLE csv']],
    ['with a hostile file name', { rows: [rowOf('a@b.example')], fileName: 'a\0b' }, ['INVALID fileName']],
    [
      'with defaults that cannot be',
      {
        rows: [rowOf('a@b.example')],
        defaults: { ...request('', {}).defaults, apps: ['Nowhere'], language: 'xx', expiresInDays: 0 },
      },
      ['NOT_FOUND defaults.appIds.0', 'LANGUAGE_UNSUPPORTED defaults.language', 'INVALID defaults.expiresInDays'],
    ],
    [
      'with defaults that no column can hold',
      { rows: [rowOf('a@b.example')], defaults: { ...request('', {}).defaults, message: 'a\0b' } },
      ['INVALID defaults'],
    ],
  ];

  test.each(refused)('%s', async (_name, given, errors) => {
    const tenantId = await bulk.newTenant(freshName());
    expect(await refusalOf(ask(given, tenantId, await bulk.newKey(tenantId, permissions)))).toEqual(errors);
    expect(await count('bulk_invite', tenantId)).toBe(0);
    expect(await count('bulk_invite_row', tenantId)).toBe(0);
  });

  test('with more than 10,000 rows', async () => {
    const csv = `email\n${people(10_001)
      .map(({ email }) => email)
      .join('\n')}`;
    expect(await refusalOf(ask({ csv }))).toEqual(['ROW_LIMIT_EXCEEDED csv']);
    expect(await refusalOf(ask({ rows: people(10_001) }))).toEqual(['ROW_LIMIT_EXCEEDED rows']);
  });
});

describe('an idempotency key', () => {
  test('gives the same batch for the same input, staged once', async () => {
    const given = { rows: people(3), idempotencyKey: freshName() };
    const [first, second] = await Promise.all([ask(given), ask(given)]);
    expect(second).toBe(first);
    expect(await bulk.rows(first)).toHaveLength(3);
    expect(await refusalOf(ask({ ...given, rows: people(2) }))).toEqual(['IDEMPOTENCY_KEY_REUSED idempotencyKey']);
  });
});

describe('a job that is interrupted', () => {
  test('resumes where it stopped, and works off no row twice', async () => {
    const tenantId = await bulk.newTenant(freshName());
    const id = await ask({ rows: people(300) }, tenantId, await bulk.newKey(tenantId, permissions));
    const shutdown = new AbortController();
    bulk.ground.listener.on(
      BULK_INVITE_CHANNEL,
      (rungFor) => rungFor === id && shutdown.abort(new Error('shutting down')),
    );
    await expect(slowly(id, () => bulk.bulkRun.run(bulk.context(), id, shutdown))).rejects.toThrow('shutting down');
    const { processedRows } = await bulk.read(id);
    expect(processedRows).toBeGreaterThan(0);
    expect(processedRows).toBeLessThan(300);
    expect(await count('invitation', tenantId)).toBe(processedRows);
    await bulk.run(id);
    expect(await bulk.read(id)).toMatchObject({
      status: 'COMPLETED',
      processedRows: 300,
      invitedRows: 300,
      rejectedRows: 0,
    });
    expect(await count('invitation', tenantId)).toBe(300);
  });

  test('leaves nothing of the chunk it was in', async () => {
    const tenantId = await bulk.newTenant(freshName());
    const id = await ask({ rows: people(250) }, tenantId, await bulk.newKey(tenantId, permissions));
    await failingBeyond(100, async () => {
      await expect(bulk.run(id)).rejects.toThrow('the disk is full');
    });
    expect(await bulk.read(id)).toMatchObject({ status: 'RUNNING', processedRows: 100, invitedRows: 100 });
    expect(await count('invitation', tenantId)).toBe(100);
    await bulk.run(id);
    expect(await bulk.read(id)).toMatchObject({ status: 'COMPLETED', processedRows: 250, invitedRows: 250 });
    expect(await count('invitation', tenantId)).toBe(250);
  });

  test('run twice at once does its work once', async () => {
    const tenantId = await bulk.newTenant(freshName());
    const id = await ask({ rows: people(300) }, tenantId, await bulk.newKey(tenantId, permissions));
    await Promise.all([bulk.run(id), bulk.run(id)]);
    expect(await bulk.read(id)).toMatchObject({
      status: 'COMPLETED',
      processedRows: 300,
      invitedRows: 300,
      rejectedRows: 0,
    });
    expect(await count('invitation', tenantId)).toBe(300);
  });

  test('after the end, or for an unknown id, has nothing to do', async () => {
    const id = await ask({ rows: people(1) });
    await bulk.run(id);
    const before = await bulk.read(id);
    await bulk.run(id);
    await bulk.run('blk_unknown');
    expect(await bulk.read(id)).toEqual(before);
  });
});

test('rows that are left when the key is revoked are rejected', async () => {
  const tenantId = await bulk.newTenant(freshName());
  const key = await bulk.newKey(tenantId, permissions);
  const id = await ask({ rows: people(2) }, tenantId, key);
  await sql`update api_key set revoked_at = now() where id = ${key.id}`.execute(bulk.db);
  await bulk.run(id);
  expect(codes(await bulk.rows(id))).toEqual([
    'REJECTED INVITER_NOT_AUTHORIZED undefined',
    'REJECTED INVITER_NOT_AUTHORIZED undefined',
  ]);
  expect(await count('invitation', tenantId)).toBe(0);
});

test('10,000 rows are worked off in well under a minute, with as many statements for a large chunk as for a small one', async () => {
  const statements = recordStatements();
  const own = await openBulkGround();
  const startedAt = performance.now();
  const id = await own.bulkInvites.create(own.context(own.inviter), request(own.tenantId, { rows: people(10_000) }));
  statements.length = 0;
  await own.run(id);
  expect(performance.now() - startedAt).toBeLessThan(30_000);
  expect(await own.read(id)).toMatchObject({ status: 'COMPLETED', processedRows: 10_000, invitedRows: 10_000 });
  const counted = countPerTransaction(statements);
  expect(counted.length).toBeGreaterThan(3);
  expect(new Set(counted).size).toBe(1);
  await own.stop();
});

describe('progress', () => {
  test('is told at once, on the way, and when finished; then it ends', async () => {
    const id = await ask({ rows: people(150) });
    const progress = openBulkInviteProgress(bulk.context(), id);
    const first = await progress.next();
    expect(first.value).toMatchObject({ status: 'QUEUED', processedRows: 0 });
    await bulk.run(id);
    const told: string[] = [];
    for await (const { status } of progress) told.push(status);
    expect(told.at(-1)).toBe('COMPLETED');
    expect(await progress.next()).toEqual({ done: true, value: undefined });
  });

  test('of a finished batch is told once', async () => {
    const id = await ask({ rows: people(1) });
    await bulk.run(id);
    const told: string[] = [];
    for await (const { status } of openBulkInviteProgress(bulk.context(), id)) told.push(status);
    expect(told).toEqual(['COMPLETED']);
  });

  test('ends at once for a reader who leaves while nothing happens', async () => {
    const progress = openBulkInviteProgress(bulk.context(), await ask({ rows: people(1) }));
    await progress.next();
    const waiting = progress.next();
    await progress.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });
});

/** Every row takes a millisecond, so that a batch is several chunks and a doorbell is heard between them. */
async function slowly(bulkInviteId: string, work: () => Promise<unknown>): Promise<void> {
  await withRowTrigger(
    'bulk_invite_row',
    `perform pg_sleep(0.001 * (new.bulk_invite_id = '${bulkInviteId}')::int)`,
    work,
  );
}

/** The database refuses what would move any batch beyond this row. */
function failingBeyond(row: number, work: () => Promise<void>): Promise<void> {
  return withRowTrigger('bulk_invite', `if new.processed_rows > ${row} then raise 'the disk is full'; end if`, work);
}

async function withRowTrigger(table: string, body: string, work: () => Promise<unknown>): Promise<void> {
  await sql`${sql.raw(`
    create function interfere() returns trigger language plpgsql as $$ begin ${body}; return new; end $$;
    create trigger interfere before update on ${table} for each row execute function interfere()`)}`.execute(bulk.db);
  try {
    await work();
  } finally {
    await sql`drop function interfere() cascade`.execute(bulk.db);
  }
}
