/** What is answered where nothing is: a page for people, the errors of the API for everybody else. The address is not repeated. */
import type { FastifyInstance } from 'fastify';
import { problem } from './error-pages.js';
import { problemPage } from './guest-pages.js';
import type { PageTools } from './page-tools.js';

const answer = { errors: [{ message: 'There is nothing at this address.', extensions: { code: 'NOT_FOUND' } }] };

export function registerNotFound(server: FastifyInstance, tools: PageTools, headers: Record<string, string>): void {
  server.setNotFoundHandler((request, reply) => {
    reply.headers({ ...headers, vary: 'accept' });
    if (!request.headers.accept?.includes('text/html')) return reply.code(404).send(answer);
    return tools.show(reply, problemPage(problem('NOT_FOUND'), tools.setting(request)));
  });
}
