/**
 * The embedded PostgreSQL, used when DATABASE_URL is not set: the real server as a child process, on loopback, with a random
 * password. Owns DATA_DIR/postgres and its process from start to stop, and recovers what a killed gateway left behind. Knows no
 * table: migrations come after it. Neighbours:
 * `embedded-cluster.ts` (files), `embedded-process.ts` (process), `embedded-account.ts` (root), `data-dir-lock.ts`.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { SECOND } from '../kernel/clock.js';
import type { Log } from '../kernel/log.js';
import { lockDataDir } from './data-dir-lock.js';
import { serverAccount } from './embedded-account.js';
import { type Cluster, DATABASE_USER, openCluster } from './embedded-cluster.js';
import { freePort, launch, STOP_TIMEOUT_MS, stopProcess } from './embedded-process.js';

/** Before another attempt. */
const RELAUNCH_MILLISECONDS = 500;

export interface EmbeddedServerOptions {
  /** Absolute; made when missing. */
  dataDir: string;
  /** Default: a free one chosen by the operating system. */
  port?: number;
  log: Log;
  /** False: nothing waits for the disk and a crash may lose data; for tests only. Default: true. */
  durable?: boolean;
}

export interface EmbeddedServer {
  /** Carries the password. */
  url: string;
  /** Ends open connections, writes everything out and frees DATA_DIR; may be called twice. */
  stop(): Promise<void>;
}

/** @throws Error that says what to do: DATA_DIR in use or out of reach, or PostgreSQL's own words. */
export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const { dataDir, log, durable = true } = options;
  // 0711: the server's user may pass through when the gateway is root; each secret in it has mode 0600.
  await mkdir(dataDir, { recursive: true, mode: 0o711 });
  const lock = lockDataDir(dataDir);
  try {
    const account = await serverAccount();
    const cluster = await withOneRetry(log, () => openCluster(dataDir, account, durable));
    await stopOrphan(cluster, log);
    const { child, port } = await withOneRetry(log, async () => {
      const port = options.port ?? (await freePort());
      return { child: await launch(cluster, account, { port, log, durable }), port };
    });
    const keeper = keepRunning(child, log, async () => {
      await stopOrphan(cluster, log);
      return launch(cluster, account, { port, log, durable });
    });
    const stop = async () => {
      await keeper.stop();
      lock.release();
    };
    return { url: urlOf(cluster, port), stop };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * The last processes of a killed server hold its data for a moment, a free port may be taken in the meantime, and one in
 * seven first starts was seen to fail without a reason.
 */
async function withOneRetry<T>(log: Log, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    log.warn({ err: error }, 'The embedded PostgreSQL failed to start; trying once more');
    await wait(RELAUNCH_MILLISECONDS);
    return attempt();
  }
}

/** A server that ended by itself is started again at the same address: after a while, because its last processes hold the data. */
function keepRunning(first: ChildProcess, log: Log, launchAgain: () => Promise<ChildProcess>) {
  const stopping = new AbortController();
  const keep = async (child: ChildProcess): Promise<void> => {
    await once(child, 'exit', { signal: stopping.signal }).catch(() => stopProcess(child));
    while (!stopping.signal.aborted) {
      await wait(RELAUNCH_MILLISECONDS);
      const next = await launchAgain().catch((error: Error) =>
        log.warn({ err: error }, 'PostgreSQL did not start again'),
      );
      if (next) return keep(next);
    }
  };
  const kept = keep(first);
  return {
    stop: () => {
      stopping.abort();
      return kept;
    },
  };
}

/**
 * A gateway ended by SIGKILL leaves its server running. We hold the lock, so a server that opens with our password is nobody's.
 * Otherwise postmaster.pid is stale, and goes, because its number may belong to another process by now; PostgreSQL's shared
 * memory interlock still keeps two servers off the same data.
 */
async function stopOrphan(cluster: Cluster, log: Log): Promise<void> {
  const path = join(cluster.directory, 'postmaster.pid');
  if (!existsSync(path)) return;
  // Lines of postmaster.pid (PostgreSQL, miscadmin.h): 1 the process, 4 its port.
  const [pid, , , port] = (await readFile(path, 'utf8')).split('\n').map(Number);
  if (pid && port && (await opens(urlOf(cluster, port)))) {
    log.warn({ pid }, 'Stopping the PostgreSQL of a gateway that was killed');
    process.kill(pid, 'SIGINT');
    await untilGone(path, pid);
  }
  await rm(path, { force: true });
}

/** PostgreSQL removes the file last of all; a process nobody waits for may be counted as running long after. */
async function untilGone(path: string, pid: number): Promise<void> {
  const deadline = performance.now() + STOP_TIMEOUT_MS;
  while (existsSync(path)) {
    if (performance.now() > deadline) throw new Error(`PostgreSQL (process ${pid}) does not stop. Stop it by hand.`);
    await wait(20);
  }
}

async function opens(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5 * SECOND });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.end();
    return true;
  } catch (error) {
    // cannot_connect_now: it is there, and starting or stopping.
    return (error as { code?: string }).code === '57P03';
  }
}

function urlOf({ password }: Cluster, port: number): string {
  return `postgresql://${DATABASE_USER}:${password}@127.0.0.1:${port}/postgres`;
}
