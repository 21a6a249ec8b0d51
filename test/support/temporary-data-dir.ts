/** A DATA_DIR of its own for one test file or run. */
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Mode 0711, because the embedded server runs as another user when the tests run as root, and must pass through. */
export async function makeTemporaryDataDir(prefix = 'vestibule-'): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  await chmod(path, 0o711);
  return path;
}
