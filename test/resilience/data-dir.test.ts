/** One gateway with its embedded database: whatever is killed, the data are there again, and one gateway holds them. */
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeTemporaryDataDir } from '../support/temporary-data-dir.js';
import { until } from '../support/until.js';
import {
  type GatewayProcess,
  START_TIMEOUT_MILLISECONDS,
  spawnGateway,
  startGatewayProcess,
} from './gateway-process.js';

const CREATE_TENANT =
  'mutation ($slug: String!) { createTenant(input: { slug: $slug, displayName: "Contoso" }) { tenant { id } userErrors { code } } }';

let dataDir: string;
let env: Record<string, string>;
let gateway: GatewayProcess;

beforeAll(async () => {
  dataDir = await makeTemporaryDataDir();
  env = { DATA_DIR: dataDir, SMTP_URL: 'smtp://127.0.0.1:9' };
  gateway = await startGatewayProcess('main', env);
}, START_TIMEOUT_MILLISECONDS);

afterAll(async () => {
  await gateway.end('SIGTERM');
  await rm(dataDir, { recursive: true });
});

const pidFile = () => join(dataDir, 'postgres', 'postmaster.pid');
const postgresPid = async () => Number((await readFile(pidFile(), 'utf8')).split('\n')[0]);
const slugs = async () =>
  (await gateway.ask('{ tenants { nodes { slug } } }')).tenants.nodes.map(({ slug }: { slug: string }) => slug);

test('a second gateway on the same directory says who is there and ends', async () => {
  const second = spawnGateway('main', env);
  await second.line(`Another gateway (process ${gateway.child.pid})`);
  expect(await second.ended).toBe(1);
});

test('a database that is killed is started again under the gateway that lives', async () => {
  await gateway.ask(CREATE_TENANT, { slug: 'first' });
  const killed = await postgresPid();
  process.kill(killed, 'SIGKILL');
  await until(async () => !(await gateway.isReady()), 'the gateway to notice');
  await until(() => gateway.isReady(), 'the gateway to be ready again');
  expect(await postgresPid()).not.toBe(killed);
  await gateway.ask(CREATE_TENANT, { slug: 'second' });
  expect(await slugs()).toEqual(['second', 'first']);
});

test('after both were killed the next start finds everything', async () => {
  const database = await postgresPid();
  await gateway.end('SIGKILL');
  process.kill(database, 'SIGKILL');
  gateway = await startGatewayProcess('main', env);
  expect(await slugs()).toEqual(['second', 'first']);
});

test('SIGTERM stops the database as well and ends with 0', async () => {
  expect(await gateway.end('SIGTERM')).toBe(0);
  expect(existsSync(pidFile())).toBe(false);
});
