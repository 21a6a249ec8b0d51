/**
 * Where SAML providers find us. The answer of one is posted from its own site, and browsers leave our cookie out of such a
 * request (SameSite=Lax): it is verified and kept, and the browser goes on to a page of ours to which it does bring the
 * cookie. So nothing here depends on who posts, and no form token is asked for: what counts is signed.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { samlAcsUrl } from '../features/identity-providers/saml-addresses.rules.js';
import { samlMetadataFor } from '../features/identity-providers/saml-providers.service.js';
import { UserError } from '../kernel/errors.js';
import { problem } from './error-pages.js';
import { flowOver, problemPage } from './guest-pages.js';
import type { PageTools } from './page-tools.js';
import { receiveUnrequested, registerUnrequestedSignIn } from './unrequested-sign-in-pages.js';

type ProviderRoute = { Params: { providerId: string } };

/** Bytes of the form: a response, in base64 and escaped, with room to spare for attributes. */
const MAX_ANSWER_SIZE = 300 * 1024;

export function registerSamlPages(server: FastifyInstance, tools: PageTools): void {
  server.get<ProviderRoute>('/saml/:providerId/metadata', async (request, reply) => {
    const metadata = await samlMetadataFor(tools.context(request), tools.publicUrl, request.params.providerId);
    if (metadata === null) return tools.show(reply, problemPage(problem('NOT_FOUND'), tools.setting(request)));
    return reply.type('application/samlmetadata+xml; charset=utf-8').send(metadata);
  });

  server.post<ProviderRoute>('/saml/:providerId/acs', { bodyLimit: MAX_ANSWER_SIZE }, (request, reply) =>
    receiveAnswer(tools, request, reply),
  );
  registerUnrequestedSignIn(server, tools);
}

async function receiveAnswer(
  tools: PageTools,
  request: FastifyRequest<ProviderRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { providerId } = request.params;
  const callback = { url: new URL(samlAcsUrl(tools.publicUrl, providerId)), form: formOf(request) };
  try {
    const state = await tools.proving.receiveAnswer(tools.context(request), providerId, callback);
    if (state === null) return await receiveUnrequested(tools, request, reply, callback);
    return reply.redirect(`/sign-in/callback/${encodeURIComponent(providerId)}?state=${state}`, 303);
  } catch (error) {
    if (error instanceof UserError) return tools.show(reply, problemPage(flowOver, tools.setting(request)));
    throw error;
  }
}

/** Repeated fields count as absent. */
function formOf({ body }: FastifyRequest<ProviderRoute>): Record<string, string> {
  const fields = Object.entries((body as Record<string, unknown> | null | undefined) ?? {});
  return Object.fromEntries(fields.filter((field): field is [string, string] => typeof field[1] === 'string'));
}
