import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { type CsvRow, openInviteCsv } from '../../../src/features/bulk-invites/invite-csv.js';
import type { CsvSource } from '../../../src/features/bulk-invites/invite-csv-bytes.js';
import type { InviteRowText } from '../../../src/features/bulk-invites/invite-csv-columns.js';

const samples = join(import.meta.dirname, '../../../docs/samples');

async function read(source: CsvSource): Promise<{ warnings: string[]; rows: CsvRow[] }> {
  const csv = await openInviteCsv(source);
  const rows: CsvRow[] = [];
  for await (const row of csv.rows) rows.push(row);
  return { warnings: csv.warnings, rows };
}

async function inputs(source: CsvSource): Promise<InviteRowText[]> {
  return (await read(source)).rows.map((row) => row.input);
}

const sample = async (name: string) => read(await readFile(join(samples, name), 'utf8'));

/** What the caller is told: `CODE: message`. */
async function refusal(source: CsvSource): Promise<string> {
  const error = await read(source).then(
    () => null,
    (caught: unknown) => caught,
  );
  const entry = (error as { entries?: { code: string; message: string }[] } | null)?.entries?.[0];
  if (!entry) throw error ?? new Error('The file was read.');
  return `${entry.code}: ${entry.message}`;
}

async function* chunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const nothing: InviteRowText = {
  email: null,
  displayName: null,
  apps: [],
  groups: [],
  landingApp: null,
  redirectUrl: null,
  message: null,
  language: null,
  cc: [],
  sendMail: null,
  expiresInDays: null,
};

const orders = '6b7e2a10-9d3f-4c58-8f21-0a4c6d5e7f90';
const prices = '1c2d3e4f-5a6b-4c7d-8e9f-a0b1c2d3e4f5';

describe('the samples in docs', () => {
  test('our own columns are read in full', async () => {
    expect(await sample('invitations.csv')).toEqual({
      warnings: [],
      rows: [
        {
          rowNumber: 1,
          errors: [],
          input: {
            email: 'ana@fabrikam.example',
            displayName: 'Ana Fabrikam',
            apps: ['Orders', 'Price List'],
            groups: ['Partners'],
            landingApp: 'Orders',
            redirectUrl: null,
            message: 'Welcome, Ana.\nAsk for the "Orders" tour.',
            language: 'en',
            cc: ['boss@fabrikam.example', 'desk@fabrikam.example'],
            sendMail: true,
            expiresInDays: 30,
          },
        },
        {
          rowNumber: 2,
          errors: [],
          input: {
            ...nothing,
            email: 'bo@litware.example',
            displayName: 'Bo Litware',
            language: 'ko',
            sendMail: false,
          },
        },
      ],
    });
  });

  test('the 2015 file gives ids separated by spaces, and a contact address is said to be unused', async () => {
    const { warnings, rows } = await sample('entra-2015.csv');
    expect(rows[0]?.input).toEqual({
      ...nothing,
      email: 'ana@fabrikam.example',
      displayName: 'Ana Fabrikam',
      apps: [orders, prices],
      landingApp: orders,
      redirectUrl: 'https://orders.contoso.example',
    });
    expect(rows[1]?.errors).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining('InviteContactUsUrl is not used')]);
  });

  test('the 2016 file is read with the stray space of its header and a message of two lines', async () => {
    const { warnings, rows } = await sample('entra-2016.csv');
    expect(warnings).toEqual([]);
    expect(rows.map((row) => row.input.message)).toEqual([
      'Welcome aboard, Ana',
      null,
      'You asked for access to "Orders".\nIt is ready.',
      null,
    ]);
    expect(rows[2]?.input).toMatchObject({ cc: ['assistant@litware.example'], language: 'de' });
    expect(rows[3]?.input.email).toBe('dee+reports@adatum.example');
  });

  test('the template of today is read below its version line', async () => {
    const { warnings, rows } = await sample('entra-today.csv');
    expect(warnings).toEqual([]);
    expect(rows.map((row) => row.input)).toEqual([
      {
        ...nothing,
        email: 'ana@fabrikam.example',
        redirectUrl: 'https://orders.contoso.example',
        sendMail: true,
        message: 'Welcome',
      },
      {
        ...nothing,
        email: 'bo@fabrikam.example',
        redirectUrl: 'https://orders.contoso.example',
        sendMail: false,
      },
    ]);
  });

  test('the file of the PowerShell sample is read', async () => {
    const { rows } = await sample('entra-powershell.csv');
    expect(rows[0]?.input).toEqual({ ...nothing, email: 'ana@fabrikam.example', displayName: 'Ana Fabrikam' });
  });

  test('a messy file gives every row, and a warning for the unknown column', async () => {
    const { warnings, rows } = await sample('messy.csv');
    expect(warnings).toEqual(['Columns that are not known were ignored: Favourite colour.']);
    expect(rows.map((row) => row.rowNumber)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(rows[0]?.input).toMatchObject({
      email: 'ana@fabrikam.example',
      displayName: 'Ana; Fabrikam',
      language: 'en',
    });
    expect(rows.flatMap((row) => row.errors)).toEqual([]);
  });
});

