/** Prometheus metrics. Behind a bearer token, or on a server of their own port, whose reach is the operator's decision. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Registry } from 'prom-client';
import { equalBytes, hashToken } from '../kernel/secrets.js';

export interface MetricsOptions {
  registry: Registry;
  /** Null: open to whoever reaches the server. */
  token: string | null;
}

export function registerMetrics(server: FastifyInstance, { registry, token }: MetricsOptions): void {
  server.get('/metrics', async (request, reply) => {
    if (token !== null && !carriesToken(request, token))
      return reply.code(401).header('www-authenticate', 'Bearer').send();
    return reply.type(registry.contentType).send(await registry.metrics());
  });
}

function carriesToken(request: FastifyRequest, token: string): boolean {
  const [scheme = '', given = ''] = (request.headers.authorization ?? '').split(' ');
  return scheme.toLowerCase() === 'bearer' && equalBytes(hashToken(given), hashToken(token));
}
