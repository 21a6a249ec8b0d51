/**
 * A sign-in that began at a SAML provider's portal. Its answer is posted without our cookie and signs nobody in: the browser
 * goes on to a page that asks, and only a click there, in that browser, begins the sign-in.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Callback } from '../features/identity-providers/connector.port.js';
import { loadTenantPage } from '../features/sign-in/tenant-page.queries.js';
import { newBrowserToken } from './browser-cookie.js';
import { problem, problemOf } from './error-pages.js';
import { checkForm, formField, formToken, unrequestedForm } from './form-guard.js';
import { page, problemPage } from './guest-pages.js';
import type { PageTools } from './page-tools.js';
import { goOn } from './sign-in-flow-pages.js';
import { brandedFor } from './tenant-pages.js';

type ProviderRoute = { Params: { providerId: string } };

const path = (providerId: string) => `/saml/${encodeURIComponent(providerId)}/sign-in`;

export function registerUnrequestedSignIn(server: FastifyInstance, tools: PageTools): void {
  server.get<ProviderRoute & { Querystring: { state?: unknown } }>('/saml/:providerId/sign-in', (request, reply) =>
    ask(tools, request, reply, typeof request.query.state === 'string' ? request.query.state : ''),
  );

  server.post<ProviderRoute>('/saml/:providerId/sign-in', async (request, reply) => {
    const ctx = tools.context(request);
    const state = formField(request, 'state');
    const browserToken = tools.browserCookie.read(request) ?? '';
    checkForm(ctx.secrets, request, unrequestedForm(state, browserToken));
    const flowId = await tools.unrequestedSignIn.take(ctx, request.params.providerId, state, browserToken);
    return goOn(tools, ctx, { flowId, browserToken }, request, reply);
  });
}

/** From where the answer was posted to; what is refused is told there. */
export async function receiveUnrequested(
  tools: PageTools,
  request: FastifyRequest<ProviderRoute>,
  reply: FastifyReply,
  callback: Callback,
): Promise<FastifyReply> {
  const { providerId } = request.params;
  try {
    const state = await tools.unrequestedSignIn.receive(tools.context(request), providerId, callback);
    if (state !== null) return reply.redirect(`${path(providerId)}?state=${state}`, 303);
    return tools.show(reply, problemPage(problem('SIGN_IN_UNREQUESTED'), tools.setting(request)));
  } catch (error) {
    const found = problemOf(error);
    if (found.status === 500) throw error;
    return tools.show(reply, problemPage(found, tools.setting(request)));
  }
}

async function ask(
  tools: PageTools,
  request: FastifyRequest<ProviderRoute>,
  reply: FastifyReply,
  state: string,
): Promise<FastifyReply> {
  const ctx = tools.context(request);
  const { providerId } = request.params;
  const waiting = await tools.unrequestedSignIn.waiting(ctx, providerId, state);
  if (!waiting) return tools.show(reply, problemPage(problem('SIGN_IN_OVER'), tools.setting(request)));
  const known = tools.browserCookie.read(request);
  const browserToken = known ?? newBrowserToken();
  if (!known) tools.browserCookie.write(reply, browserToken);
  const tenant = await loadTenantPage(ctx.db, waiting.tenantId);
  const facts = {
    action: path(providerId),
    csrf: formToken(ctx.secrets, unrequestedForm(state, browserToken)),
    state,
    email: waiting.email,
    provider: waiting.providerName,
  };
  return tools.show(reply, page('unrequested-sign-in', brandedFor(tenant, tools.setting(request)), facts));
}
