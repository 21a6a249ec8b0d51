/**
 * One embedded PostgreSQL for the whole jest run, whose address
 * reaches the workers through the environment. `global-teardown.ts` ends it.
 */
// First: the imports below need it.
import './typescript-resolution.mjs';
import { readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedServer } from '../../src/database/embedded-server.js';
import { MINUTE } from '../../src/kernel/clock.js';
import { silentLog } from '../../src/kernel/log.js';
import { makeTemporaryDataDir } from './temporary-data-dir.js';
import { TEST_SERVER_URL } from './test-server-url.js';

const PREFIX = 'vestibule-jest-';

declare global {
  var stopTestServer: (() => Promise<void>) | undefined;
}

export default async function globalSetup(): Promise<void> {
  // An external server, to try the product against another PostgreSQL: `VESTIBULE_TEST_SERVER_URL=postgres://… npm test`.
  if (process.env[TEST_SERVER_URL]) return;
  await removeLeftovers();
  // The server stops itself when the process exits, and a signal does not count as an exit by itself.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
  const dataDir = await makeTemporaryDataDir(PREFIX);
  globalThis.stopTestServer = () => rm(dataDir, { recursive: true });
  try {
    await startServer(dataDir);
  } catch (error) {
    await globalThis.stopTestServer();
    throw error;
  }
}

async function startServer(dataDir: string): Promise<void> {
  const server = await startEmbeddedServer({ dataDir, log: silentLog, durable: false });
  globalThis.stopTestServer = async () => {
    await server.stop();
    await rm(dataDir, { recursive: true });
  };
  process.env[TEST_SERVER_URL] = server.url;
}

/** A run that was killed leaves its server behind. Starting on the same directory stops that one; then both can go. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const dataDir = join(tmpdir(), name);
    if (!name.startsWith(PREFIX) || Date.now() - (await stat(dataDir)).mtimeMs < 10 * MINUTE) continue;
    const server = await startEmbeddedServer({ dataDir, log: silentLog, durable: false }).catch(() => null);
    // Null: another run is still using it.
    if (!server) continue;
    await server.stop();
    await rm(dataDir, { recursive: true });
  }
}