describe('header', () => {
  test.each([',', ';', '\t'])('the delimiter %j is told from quoted headings too', async (delimiter) => {
    const file = [
      ['"email"', '"Display Name"', ' LANGUAGE '],
      ['a@x.example', '"Ana, Bo; Cy\tDee"', 'zh-HANS'],
    ];
    const [row] = await inputs(file.map((cells) => cells.join(delimiter)).join('\n'));
    expect(row).toMatchObject({ email: 'a@x.example', displayName: 'Ana, Bo; Cy\tDee', language: 'zh-HANS' });
  });

  test('a version line that a spreadsheet padded with delimiters is skipped', async () => {
    const [row] = await inputs(
      'version:v1.0;;\r\nAddress [inviteeEmail] Required;Mail [sendEmail];\r\na@x.example;no;\r\n',
    );
    expect(row).toMatchObject({ email: 'a@x.example', sendMail: false });
  });

  test('the line that tells a spreadsheet the delimiter is skipped', async () => {
    expect(await inputs('sep=;\nemail;displayName\na@x.example;Ana')).toMatchObject([{ displayName: 'Ana' }]);
  });

  test.each(['Example: guest@contoso.com', 'example@example.com', 'example@contoso.com'])(
    'the example row %j of the template is skipped with a warning and not counted',
    async (example) => {
      const { warnings, rows } = await read(
        `version:v1.0\nAddress [inviteeEmail] Required,Mail [sendEmail]\n${example},true\na@x.example,true`,
      );
      expect(rows).toMatchObject([{ rowNumber: 1, input: { email: 'a@x.example' } }]);
      expect(warnings).toEqual(['The example row of the template was skipped.']);
    },
  );

  test('the first of two columns for the same thing is used, with a warning', async () => {
    const { warnings, rows } = await read('Email,inviteeEmail [inviteeEmail]\na@x.example,b@x.example');
    expect(rows[0]?.input.email).toBe('a@x.example');
    expect(warnings).toEqual(['Two columns give email: Email and inviteeEmail [inviteeEmail]. The first is used.']);
  });

  test('unknown columns share one warning, of bounded length', async () => {
    const unknown = Array.from({ length: 12 }, (_, at) => `x${at}${'y'.repeat(100)}`);
    const { warnings } = await read(`email,${unknown.join(',')}\na@x.example`);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/x9y+ and 2 more\.$/);
    expect(warnings[0]?.length).toBeLessThan(500);
  });
});

