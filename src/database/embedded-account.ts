/**
 * PostgreSQL refuses to run as root. When the gateway does (in a container, mostly), the server runs as the user `postgres`,
 * who is made when missing and must be able to pass through every directory above the program and the data.
 */
import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const USER = 'postgres';

/** Empty: the gateway's own user. */
export type ServerAccount = { uid: number; gid: number } | Record<string, never>;

export async function serverAccount(): Promise<ServerAccount> {
  if (process.getuid?.() !== 0) return {};
  const account = (await findAccount()) ?? (await makeAccount());
  if (!account) throw new Error(`PostgreSQL does not run as root, and the user ${USER} cannot be made. ${remedy}`);
  return account;
}

const remedy = 'Run the gateway as an ordinary user, or set DATABASE_URL.';

async function findAccount(): Promise<ServerAccount | null> {
  try {
    const [uid, gid] = await Promise.all(['-u', '-g'].map(async (option) => (await run('id', [option, USER])).stdout));
    return { uid: Number(uid), gid: Number(gid) };
  } catch {
    return null;
  }
}

async function makeAccount(): Promise<ServerAccount | null> {
  // A failure shows as the account still missing; another process may have made it first.
  await run('useradd', ['--system', '--user-group', '--no-create-home', USER]).catch(() => undefined);
  return findAccount();
}

/** @throws Error that names the first directory above `path` which the account may not enter. */
export async function requirePassage(path: string, account: ServerAccount): Promise<void> {
  if (account.uid === undefined) return;
  for (const directory of ancestors(path)) {
    const { mode, uid, gid } = await stat(directory);
    const execute = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if (mode & execute) continue;
    throw new Error(
      `PostgreSQL does not run as root but as the user ${USER}, who may not enter ${directory} and so not reach ${path}. Move it elsewhere, or allow entering (chmod o+x ${directory}). ${remedy}`,
    );
  }
}

function ancestors(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [...ancestors(parent), parent];
}
