/** Whether the process lives, and whether it may be sent traffic. For orchestrators: tells no more than yes or no. */
import type { FastifyInstance } from 'fastify';

export interface Readiness {
  database: boolean;
  migrations: boolean;
  worker: boolean;
  /** False from the moment the process was asked to stop. */
  accepting: boolean;
}

export interface HealthOptions {
  ready(): Promise<Readiness>;
}

export function registerHealth(server: FastifyInstance, { ready }: HealthOptions): void {
  server.get('/health/live', async () => ({ status: 'ok' }));
  server.get('/health/ready', async (_request, reply) => {
    const parts = await ready();
    const isReady = Object.values(parts).every(Boolean);
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ok' : 'unavailable', ...parts });
  });
}
