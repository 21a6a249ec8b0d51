/**
 * The pages behind a mailed link. Opening it reads only, as often as anybody likes; a click starts a flow, bound to the
 * browser by its cookie, and leaves the link's token behind.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { unsubscribePath } from '../features/invitations/unsubscribe-link.service.js';
import type { BrowserKey } from '../features/proving/flows.queries.js';
import type { FlowView } from '../features/redemption/redemption.service.js';
import { UserError } from '../kernel/errors.js';
import type { RequestContext } from '../request/request-context.js';
import { newBrowserToken } from './browser-cookie.js';
import { problem, problemOf } from './error-pages.js';
import { checkForm, formToken, linkForm } from './form-guard.js';
import { declinedPage, leavingPage, linkPage, type OpenLink, problemPage } from './guest-pages.js';
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
      return goOn(tools, ctx, { flowId, browserToken }, reply);
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

/** Where a provider is the only way, the click that starts leads there at once: one page less to read. */
async function goOn(
  tools: PageTools,
  ctx: RequestContext,
  key: BrowserKey,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { redemption } = tools;
  const view = await redemption.flow(ctx, key);
  const flowPath = `/r/${key.flowId}`;
  if (!leadsToProvider(view)) return reply.redirect(flowPath, 303);
  try {
    const { redirectTo, providerName } = await redemption.beginSignIn(ctx, key);
    const to = { url: redirectTo, name: providerName, reason: 'provider', backTo: flowPath } as const;
    return tools.show(reply, leavingPage(view.offer, to));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return reply.redirect(`${flowPath}?problem=${error.code}`, 303);
  }
}

/** Nothing is to be chosen or read before: not who signed in as somebody else the last time. */
function leadsToProvider({ flow, methods: [method, ...others], isProven }: FlowView): boolean {
  if (isProven || flow.status !== 'STARTED' || flow.mismatchedEmail !== null) return false;
  return method !== undefined && method.providerId !== null && others.length === 0;
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
