/** The connection that listens: told of what rings, and aware of its own death, also when nobody tells it. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
import { Listener } from '../../src/database/listener.js';
import { silentLog } from '../../src/kernel/log.js';
import { startTcpProxy, type TcpProxy } from '../chaos/tcp-proxy.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { until } from '../support/until.js';

let database: TestDatabase;
let network: TcpProxy;
let sql: pg.Client;
let listener: Listener;
const heard: string[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  const url = new URL(database.url);
  network = await startTcpProxy(() => Number(new URL(database.url).port));
  url.port = String(network.port);
  sql = new pg.Client({ connectionString: database.url });
  await sql.connect();
  listener = new Listener(url.href, silentLog, { pulse: 100, answer: 400 });
  listener.on('door', (payload) => heard.push(payload));
  await listener.start();
});
afterAll(async () => {
  await listener.stop();
  await network.stop();
  await sql.end();
  await database.drop();
});

const ring = (payload: string) => sql.query('select pg_notify($1, $2)', ['door', payload]);

it('hears what rings', async () => {
  await ring('one');
  await until(() => heard.includes('one'), 'the bell');
});

it('notices a network that falls silent, says so, and listens again when it is back', async () => {
  network.stall();
  await until(() => !listener.connected, 'the listener to notice');
  network.mend();
  await until(() => listener.connected, 'the listener to be back');
  await ring('two');
  await until(() => heard.includes('two'), 'the bell');
  // What rang meanwhile is unknown, so every channel is told to look again.
  expect(heard).toContain('');
});

it('comes back after a connection that was cut, however often', async () => {
  for (let time = 1; time <= 3; time++) {
    network.cut();
    await until(() => !listener.connected, 'the listener to notice');
    network.mend();
    await until(() => listener.connected, 'the listener to be back');
  }
  await ring('three');
  await until(() => heard.includes('three'), 'the bell');
});
