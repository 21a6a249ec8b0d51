/** POST /bulk-invites, through real sockets: files of any size, whole, refused, cut off, repeated. */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../../support/gateway.js';
import { until } from '../../support/until.js';
import { answerTo, csvOf, openUpload, type UploadAnswer, type UploadTo, upload } from './uploading.js';

let gateway: TestGateway;
let tenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.stop());
beforeEach(async () => {
  tenantId = (await gateway.createTenant()).id;
});

let names = 0;
const freshDomain = () => `d${names++}.fabrikam.example`;

const to = (query: UploadTo['query'] = {}, rest: Partial<UploadTo> = {}): UploadTo => ({
  url: gateway.url,
  key: gateway.bootstrapKey,
  query: { tenantId, sendMail: 'false', ...query },
  ...rest,
});

interface Batch {
  id: string;
  status: string;
  total_rows: number;
  invited_rows: number;
  errors: { code: string; field: string[] | null }[];
  warnings: string[];
  file_name: string | null;
  finished_at: Date | null;
}

const batches = () => gateway.sql<Batch>('select * from bulk_invite where tenant_id = $1 order by id', [tenantId]);
const batch = async (): Promise<Batch | undefined> => (await batches()).at(-1);
const countOf = async (table: 'bulk_invite_row' | 'idempotency_record' | 'invitation') =>
  (await gateway.sql<{ n: number }>(`select count(*)::int as n from ${table} where tenant_id = $1`, [tenantId]))[0]?.n;
const inStatus = (status: string) =>
  until(async () => {
    const found = await batch();
    return found?.status === status ? found : null;
  }, `a batch that is ${status}`);
const codes = ({ errors = [] }: UploadAnswer) => errors.map(({ code, field }) => `${code} ${field?.join('.')}`);

/** An upload of which some rows have arrived. */
async function begun(query: UploadTo['query'] = {}, rows = 2500) {
  const sent = openUpload(to(query));
  sent.write(csvOf(rows, freshDomain()));
  await until(async () => (await batch())?.total_rows, 'the first buffer');
  return sent;
}

describe('an uploaded file', () => {
  it('is answered once it is whole, and worked off', async () => {
    const file = csvOf(2100, freshDomain());
    const answer = await upload(to({ fileName: 'guests.csv' }), file);
    expect(answer).toMatchObject({ status: 202, bulkInviteId: expect.stringMatching(/^blk_/) });
    const done = await inStatus('COMPLETED');
    expect(done).toMatchObject({
      id: answer.bulkInviteId,
      total_rows: 2100,
      invited_rows: 2100,
      file_name: 'guests.csv',
      errors: [],
    });
    expect(await countOf('invitation')).toBe(2100);
  });

  it('carries its options as parameters, with the names of the mutation', async () => {
    const data = await gateway.ask(
      `mutation ($tenantId: ID!) {
        a: createGroup(input: { tenantId: $tenantId, displayName: "Partners, all" }) { group { id } userErrors { code } }
        b: createGroup(input: { tenantId: $tenantId, displayName: "Buyers" }) { group { id } userErrors { code } }
      }`,
      { tenantId },
    );
    const answer = await upload(
      to({
        groupIds: ['Partners, all', data.b.group.id],
        message: 'Welcome & come in',
        inviterName: 'Kim',
        language: 'ko',
        expiresInDays: '7',
        errorPolicy: 'IGNORE_FAILED',
        dryRun: 'false',
      }),
      `email\nana@${freshDomain()}\n`,
    );
    expect(answer.status).toBe(202);
    await inStatus('COMPLETED');
    const [invitation] = await gateway.sql(
      `select message, inviter_name, language, delivery, expires_at - created_at as life,
        (select array_agg(g.group_id order by g.position) from invitation_grant g where g.invitation_id = i.id) as groups
      from invitation i where tenant_id = $1`,
      [tenantId],
    );
    expect(invitation).toMatchObject({
      message: 'Welcome & come in',
      inviter_name: 'Kim',
      language: 'ko',
      delivery: 'SUPPRESSED',
      life: { days: 7 },
      groups: [data.a.group.id, data.b.group.id],
    });
  });

  it('keeps the warnings about its columns', async () => {
    await upload(to(), `email,phone,InviteContactUsUrl\nana@${freshDomain()},1,https://contoso.example\n`);
    expect((await inStatus('COMPLETED')).warnings).toEqual([
      'Columns that are not known were ignored: phone.',
      'InviteContactUsUrl is not used: the mail names the support address of the tenant.',
    ]);
  });

  it('may be packed by gzip', async () => {
    const packed = gzipSync(csvOf(3000, freshDomain()));
    const answer = await upload(to({}, { headers: { 'content-encoding': 'gzip' } }), packed);
    expect(answer.status).toBe(202);
    expect(await inStatus('COMPLETED')).toMatchObject({ total_rows: 3000, invited_rows: 3000 });
  });

  it('is followed by its subscription while it arrives', async () => {
    const sent = await begun();
    const socket = gateway.socket();
    const id = (await batch())?.id;
    const seen: string[] = [];
    const query = `subscription { bulkInviteProgress(id: "${id}") { status totalRows } }`;
    const following = (async () => {
      for await (const { data } of socket.iterate<{ bulkInviteProgress: { status: string } }>({ query }))
        seen.push(data?.bulkInviteProgress.status ?? '');
    })();
    await until(() => seen.length > 0, 'the first state');
    sent.end();
    await following;
    expect([seen[0], seen.at(-1)]).toEqual(['RECEIVING', 'COMPLETED']);
    await socket.dispose();
  });
});

