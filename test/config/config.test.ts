import { once } from 'node:events';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConfigError, loadConfig } from '../../src/config/config.js';
import { makeTemporaryDataDir } from '../support/temporary-data-dir.js';
import { spawnTypeScript } from '../support/typescript-process.js';

const secretKey = 'k'.repeat(32);
const production = {
  DATABASE_URL: 'postgresql://vestibule:hunter2@db.example/vestibule',
  SECRET_KEYS: secretKey,
  SMTP_URL: 'smtps://user:hunter2@mail.example:465',
  MAIL_FROM: 'Example <no-reply@example.com>',
};

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig({ SECRET_KEYS: secretKey, ...env });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('the configuration', () => {
  it('needs no variable at all beside the secret, and then stays on loopback', () => {
    const config = loadConfig({ SECRET_KEYS: secretKey });
    expect(config.http).toMatchObject({ host: '127.0.0.1', port: 4000, trustedProxies: [] });
    expect(config.http.publicUrl.href).toBe('http://localhost:4000/');
    expect(config.database.url).toBeNull();
    expect(config.mail).toMatchObject({ smtpUrl: null, mailboxSmtpPort: 1025, mailboxWebPort: 1080 });
    expect(config.limits.mailsPerTenantPerHour).toBe(20_000);
    expect(config.allowPrivateProviders).toBe(false);
    expect(config.metrics).toEqual({ token: null, port: null });
    expect(isAbsolute(config.dataDir)).toBe(true);
  });

  it('takes everything that production sets', () => {
    const config = loadConfig({
      ...production,
      PUBLIC_URL: 'https://guests.example.com',
      TRUSTED_PROXIES: '10.0.0.0/8, ::1',
    });
    expect(config.http.publicUrl.origin).toBe('https://guests.example.com');
    expect(config.http.trustedProxies).toEqual(['10.0.0.0/8', '::1']);
    expect(config.mail.from).toEqual({ name: 'Example', address: 'no-reply@example.com' });
  });

  it('leaves tracing off until a collector is named', () => {
    expect(loadConfig({ SECRET_KEYS: secretKey }).tracing.endpoint).toBeNull();
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.example:4318',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20abc, x-team=guests',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
    };
    expect(loadConfig({ SECRET_KEYS: secretKey, ...env }).tracing).toEqual({
      endpoint: 'http://collector.example:4318',
      headers: { authorization: 'Basic abc', 'x-team': 'guests' },
      serviceName: 'vestibule',
      sampler: 'parentbased_traceidratio',
      ratio: 0.25,
    });
    expect(
      problemsOf({
        OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317',
        OTEL_EXPORTER_OTLP_HEADERS: 'no value',
        OTEL_TRACES_SAMPLER: 'sometimes',
        OTEL_TRACES_SAMPLER_ARG: '1.5',
      }).map((problem) => problem.split(' ')[0]),
    ).toEqual([
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      'OTEL_EXPORTER_OTLP_HEADERS',
      'OTEL_TRACES_SAMPLER',
      'OTEL_TRACES_SAMPLER_ARG',
    ]);
  });

  it('counts an empty variable as absent', () => {
    const config = loadConfig({ SECRET_KEYS: secretKey, PORT: '', DATABASE_URL: ' ', BOOTSTRAP_API_KEY: '' });
    expect(config.http.port).toBe(4000);
    expect(config.database.url).toBeNull();
    expect(config.bootstrapApiKey).toBeNull();
  });

  it('follows PORT in the default of PUBLIC_URL', () => {
    expect(loadConfig({ SECRET_KEYS: secretKey, PORT: '8080' }).http.publicUrl.href).toBe('http://localhost:8080/');
  });

  it('reports every problem at once, with the name of the variable', () => {
    const problems = problemsOf({
      PORT: '70000',
      LOG_LEVEL: 'loud',
      ALLOW_PRIVATE_PROVIDERS: 'yes',
      TRUSTED_PROXIES: 'me',
    });
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'PORT',
      'TRUSTED_PROXIES',
      'ALLOW_PRIVATE_PROVIDERS',
      'LOG_LEVEL',
    ]);
  });

  it('never repeats a value', () => {
    const problems = problemsOf({
      DATABASE_URL: 'mysql://hunter2',
      SECRET_KEYS: 'hunter2',
      SMTP_URL: 'hunter2',
      BOOTSTRAP_API_KEY: 'hunter2',
      METRICS_TOKEN: 'hunter2',
      MAIL_FROM: 'hunter2',
    });
    expect(problems).toHaveLength(6);
    expect(problems.join()).not.toContain('hunter2');
  });

  it.each([
    ['http://guests.example.com', false],
    ['https://guests.example.com/vestibule', false],
    ['https://guests.example.com/?a=b', false],
    ['https://user:password@guests.example.com', false],
    ['ftp://localhost', false],
    ['guests.example.com', false],
    ['http://10.0.0.1', false],
    ['http://localhost:4000', true],
    ['http://127.0.0.1:4000/', true],
    ['http://[::1]:4000', true],
    ['https://guests.example.com:8443', true],
  ])('takes %s as PUBLIC_URL: %s', (PUBLIC_URL, accepted) => {
    expect(problemsOf({ PUBLIC_URL })).toHaveLength(accepted ? 0 : 1);
  });

  it.each(['SECRET_KEYS', 'SMTP_URL', 'MAIL_FROM'])('does not start with DATABASE_URL and without %s', (name) => {
    const problems = problemsOf({ ...production, [name]: '' });
    expect(problems).toEqual([expect.stringMatching(new RegExp(`^${name} is required`))]);
  });

  it('cannot be changed afterwards', () => {
    const config = loadConfig({ SECRET_KEYS: secretKey });
    expect(() => Object.assign(config.http, { port: 1 })).toThrow(TypeError);
    expect(() => (config.secretKeys as string[]).push('x')).toThrow(TypeError);
  });

  it('keeps older secrets after the current one', () => {
    const older = 'o'.repeat(40);
    expect(loadConfig({ SECRET_KEYS: `${secretKey}, ${older}` }).secretKeys).toEqual([secretKey, older]);
  });
});