describe('cells', () => {
  test('names keep their spaces, ids are separated by them', async () => {
    const [row] = await inputs(`email,apps,groups\na@x.example,${orders} ${prices};Price List,Two Words`);
    expect(row).toMatchObject({ apps: [orders, prices, 'Price List'], groups: ['Two Words'] });
  });

  test('several values may stand in a quoted cell of a file delimited by semicolons', async () => {
    const [row] = await inputs('email;apps;cc\na@x.example;"Orders; Price List;";"b@x.example;c@x.example"');
    expect(row).toMatchObject({ apps: ['Orders', 'Price List'], cc: ['b@x.example', 'c@x.example'] });
  });

  test('lines may end in CRLF, LF or a lone CR, and blank ones are not counted', async () => {
    const { rows } = await read(
      '\uFEFF\r\nemail,displayName\r\r\na@x.example,Ana\n,,,\n  \nb@x.example,"Bo"\r\nc@x.example',
    );
    expect(rows.map((row) => [row.rowNumber, row.input.email])).toEqual([
      [1, 'a@x.example'],
      [2, 'b@x.example'],
      [3, 'c@x.example'],
    ]);
  });

  test('blanks around a quoted cell do not matter, blanks inside a message stay', async () => {
    const [row] = await inputs('email,displayName,message\na@x.example , "Hello, Bo" ,"  Hi  "');
    expect(row).toMatchObject({ email: 'a@x.example', displayName: 'Hello, Bo', message: '  Hi  ' });
  });

  test('hostile cells come back as they were written, however the bytes are cut', async () => {
    const alphabet = ['"', '""', ',', ';', '\t', '\n', '\r\n', '\r', ' ', 'a', 'é', '한', '🎉', '=1+1', '\u00a0'];
    const random = randomNumbers(20_151_027);
    const messages = Array.from({ length: 300 }, () =>
      Array.from(
        { length: 1 + Math.floor(random() * 12) },
        () => alphabet[Math.floor(random() * alphabet.length)],
      ).join(''),
    );
    for (const delimiter of [',', ';', '\t']) {
      const lines = messages.map((message, n) => [`g${n}@x.example`, quoted(message), 'en'].join(delimiter));
      const file = Buffer.from([['email', 'message', 'language'].join(delimiter), ...lines].join('\r\n'));
      const { rows } = await read(chunks(file, 7));
      expect(rows.map((row) => row.input.message)).toEqual(
        messages.map((message) => (message.trim() ? message : null)),
      );
      expect(rows.every((row) => row.errors.length === 0 && row.input.language === 'en')).toBe(true);
    }
  });
});

describe('errors of a row never stop the rest', () => {
  const errorsOf = async (file: string) =>
    (await read(file)).rows.map((row) => row.errors.map(({ field, code }) => [field?.[0] ?? null, code]));

  test('each wrong cell is named by our column', async () => {
    const file = [
      'InvitedUserEmailAddress,sendEmail,expiresInDays',
      ',true,1',
      'a@x.example,maybe,91',
      'b@x.example,YES,90',
      'c@x.example,0,1.5',
      'd@x.example,,-3',
      'e@x.example,1,',
    ];
    expect(await errorsOf(file.join('\n'))).toEqual([
      [['email', 'REQUIRED']],
      [
        ['sendMail', 'INVALID'],
        ['expiresInDays', 'INVALID'],
      ],
      [],
      [['expiresInDays', 'INVALID']],
      [['expiresInDays', 'INVALID']],
      [],
    ]);
  });

  test('a cell too many is an error only if it holds something', async () => {
    expect(await errorsOf('email,message\na@x.example,Hi, there\nb@x.example,Hi,,\nc@x.example')).toEqual([
      [[null, 'INVALID']],
      [],
      [],
    ]);
  });

  test('a cell over 64 KB is refused and not kept', async () => {
    const { rows } = await read(`email,message\na@x.example,${'x'.repeat(65_537)}\nb@x.example,Hi`);
    expect(rows.map((row) => [row.input.message, row.errors.map((error) => error.code)])).toEqual([
      [null, ['TOO_LONG']],
      ['Hi', []],
    ]);
  });

  test('quotes inside an unquoted cell are text', async () => {
    const { rows } = await read('email,displayName\na@x.example,Ana "the boss" Fabrikam\nb@x.example,Bo');
    expect(rows.map((row) => row.input.displayName)).toEqual(['Ana "the boss" Fabrikam', 'Bo']);
    expect(rows[0]?.errors).toEqual([]);
  });

  test('a quote that closes too early refuses its row, and those it swallowed are never invited by it', async () => {
    const file = ['email,message', 'a@x.example,"Hi', 'b@x.example,"Ho"', 'c@x.example,"Dear" Cy', 'd@x.example,"Hi"'];
    const { rows } = await read(file.join('\n'));
    expect(rows.map((row) => row.errors.map((error) => error.code))).toEqual([['INVALID'], ['INVALID'], []]);
    expect(rows[0]?.errors[0]?.message).toContain('2 lines were taken for one row');
    expect(rows[2]?.input).toMatchObject({ email: 'd@x.example', message: 'Hi' });
  });
});

