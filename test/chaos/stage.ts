/** Where a run takes place: PostgreSQL, a mail server, the fleet, networks between them, and what is written down. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedServer } from '../../src/database/embedded-server.js';
import { silentLog } from '../../src/kernel/log.js';
import { startSmtpServer } from '../support/smtp-server.js';
import { makeTemporaryDataDir } from '../support/temporary-data-dir.js';
import { type Fleet, startFleet } from './fleet.js';
import { Mailbox } from './mailbox.js';
import type { Random } from './random.js';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';

export interface Stage {
  random: Random;
  fleet: Fleet;
  /** Between the gateways and the mail server. */
  mailNetwork: TcpProxy;
  mailbox: Mailbox;
  /** Straight to the database, past all faults but its own. */
  rows<T>(query: string): Promise<T[]>;
  dataDir: string;
  /** `kill -9` of the postmaster, unless it is dead still; the embedded server starts another on the same port. */
  killDatabase(): Promise<void>;
  stop(): Promise<void>;
}

export interface StageOptions {
  random: Random;
  gateways: number;
  /** Default: the product's own. */
  heartbeat?: { beat: number; silentFor: number };
}

/** So that a kill finds mails under way. */
const SMTP_MILLISECONDS = 5;
const READ_MAILBOX_MILLISECONDS = 20;

export async function openStage({ random, gateways, heartbeat }: StageOptions): Promise<Stage> {
  const dataDir = await makeTemporaryDataDir('vestibule-chaos-');
  const database = await startEmbeddedServer({ dataDir, log: silentLog });
  const sql = new pg.Pool({ connectionString: database.url, max: 2 });
  // Told by the next query.
  sql.on('error', () => undefined);
  const smtp = await startSmtpServer({
    onRcptTo: (_address, _session, callback) => void setTimeout(callback, SMTP_MILLISECONDS),
  });
  const mailNetwork = await startTcpProxy(() => Number(new URL(smtp.url).port));
  const mailbox = new Mailbox(smtp);
  const reading = setInterval(() => mailbox.read(), READ_MAILBOX_MILLISECONDS);
  const fleet = await startFleet({
    size: gateways,
    databaseUrl: new URL(database.url),
    smtpUrl: `smtp://127.0.0.1:${mailNetwork.port}`,
    random,
    ...(heartbeat && { heartbeat }),
  });
  return {
    random,
    fleet,
    mailNetwork,
    mailbox,
    dataDir,
    rows: async <T>(query: string) => (await sql.query(query)).rows as T[],
    async killDatabase() {
      const file = await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8').catch(() => '');
      const pid = Number(file.split('\n')[0]);
      try {
        if (pid > 0) process.kill(pid, 'SIGKILL');
      } catch {
        // It is dead still.
      }
    },
    async stop() {
      clearInterval(reading);
      await fleet.stop();
      await sql.end();
      await Promise.all([mailNetwork.stop(), smtp.stop()]);
      await database.stop();
    },
  };
}
