/**
 * The server secret of an installation that was given none: made up at the first start, kept in DATA_DIR/secret-keys, readable
 * by its owner only. Allowed with the embedded database alone, whose data lies in the same place (security decision 1).
 */
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomToken } from '../kernel/secrets.js';

/** @throws Error when the file exists and holds no usable key. */
export function loadSecretKeys(dataDir: string): string[] {
  const path = join(dataDir, 'secret-keys');
  const keys = readKeys(path) ?? makeKey(path);
  if (keys.length === 0 || keys.some((key) => key.length < 32))
    throw new Error(`${path} holds no keys of at least 32 characters. Put the file back from a copy.`);
  return keys;
}

function readKeys(path: string): string[] | null {
  try {
    return readFileSync(path, 'utf8')
      .split(/[\s,]+/)
      .filter(Boolean);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/**
 * A hard link appears whole or not at all and never replaces: of several processes that start at once the first one wins, and
 * all of them read its key.
 */
function makeKey(path: string): string[] {
  mkdirSync(join(path, '..'), { recursive: true, mode: 0o711 });
  const draft = `${path}.${process.pid}.${randomToken()}`;
  writeFileSync(draft, `${randomToken()}\n`, { mode: 0o600, flag: 'wx' });
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft);
  }
  return readKeys(path) ?? [];
}
