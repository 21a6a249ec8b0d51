import { once } from 'node:events';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { lockDataDir } from '../../src/database/data-dir-lock.js';
import { requirePassage } from '../../src/database/embedded-account.js';
import { type EmbeddedServer, startEmbeddedServer } from '../../src/database/embedded-server.js';
import { type Log, silentLog } from '../../src/kernel/log.js';
import { makeTemporaryDataDir } from '../support/temporary-data-dir.js';
import { spawnTypeScript } from '../support/typescript-process.js';

let dataDir: string;
let servers: EmbeddedServer[];

beforeEach(async () => {
  dataDir = await makeTemporaryDataDir();
  servers = [];
});

afterEach(async () => {
  for (const server of servers) await server.stop();
  await rm(dataDir, { recursive: true });
});

async function start(log: Log = silentLog): Promise<EmbeddedServer> {
  const server = await startEmbeddedServer({ dataDir, log, durable: false });
  servers.push(server);
  return server;
}

async function query(url: string, statement: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text: statement, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

const show = async (url: string, setting: string) => (await query(url, `show ${setting}`))[0];

async function postmasterPid(): Promise<number> {
  return Number((await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0]);
}

/** A gateway in a process of its own that prints its URL and then every SIGINT, and does not end by it. */
async function spawnGateway() {
  const gateway = spawnTypeScript(
    `const { startEmbeddedServer } = await import(source('database/embedded-server.ts'));
     const { silentLog } = await import(source('kernel/log.ts'));
     process.on('SIGINT', () => console.log('SIGINT'));
     const { url } = await startEmbeddedServer({ dataDir: process.argv[1], log: silentLog, durable: false });
     console.log(url);`,
    dataDir,
  );
  const lines = createInterface({ input: gateway.stdout });
  const nextLine = async () => String((await once(lines, 'line'))[0]);
  const kill = async () => {
    const ended = once(gateway, 'exit');
    gateway.kill('SIGKILL');
    await ended;
  };
  return { pid: gateway.pid as number, url: await nextLine(), nextLine, kill };
}

describe('the embedded database', () => {
  it('listens on loopback with a password of its own that only its owner can read', async () => {
    const { url } = await start();
    const { hostname, password } = new URL(url);
    expect(hostname).toBe('127.0.0.1');
    expect(await show(url, 'listen_addresses')).toBe('127.0.0.1');
    expect(await readFile(join(dataDir, 'postgres-password'), 'utf8')).toBe(`${password}\n`);
    expect((await stat(join(dataDir, 'postgres-password'))).mode & 0o777).toBe(0o600);
    await expect(query(url.replace(password, 'wrong'), 'select 1')).rejects.toThrow('password authentication failed');
  });

  it('orders and folds text the same on every machine', async () => {
    const { url } = await start();
    const locale =
      'select datlocprovider, datlocale, pg_encoding_to_char(encoding) from pg_database where datname = current_database()';
    expect(await query(url, locale)).toEqual(['b', 'C.UTF-8', 'UTF8']);
    expect(await show(url, 'jit')).toBe('off');
    expect(await show(url, 'idle_in_transaction_session_timeout')).toBe('30s');
  });

  it('waits for the disk unless told that the data may be lost', async () => {
    const server = await startEmbeddedServer({ dataDir, log: silentLog });
    servers.push(server);
    expect([await show(server.url, 'fsync'), await show(server.url, 'synchronous_commit')]).toEqual(['on', 'on']);
  });

  it('keeps its data and its password over a restart', async () => {
    const first = await start();
    await query(first.url, 'create table kept (n int)');
    await first.stop();
    const second = await start();
    expect(await query(second.url, 'select count(*)::int from kept')).toEqual([0]);
    expect(new URL(second.url).password).toBe(new URL(first.url).password);
  });

  it('leaves signals to the gateway', async () => {
    const before = ['SIGINT', 'SIGTERM', 'SIGHUP', 'beforeExit'].map((event) => process.listenerCount(event));
    await start();
    expect(['SIGINT', 'SIGTERM', 'SIGHUP', 'beforeExit'].map((event) => process.listenerCount(event))).toEqual(before);
  });

  it('outlives Ctrl-C in the terminal, so that the gateway can finish its work', async () => {
    const gateway = await spawnGateway();
    const signalled = gateway.nextLine();
    // What a terminal does: the signal goes to the whole process group.
    process.kill(-gateway.pid, 'SIGINT');
    expect(await signalled).toBe('SIGINT');
    expect(await query(gateway.url, 'select 1')).toEqual([1]);
    await gateway.kill();
    await start();
  });

  it('refuses a second gateway on the same directory and says which one is there', async () => {
    const first = await start();
    await expect(start()).rejects.toThrow(`Another gateway (process ${process.pid})`);
    expect(await query(first.url, 'select 1')).toEqual([1]);
  });

  it('recovers what a killed gateway left, and stops its server first', async () => {
    const gateway = await spawnGateway();
    await query(gateway.url, 'create table kept (n int)');
    await gateway.kill();
    const orphan = await postmasterPid();
    const { url } = await start();
    expect(await postmasterPid()).not.toBe(orphan);
    expect(await query(url, 'select count(*)::int from kept')).toEqual([0]);
  });

  it('does not mistake another process for its own when the number in postmaster.pid was given out again', async () => {
    await (await start()).stop();
    const bystander = spawnTypeScript('setInterval(() => undefined, 1000)');
    await writeFile(join(dataDir, 'postgres', 'postmaster.pid'), `${bystander.pid}\n${dataDir}\n0\n1\n`);
    await start();
    expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
    bystander.kill();
  });

  it('tells what failed, tries once more, and leaves neither process nor lock', async () => {
    await (await start()).stop();
    await writeFile(join(dataDir, 'postgres', 'postgresql.conf'), 'no_such_setting = 1\n');
    const warnings: object[] = [];
    await expect(start({ ...silentLog, warn: (fields) => warnings.push(fields) })).rejects.toThrow('no_such_setting');
    expect(warnings).toHaveLength(1);
    await expect(stat(join(dataDir, 'postgres', 'postmaster.pid'))).rejects.toThrow('ENOENT');
    await expect(stat(join(dataDir, 'lock'))).rejects.toThrow('ENOENT');
  });

  it('does not build on data that was only half made', async () => {
    await mkdir(join(dataDir, 'postgres.partial'));
    await writeFile(join(dataDir, 'postgres.partial', 'PG_VERSION'), '18');
    expect(await query((await start()).url, 'select 1')).toEqual([1]);
  });

  it('tells when its password file is lost', async () => {
    await (await start()).stop();
    await rm(join(dataDir, 'postgres-password'));
    await expect(start()).rejects.toThrow('postgres-password is missing');
  });

  it('logs the words of PostgreSQL, and statements never', async () => {
    const lines: string[] = [];
    const { url } = await start({ ...silentLog, debug: (fields) => lines.push(JSON.stringify(fields)) });
    await expect(query(url, "select 'hunter2'::int")).rejects.toThrow();
    await servers[0]?.stop();
    expect(lines.join()).toContain('ready to accept connections');
    expect(lines.join()).not.toContain("hunter2'::int");
  });
});

describe('the directory lock', () => {
  it('is taken over from a process that ended, even when its number was given out again', async () => {
    await writeFile(join(dataDir, 'lock'), `${process.pid} 1`);
    expect(() => lockDataDir(dataDir).release()).not.toThrow();
  });
});

describe('the account of the server', () => {
  it('is told which directory it may not enter', async () => {
    const closed = join(dataDir, 'closed');
    await mkdir(closed, { mode: 0o700 });
    const account = { uid: 12_345, gid: 12_345 };
    await expect(requirePassage(join(closed, 'postgres'), account)).rejects.toThrow(`may not enter ${closed}`);
  });
});