describe('a file that cannot be read', () => {
  const unreadable = async (file: string | Buffer, headers: UploadTo['headers'] = {}) => {
    const answer = await upload(to({}, { headers }), file);
    const failed = await batch();
    expect(failed).toMatchObject({ status: 'FAILED', total_rows: 0, finished_at: expect.any(Date) });
    expect(failed?.errors).toEqual(answer.errors);
    await until(async () => (await countOf('bulk_invite_row')) === 0, 'its rows to be gone');
    return `${answer.status} ${codes(answer)} ${answer.errors?.[0]?.message}`;
  };

  it.each([
    ['is empty', '', 'CSV_UNREADABLE file The file is empty'],
    ['has a header alone', 'email\n', 'REQUIRED file There are no rows'],
    ['has no header', 'ana@x.example\n', 'CSV_UNREADABLE file The header row is missing'],
    ['has no column of addresses', 'phone\n1\n', 'CSV_UNREADABLE file No e-mail column'],
    ['is a workbook', Buffer.from('PK\u0003\u0004\0\0'), 'CSV_UNREADABLE file This is a workbook'],
    ['is in UTF-16', Buffer.from('\ufeffemail\n', 'utf16le'), 'CSV_UNREADABLE file The file is in UTF-16'],
    ['ends inside quotes', `${csvOf(5000, 'q.example')}"ana@x.exam`, 'CSV_UNREADABLE file Row 5001 is cut off'],
  ])('because it %s is refused at the file, and the batch says why', async (_what, file, expected) => {
    expect(await unreadable(file)).toContain(`422 ${expected}`);
  });

  it('because it is packed otherwise than it says is refused', async () => {
    expect(await unreadable('email\nana@x.example\n', { 'content-encoding': 'gzip' })).toContain(
      '422 CSV_UNREADABLE file The file is not what its Content-Encoding says',
    );
  });

  it('because its packed end is missing counts as cut off', async () => {
    const packed = gzipSync(csvOf(3000, 'x.example'));
    expect(await unreadable(packed.subarray(0, -20), { 'content-encoding': 'gzip' })).toContain(
      '400 UPLOAD_INCOMPLETE file',
    );
  });

  it('because it is a bomb is refused before it is unpacked', async () => {
    const row = `a@b.example,${'x'.repeat(50_000)}\n`;
    const bomb = gzipSync(Buffer.concat([Buffer.from('email,message\n'), Buffer.alloc(100 * 1024 * 1024, row)]));
    expect(await unreadable(bomb, { 'content-encoding': 'gzip' })).toContain('more than 100 times its size');
  });
});

