/**
 * The server process of the embedded PostgreSQL: its settings, from spawn to ready, and its end. What surrounds it, data,
 * lock and leftovers, is `embedded-server.ts`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { SECOND } from '../kernel/clock.js';
import type { Log } from '../kernel/log.js';
import type { ServerAccount } from './embedded-account.js';
import { type Cluster, serverEnvironment } from './embedded-cluster.js';

/** Recovery after a crash of a large database is what takes long. */
const START_TIMEOUT_MS = 120 * SECOND;
export const STOP_TIMEOUT_MS = 30 * SECOND;

const flags = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  jit: 'off',
  // An open transaction holds back every tenant's feed (data decision 3).
  idle_in_transaction_session_timeout: '30s',
  // Statements and key values do not belong into a log (security decision 3).
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
};

const volatileFlags = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

/** @throws Error with PostgreSQL's own words; no process is left then. */
export async function launch(
  cluster: Cluster,
  account: ServerAccount,
  { port, log, durable }: { port: number; log: Log; durable: boolean },
): Promise<ChildProcess> {
  const settings = Object.entries({ ...flags, ...(durable ? {} : volatileFlags) });
  const child = spawn(
    cluster.postgres,
    ['-D', cluster.directory, '-p', String(port), ...settings.map(([name, value]) => `--${name}=${value}`)],
    // Detached: out of the terminal's process group, so that Ctrl-C stops the gateway first and the database last.
    { ...account, env: serverEnvironment, detached: true, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  await untilReady(child, log);
  followToItsEnd(child, log);
  return child;
}

function untilReady(child: ChildProcess, log: Log): Promise<void> {
  const said: string[] = [];
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => child.kill('SIGQUIT'), START_TIMEOUT_MS);
    const settle = (outcome: () => void) => {
      clearTimeout(timer);
      outcome();
    };
    if (child.stderr)
      createInterface({ input: child.stderr }).on('line', (line) => {
        log.debug({ line }, 'postgres');
        if (child.exitCode === null && said.length < 50) said.push(line);
        if (line.includes('database system is ready to accept connections')) settle(resolve);
      });
    child.once('error', (error) => settle(() => reject(error)));
    child.once('close', (code, signal) =>
      settle(() => reject(new Error(`PostgreSQL ended while starting (${signal ?? code}): ${said.join(' ')}`))),
    );
  });
}

/** When the process ends without an ordered stop, the database still does. */
function followToItsEnd(child: ChildProcess, log: Log): void {
  const stopNow = () => child.kill('SIGINT');
  process.once('exit', stopNow);
  child.once('exit', (code, signal) => {
    process.removeListener('exit', stopNow);
    if (!child.killed) log.error({ code, signal }, 'The embedded PostgreSQL ended by itself');
  });
}

/** SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one, which the next start recovers from. */
export async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  const timer = setTimeout(() => child.kill('SIGQUIT'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
