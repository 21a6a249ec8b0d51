/** A gateway of its own on a database of its own, for the time of one measurement. */
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from '../src/database/embedded-process.js';
import { startEmbeddedServer } from '../src/database/embedded-server.js';
import { silentLog } from '../src/kernel/log.js';
import { type Running, startProcess, untilReady } from './processes.js';
import { parentOf, processorSeconds } from './processor-time.js';

export interface Stage {
  origin: string;
  /** Of an operator for all tenants. */
  key: string;
  client: pg.Client;
  databaseUrl: string;
  gateway: Running;
  /** Seconds of processor time so far. */
  spent(): { gateway: number; postgres: number };
  /** The data of a document that must succeed. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are of the document's shape
  ask(query: string, variables: object): Promise<any>;
}

export async function onStage<T>(measure: (stage: Stage) => Promise<T>): Promise<T> {
  const dataDir = join(tmpdir(), `vestibule-bench-${randomBytes(4).toString('hex')}`);
  const key = randomBytes(24).toString('base64url');
  const database = await startEmbeddedServer({ dataDir, log: silentLog });
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const gateway = startProcess('src/main.js', {
    DATABASE_URL: database.url,
    PORT: String(port),
    SECRET_KEYS: randomBytes(24).toString('base64url'),
    SMTP_URL: 'smtp://127.0.0.1:9',
    MAIL_FROM: 'bench@vestibule.example',
    BOOTSTRAP_API_KEY: key,
    DATA_DIR: dataDir,
    LOG_LEVEL: 'warn',
  });
  const client = new pg.Client({ connectionString: database.url });
  try {
    await client.connect();
    await untilReady(`${origin}/health/ready`, gateway);
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const postmaster = parentOf(rows[0]?.pid ?? 0);
    const spent = () => ({
      gateway: processorSeconds(gateway.child.pid ?? 0),
      postgres: processorSeconds(postmaster),
    });
    return await measure({ origin, key, client, databaseUrl: database.url, gateway, spent, ask: asker(origin, key) });
  } finally {
    await client.end();
    await gateway.stop();
    await database.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

function asker(origin: string, key: string): Stage['ask'] {
  return async (query, variables) => {
    const response = await fetch(`${origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await response.json()) as { data: object; errors?: object[] };
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  };
}