describe('a request that is not one', () => {
  it.each([
    ['without a credential', { key: null }, 401],
    ['with a key that is none', { key: 'not-a-key' }, 401],
    ['by another method', { method: 'PUT' }, 405],
    ['asking for the address', { method: 'GET' }, 405],
    ['of another type', { headers: { 'content-type': 'application/json' } }, 415],
    ['without a type', { headers: { 'content-type': '' } }, 415],
    ['in another charset', { headers: { 'content-type': 'text/csv; charset=windows-1252' } }, 415],
    ['packed in another way', { headers: { 'content-encoding': 'br' } }, 415],
  ] as [string, Partial<UploadTo>, number][])('%s is refused and leaves nothing', async (_what, rest, status) => {
    const answer = await upload(to({}, rest), rest.method ? '' : 'email\n');
    expect(answer.status).toBe(status);
    expect(answer.errors).toEqual([
      { code: expect.any(String), field: null, message: expect.any(String), retryAfterSeconds: null },
    ]);
    expect(await batches()).toEqual([]);
  });

  it('says what would be right', async () => {
    expect((await upload(to({}, { method: 'DELETE' }), '')).headers.allow).toBe('POST');
    expect((await upload(to({}, { key: null }), '')).headers['www-authenticate']).toBe('Bearer');
    const brotli = await upload(to({}, { headers: { 'content-encoding': 'br' } }), '');
    expect(brotli.headers['accept-encoding']).toBe('gzip');
    const head = openUpload(to({}, { method: 'HEAD' }));
    head.end();
    expect(await answerTo(head)).toMatchObject({ status: 405, headers: { allow: 'POST' } });
  });

  it('is told about every option that is wrong, at its name', async () => {
    const wrong = await upload(
      to({
        errorPolicy: 'SOME',
        dryRun: 'yes',
        sendMail: ['true', 'false'],
        expiresInDays: 'week',
        dryrun: 'true',
        message: 'a\0b',
      }),
      'email\n',
    );
    expect(wrong.status).toBe(422);
    expect(codes(wrong).sort()).toEqual([
      'INVALID dryRun',
      'INVALID dryrun',
      'INVALID errorPolicy',
      'INVALID expiresInDays',
      'INVALID message',
      'INVALID sendMail',
    ]);
    const defaults = await upload(to({ appIds: ['Nothing'], language: 'tlh', expiresInDays: '91' }), 'email\n');
    expect([defaults.status, codes(defaults)]).toEqual([
      422,
      ['NOT_FOUND appIds.0', 'LANGUAGE_UNSUPPORTED language', 'INVALID expiresInDays'],
    ]);
    expect(codes(await upload(to({ tenantId: '' }), 'email\n'))).toEqual(['REQUIRED tenantId']);
    expect(await batches()).toEqual([]);
  });

  it('needs the permission to invite', async () => {
    const { secret } = await gateway.createKey({ tenantId, permissions: ['INVITATION_READ'] });
    const answer = await upload(to({}, { key: secret }), 'email\n');
    expect([answer.status, codes(answer)]).toEqual([403, ['FORBIDDEN undefined']]);
    expect(answer.errors?.[0]?.message).toContain('INVITATION_WRITE');
  });

  it("of another tenant's key is answered as if there were no such tenant", async () => {
    const other = (await gateway.createTenant()).id;
    const { secret } = await gateway.createKey({ tenantId: other, permissions: ['INVITATION_WRITE'] });
    const foreign = await upload(to({}, { key: secret }), 'email\n');
    const unknown = await upload(to({ tenantId: 'tnt_nothing' }, { key: secret }), 'email\n');
    expect([foreign.status, foreign.errors]).toEqual([404, unknown.errors]);
    expect(codes(foreign)).toEqual(['NOT_FOUND tenantId']);
    expect(await batches()).toEqual([]);
  });
});