describe('secrets made up at the first start', () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await makeTemporaryDataDir();
  });
  afterEach(() => rm(dataDir, { recursive: true }));

  it('are kept for the next start, readable by the owner only', async () => {
    const first = loadConfig({ DATA_DIR: join(dataDir, 'new') }).secretKeys;
    expect(first[0]?.length).toBeGreaterThanOrEqual(32);
    expect(loadConfig({ DATA_DIR: join(dataDir, 'new') }).secretKeys).toEqual(first);
    expect((await stat(join(dataDir, 'new', 'secret-keys'))).mode & 0o777).toBe(0o600);
  });

  it('are the same for processes that start at once', async () => {
    const script = `const { loadSecretKeys } = await import(source('config/secret-keys.ts'));
      console.error('ready');
      for await (const _ of process.stdin);
      console.log(loadSecretKeys(process.argv[1]).join());`;
    const processes = [1, 2, 3, 4].map(() => spawnTypeScript(script, dataDir));
    await Promise.all(processes.map(({ stderr }) => once(stderr, 'data')));
    for (const { stdin } of processes) stdin.end();
    const outputs = await Promise.all(processes.map(({ stdout }) => text(stdout)));
    expect(new Set(outputs)).toEqual(new Set([await readFile(join(dataDir, 'secret-keys'), 'utf8')]));
  });

  it('are not replaced when the file is damaged', async () => {
    await writeFile(join(dataDir, 'secret-keys'), 'short\n');
    expect(() => loadConfig({ DATA_DIR: dataDir })).toThrow(/Put the file back/);
  });

  it('are not made when another variable is wrong', async () => {
    expect(() => loadConfig({ DATA_DIR: join(dataDir, 'new'), PORT: 'x' })).toThrow(ConfigError);
    await expect(stat(join(dataDir, 'new'))).rejects.toThrow('ENOENT');
  });
});
