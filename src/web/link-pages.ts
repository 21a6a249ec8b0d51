/**
 * The pages behind a mailed link. Opening it reads only, as often as anybody likes; a click starts a flow, bound to the
 * browser by its cookie, and leaves the link's token behind.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { unsubscribePath } from '../features/invitations/unsubscribe-link.service.js';
import type { RequestContext } from '../request/request-context.js';
import { newBrowserToken } from './browser-cookie.js';
import { problem, problemOf } from './error-pages.js';
import { checkForm, formToken, linkForm } from './form-guard.js';
import { declinedPage, linkPage, type OpenLink, problemPage } from './guest-pages.js';
import type { PageTools } from './page-tools.js';

type LinkRoute = { Params: { token: string } };

export function registerLinkPages(server: FastifyInstance, tools: PageTools): void {
  const { redemption, browserCookie } = tools;

  server.get<LinkRoute>('/redeem/:token', (request, reply) => showLink(tools, request, reply));

  server.post<LinkRoute>('/redeem/:token', (request, reply) =>
    linkStep(tools, request, reply, async (ctx, token) => {
      const known = browserCookie.read(request);
      const browserToken = known ?? newBrowserToken();
      const flowId = await redemption.start(ctx, token, { browserToken });
      if (!known) browserCookie.write(reply, browserToken);
      return reply.redirect(`/r/${flowId}`, 303);
    }),
  );

  server.post<LinkRoute>('/redeem/:token/decline', (request, reply) =>
    linkStep(tools, request, reply, async (ctx, token) => {
      await redemption.declineByLink(ctx, token);
      const { offer } = await redemption.view(ctx, token);
      return offer ? tools.show(reply, declinedPage(offer, unsubscribePath(ctx.secrets, offer.invitationId))) : reply;
    }),
  );

  // Reached by reloading an answer to a form from the address bar.
  server.get<LinkRoute>('/redeem/:token/decline', (request, reply) =>
    reply.redirect(linkPath(request.params.token), 303),
  );
}

async function showLink(
  tools: PageTools,
  request: FastifyRequest<LinkRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const ctx = tools.context(request);
  const { token } = request.params;
  const setting = tools.setting(request);
  const view = await tools.redemption.view(ctx, token, tools.browserCookie.read(request));
  if (view.offer === null) return tools.show(reply, problemPage(problem(view.refusal), setting));
  const csrf = formToken(ctx.secrets, linkForm(token));
  const isRedeemedHere = view.isRedeemedHere || (await isSignedInAs(tools, ctx, view, request));
  return tools.show(reply, linkPage({ ...view, isRedeemedHere }, token, csrf, setting));
}

/** A redeemed link signs nobody in, and shows the app to who is. */
async function isSignedInAs(
  { sessions, sessionCookie }: PageTools,
  ctx: RequestContext,
  { refusal, offer: { tenantId, externalUserId } }: OpenLink,
  request: FastifyRequest,
): Promise<boolean> {
  const token = refusal === 'ALREADY_REDEEMED' ? sessionCookie.read(request, tenantId) : null;
  const session = token === null ? null : await sessions.find(ctx, tenantId, token);
  return session?.externalUserId === externalUserId;
}

type Work = (ctx: RequestContext, token: string) => Promise<FastifyReply>;

/** A refusal is told in the tenant's colours and the invitation's language, when the link is known. */
async function linkStep(
  tools: PageTools,
  request: FastifyRequest<LinkRoute>,
  reply: FastifyReply,
  work: Work,
): Promise<FastifyReply> {
  const ctx = tools.context(request);
  const { token } = request.params;
  try {
    checkForm(ctx.secrets, request, linkForm(token));
    return await work(ctx, token);
  } catch (error) {
    const found = problemOf(error);
    if (found.status >= 500) throw error;
    if (found.retryAfterSeconds) reply.header('retry-after', found.retryAfterSeconds);
    const { offer } = await tools.redemption.view(ctx, token);
    const continueTo = found.code === 'FORBIDDEN' ? { continueTo: linkPath(token) } : {};
    return tools.show(reply, problemPage(found, tools.setting(request), { ...(offer && { offer }), ...continueTo }));
  }
}

function linkPath(token: string): string {
  return `/redeem/${encodeURIComponent(token)}`;
}