describe('a client that asks before it sends (Expect: 100-continue)', () => {
  it('is asked for its file when the head is right', async () => {
    const sent = openUpload(to({}, { headers: { expect: '100-continue' } }));
    sent.flushHeaders();
    await once(sent, 'continue');
    const answer = answerTo(sent);
    sent.end(`email\nana@${freshDomain()}\n`);
    expect((await answer).status).toBe(202);
  });

  it('is refused without having sent a byte when it is not', async () => {
    const sent = openUpload(to({}, { key: 'not-a-key', headers: { expect: '100-continue' } }));
    let continued = false;
    sent.on('continue', () => {
      continued = true;
    });
    sent.flushHeaders();
    const { status, headers } = await answerTo(sent);
    expect([status, headers.connection, continued]).toEqual([401, 'close', false]);
    sent.destroy();
  });

  it('is asked for the body of anything else', async () => {
    const sent = request(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', expect: '100-continue' },
    });
    sent.flushHeaders();
    await once(sent, 'continue');
    const answer = answerTo(sent);
    sent.end('{ "query": "{ __typename }" }');
    expect(await answer).toMatchObject({ status: 200, data: { __typename: 'Query' } });
  });
});

describe('an answer before the end of the file', () => {
  it('reaches a client that goes on sending, and the connection is closed after a while', async () => {
    const sent = openUpload(to({}, { key: 'not-a-key' }));
    const closed = new Promise((resolve) => sent.on('close', resolve));
    const answer = answerTo(sent);
    const piece = Buffer.alloc(64 * 1024, 'x');
    const sending = setInterval(() => sent.write(piece), 5);
    expect((await answer).status).toBe(401);
    await closed;
    clearInterval(sending);
  });
});

describe('an upload that is cut off', () => {
  const cut = async (sent: ReturnType<typeof openUpload>) => {
    sent.destroy();
    const failed = await inStatus('FAILED');
    expect(failed).toMatchObject({ total_rows: 0, finished_at: expect.any(Date) });
    expect(failed.errors.map(({ code, field }) => `${code} ${field}`)).toEqual(['UPLOAD_INCOMPLETE file']);
    await until(async () => (await countOf('bulk_invite_row')) === 0, 'its rows to be gone');
    return failed;
  };

  it('by its client is FAILED, invites nobody, keeps no rows, and frees its key', async () => {
    const failed = await cut(await begun({ idempotencyKey: 'a' }));
    expect(await countOf('invitation')).toBe(0);
    expect(await countOf('idempotency_record')).toBe(0);
    const again = await upload(to({ idempotencyKey: 'a' }), csvOf(3, freshDomain()));
    expect(again.status).toBe(202);
    expect(again.bulkInviteId).not.toBe(failed.id);
  });

  it('before its announced length is FAILED', async () => {
    const { port } = new URL(gateway.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      `POST /bulk-invites?tenantId=${tenantId} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${gateway.bootstrapKey}\r\n` +
        `Content-Type: text/csv\r\nContent-Length: 1000\r\n\r\nemail\nana@x.example\n`,
    );
    await inStatus('RECEIVING');
    socket.end();
    expect((await inStatus('FAILED')).errors.map(({ code }) => code)).toEqual(['UPLOAD_INCOMPLETE']);
  });

  it('by the death of its process is FAILED as soon as it has been silent for a minute', async () => {
    const sent = await begun({ idempotencyKey: 'a' });
    await gateway.sql(`update bulk_invite set received_at = now() - interval '61 seconds' where tenant_id = $1`, [
      tenantId,
    ]);
    await gateway.sql(`select graphile_worker.add_job('end_silent_uploads')`);
    const failed = await inStatus('FAILED');
    expect(failed.errors.map(({ code }) => code)).toEqual(['UPLOAD_INCOMPLETE']);
    expect(await countOf('idempotency_record')).toBe(0);
    // Whoever was only taken for dead is told at the next buffer.
    const answer = answerTo(sent);
    sent.write(csvOf(3000, freshDomain()));
    expect([(await answer).status, codes(await answer)]).toEqual([400, ['UPLOAD_INCOMPLETE file']]);
    sent.destroy();
    await until(async () => (await countOf('bulk_invite_row')) === 0, 'its rows to be gone');
  });

  it('by a cancellation is told so at its next buffer', async () => {
    const sent = await begun({ idempotencyKey: 'a' });
    await gateway.ask(
      'mutation ($id: ID!) { cancelBulkInvite(input: { bulkInviteId: $id }) { userErrors { code message } } }',
      { id: (await batch())?.id },
    );
    const answer = answerTo(sent);
    sent.write(csvOf(3000, freshDomain()));
    expect([(await answer).status, codes(await answer)]).toEqual([409, ['CANCELLED undefined']]);
    sent.destroy();
    expect((await batch())?.status).toBe('CANCELLED');
    expect(await countOf('idempotency_record')).toBe(0);
  });
});

