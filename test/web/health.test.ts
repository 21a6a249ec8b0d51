import { afterEach, describe, expect, it } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { Counter, Registry } from 'prom-client';
import { silentLog } from '../../src/kernel/log.js';
import { registerHealth } from '../../src/web/health.js';
import { createHttpServer } from '../../src/web/http-server.js';
import { registerMetrics } from '../../src/web/metrics.js';

let server: FastifyInstance;
afterEach(() => server.close());

function start(trustedProxies: string[] = []) {
  server = createHttpServer({ trustedProxies, log: silentLog });
  return server;
}

describe('health', () => {
  it('tells life from readiness, and which part is missing', async () => {
    const parts = { database: true, migrations: true, worker: false, accepting: true };
    registerHealth(start(), { ready: async () => parts });
    expect((await server.inject('/health/live')).json()).toEqual({ status: 'ok' });
    const unready = await server.inject('/health/ready');
    expect([unready.statusCode, unready.json()]).toEqual([503, { status: 'unavailable', ...parts }]);
    parts.worker = true;
    expect((await server.inject('/health/ready')).statusCode).toBe(200);
  });
});

describe('metrics', () => {
  const registry = new Registry();
  new Counter({ name: 'invitations', help: 'made', registers: [registry] }).inc();

  it('behind a token open to that token only', async () => {
    registerMetrics(start(), { registry, token: 'a-token-of-the-operator' });
    for (const authorization of ['', 'Bearer ', 'Bearer wrong', 'Basic a-token-of-the-operator']) {
      expect((await server.inject({ url: '/metrics', headers: { authorization } })).statusCode).toBe(401);
    }
    const { statusCode, body } = await server.inject({
      url: '/metrics',
      headers: { authorization: 'Bearer a-token-of-the-operator' },
    });
    expect([statusCode, body.includes('invitations 1')]).toEqual([200, true]);
  });

  it('on a server of their own need none', async () => {
    registerMetrics(start(), { registry, token: null });
    expect((await server.inject('/metrics')).statusCode).toBe(200);
  });
});

it.each([
  [[], '127.0.0.1'],
  [['127.0.0.0/8'], '203.0.113.7'],
])('with trusted proxies %j the caller of a forwarded request is %s', async (trusted, ip) => {
  start(trusted).get('/ip', async (request) => request.ip);
  expect((await server.inject({ url: '/ip', headers: { 'x-forwarded-for': '203.0.113.7' } })).body).toBe(ip);
});