describe('a file that cannot be read is refused with the way out', () => {
  const header = 'email,displayName\n';
  const binary: [string, Buffer | string, RegExp][] = [
    ['empty', '', /empty/],
    ['blank', '\uFEFF \r\n,,\r\n', /empty/],
    ['without a header row', 'ana@x.example,Ana\n', /header row is missing/],
    ['without an e-mail column', 'name,phone\nAna,1', /No e-mail column/],
    ['a workbook', Buffer.from('PK\u0003\u0004\u0014\u0000\u0006\u0000'), /workbook/],
    ['UTF-16', Buffer.from(`\uFEFF${header}`, 'utf16le'), /UTF-16/],
    ['binary', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1]), /not text in UTF-8/],
    ['a text with NUL', `${header}a@x.example,A\u0000na`, /not text in UTF-8/],
    ['of an older code page', Buffer.from(`${header}a@x.example,Andr\xe9\n`, 'latin1'), /not text in UTF-8/],
    ['cut off in a character', Buffer.from(`${header}a@x.example,André`).subarray(0, -1), /middle of a character/],
    ['cut off in a quoted cell', `${header}a@x.example,Ana\nb@x.example,"Bo`, /Row 2 is cut off/],
    ['a header cut off in a quoted cell', 'email,"displayNa', /cannot be read/],
    [
      'a row over 256 KB',
      `${header}a@x.example,Ana\nb@x.example,"${'x\n'.repeat(200_000)}`,
      /Row 2 is larger than 256 KB/,
    ],
    ['a row of delimiters only', `${header}a@x.example,Ana\n${','.repeat(400_000)}`, /Row 2 is larger than 256 KB/],
    ['a header over 64 KB', `${'x,'.repeat(200_000)}email\n`, /No e-mail column/],
  ];

  test.each(binary)('%s', async (_, file, message) => {
    const source = typeof file === 'string' ? file : chunks(file, 5);
    expect(await refusal(source)).toMatch(new RegExp(`^CSV_UNREADABLE: .*(?:${message.source})`));
  });

  test('the failing row is counted from the first row of data', async () => {
    const file = `version:v1.0\nAddress [inviteeEmail] Required\nExample: guest@contoso.com\n\n${'a@x.example\n'.repeat(5000)}"b`;
    expect(await refusal(file)).toContain('Row 5001 is cut off');
  });

  test('an error of the source itself passes through', async () => {
    const broken = (async function* () {
      yield Buffer.from(`${header}${'a@x.example,Ana\n'.repeat(10_000)}`);
      throw new Error('connection reset');
    })();
    await expect(read(broken)).rejects.toThrow('connection reset');
  });
});

describe('streaming', () => {
  const ROWS = 100_000;

  async function* generated(progress: { written: number }): AsyncGenerator<Buffer> {
    yield Buffer.from('Email,DisplayName,InvitationText\r\n');
    for (; progress.written < ROWS; progress.written += 100) {
      const rows = Array.from({ length: 100 }, (_, n) => `g${progress.written + n}@x.example,Guest,"Welcome, you"\r\n`);
      yield Buffer.from(rows.join(''));
    }
  }

  test('100,000 rows are read in order, never far ahead of the reader', async () => {
    const progress = { written: 0 };
    const { rows } = await openInviteCsv(generated(progress));
    let read = 0;
    let furthest = 0;
    for await (const row of rows) {
      read += 1;
      if (row.rowNumber !== read || row.input.email !== `g${read - 1}@x.example`)
        throw new Error(`Row ${read} is wrong.`);
      furthest = Math.max(furthest, progress.written - read);
    }
    expect(read).toBe(ROWS);
    expect(furthest).toBeLessThan(5000);
  });

  test('a reader that stops early closes the source', async () => {
    const closed = Promise.withResolvers<void>();
    const { rows } = await openInviteCsv(closing(generated({ written: 0 }), closed.resolve));
    for await (const row of rows) if (row.rowNumber === 10) break;
    await closed.promise;
  });

  test('a file refused by its header closes the source', async () => {
    const closed = Promise.withResolvers<void>();
    const phones = Buffer.from('phone,name\n'.repeat(50_000));
    expect(await refusal(closing(chunks(phones, 1000), closed.resolve))).toContain('No e-mail column');
    await closed.promise;
  });
});

async function* closing(source: AsyncIterable<Buffer>, onClose: () => void): AsyncGenerator<Buffer> {
  try {
    yield* source;
  } finally {
    onClose();
  }
}

function quoted(cell: string): string {
  return `"${cell.replaceAll('"', '""')}"`;
}

/** Mulberry32: the same hostile cells in every run. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