describe('an idempotency key', () => {
  it('answers the same file with the same batch, packed or not', async () => {
    const file = csvOf(2500, freshDomain());
    const first = await upload(to({ idempotencyKey: 'a' }), file);
    const again = await upload(to({}, { headers: { 'idempotency-key': '"a"' } }), file);
    const packed = await upload(
      to({ idempotencyKey: 'a' }, { headers: { 'content-encoding': 'gzip' } }),
      gzipSync(file),
    );
    for (const answer of [again, packed])
      expect([answer.status, answer.bulkInviteId]).toEqual([202, first.bulkInviteId]);
    expect(await batches()).toHaveLength(1);
    await inStatus('COMPLETED');
    expect(await countOf('invitation')).toBe(2500);
  });

  it('is refused with another file, or another option', async () => {
    const file = csvOf(10, freshDomain());
    await upload(to({ idempotencyKey: 'a' }), file);
    const other = await upload(to({ idempotencyKey: 'a' }), csvOf(11, freshDomain()));
    expect([other.status, codes(other)]).toEqual([422, ['IDEMPOTENCY_KEY_REUSED idempotencyKey']]);
    expect(codes(await upload(to({ idempotencyKey: 'a', language: 'ko' }), file))).toEqual([
      'IDEMPOTENCY_KEY_REUSED idempotencyKey',
    ]);
    expect(await batches()).toHaveLength(1);
  });

  it('of an upload that is still arriving is refused before the file is read', async () => {
    const sent = await begun({ idempotencyKey: 'a' });
    const twin = openUpload(to({ idempotencyKey: 'a' }, { headers: { expect: '100-continue' } }));
    twin.flushHeaders();
    const answer = await answerTo(twin);
    expect([answer.status, codes(answer), answer.headers['retry-after']]).toEqual([
      409,
      ['CONFLICT idempotencyKey'],
      '60',
    ]);
    twin.destroy();
    sent.end();
    expect((await answerTo(sent)).status).toBe(202);
    expect(await batches()).toHaveLength(1);
  });

  it('of an upload whose process died is free for the next try after a minute, before anybody swept', async () => {
    const sent = await begun({ idempotencyKey: 'a' });
    await gateway.sql(`update bulk_invite set received_at = now() - interval '61 seconds' where tenant_id = $1`, [
      tenantId,
    ]);
    const next = await upload(to({ idempotencyKey: 'a' }), csvOf(5, freshDomain()));
    expect(next.status).toBe(202);
    sent.destroy();
    expect((await batches()).map(({ status }) => status)).toEqual([
      'FAILED',
      expect.stringMatching(/QUEUED|COMPLETED/),
    ]);
    await until(async () => (await batch())?.status === 'COMPLETED', 'the second');
    expect(await countOf('idempotency_record')).toBe(1);
  });

  it('given twice and differently is refused', async () => {
    const answer = await upload(to({ idempotencyKey: 'a' }, { headers: { 'idempotency-key': 'b' } }), 'email\n');
    expect(codes(answer)).toEqual(['INVALID idempotencyKey']);
    expect(codes(await upload(to({ idempotencyKey: '' }), 'email\n'))).toEqual(['INVALID idempotencyKey']);
  });
});
