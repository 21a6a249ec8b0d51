/**
 * The gateway as anybody would start it, as a process of its own, with everything embedded and on free ports. Its data lies
 * in a temporary directory that goes with it; the environment's own settings for a gateway are left out.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { variableNames } from '../src/config/variables.js';
import { Child } from './child-process.js';
import { until } from './deadline.js';
import { freePort } from './ports.js';

export interface Gateway {
  url: string;
  mailboxUrl: string;
  /** The first one, for all tenants. */
  bootstrapKey: string;
  process: Child;
}

const START_SECONDS = 90;
const DATABASE_STOP_SECONDS = 15;

/** Mode 0711: as root, PostgreSQL runs as another user and must pass through. */
export async function makeDataDir(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'vestibule-demo-'));
  await chmod(path, 0o711);
  return path;
}

/** @returns the gateway before it is ready, so that it can be stopped while it starts. */
export async function startGateway(dataDir: string): Promise<Gateway> {
  const [port, mailboxPort, smtpPort] = await Promise.all([freePort(4000), freePort(1080), freePort(1025)]);
  const url = `http://localhost:${port}`;
  const bootstrapKey = randomBytes(32).toString('base64url');
  const env = {
    ...Object.fromEntries(variableNames.map((name) => [name, ''])),
    HOST: '127.0.0.1',
    PORT: String(port),
    PUBLIC_URL: url,
    DATA_DIR: dataDir,
    // The mailbox's files go with it too.
    TMPDIR: dataDir,
    MAILBOX_WEB_PORT: String(mailboxPort),
    MAILBOX_SMTP_PORT: String(smtpPort),
    BOOTSTRAP_API_KEY: bootstrapKey,
    ALLOW_PRIVATE_PROVIDERS: 'true',
    LOG_LEVEL: 'warn',
    SHUTDOWN_DRAIN_SECONDS: '5',
  };
  const process = new Child({ name: 'The gateway', program: new URL('../src/main.js', import.meta.url), env });
  return { url, mailboxUrl: `http://127.0.0.1:${mailboxPort}`, bootstrapKey, process };
}

export async function untilReady({ url, process }: Gateway): Promise<void> {
  const isReady = async () => (await fetch(`${url}/health/ready`).catch(() => null))?.ok || null;
  await Promise.race([until(START_SECONDS, 'the gateway to be ready', isReady), process.failed]);
}

/** A gateway that was killed leaves its PostgreSQL running, and nobody will start on this directory again. */
export async function removeDataDir(dataDir: string): Promise<void> {
  const pidFile = join(dataDir, 'postgres', 'postmaster.pid');
  if (existsSync(pidFile) && signalled(Number.parseInt(await readFile(pidFile, 'utf8'), 10))) {
    await until(DATABASE_STOP_SECONDS, 'PostgreSQL to stop', async () => !existsSync(pidFile) || null);
  }
  // Again and again while something that is about to end still writes into it.
  await rm(dataDir, { recursive: true, force: true, maxRetries: 10 });
}

/** SIGINT is PostgreSQL's fast shutdown. @returns false when there is no such process. */
function signalled(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGINT');
  } catch {
    return false;
  }
}
