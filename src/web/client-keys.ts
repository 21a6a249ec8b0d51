/** Our public keys towards OpenID Connect providers, one set each: what `private_key_jwt` is checked by. */
import type { FastifyInstance } from 'fastify';
import { clientKeySet } from '../features/identity-providers/openid-connect-providers.service.js';
import { problem } from './error-pages.js';
import { problemPage } from './guest-pages.js';
import type { PageTools } from './page-tools.js';

export function registerClientKeys(server: FastifyInstance, tools: PageTools): void {
  server.get<{ Params: { providerId: string } }>('/sign-in/keys/:providerId', async (request, reply) => {
    const keySet = await clientKeySet(tools.context(request).db, request.params.providerId);
    if (keySet === null) return tools.show(reply, problemPage(problem('NOT_FOUND'), tools.setting(request)));
    return reply.type('application/jwk-set+json; charset=utf-8').send(JSON.stringify(keySet));
  });
}
