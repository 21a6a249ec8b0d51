/**
 * "No more invitations of this organisation", behind a link in every invitation's mail. Opening it reads only; a click has
 * a code sent, and only who enters it in the same browser sees and changes what is noted. A scanner that presses every
 * button has a code sent to the owner of the address, nothing more.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { UnsubscribeKey } from '../features/unsubscriptions/unsubscribe.queries.js';
import { UserError } from '../kernel/errors.js';
import type { RequestContext } from '../request/request-context.js';
import { newBrowserToken } from './browser-cookie.js';
import { renewCookie } from './browser-rights.js';
import { type Problem, problem, problemOf } from './error-pages.js';
import { checkForm, formField, formToken, unsubscribeFlowForm, unsubscribeForm } from './form-guard.js';
import { flowOver, problemPage } from './guest-pages.js';
import type { PageTools } from './page-tools.js';
import { unsubscribeFlowPage, unsubscribePage } from './unsubscribe-page.js';

type LinkRoute = { Params: { token: string } };
type FlowRoute = { Params: { flowId: string } };

export function registerUnsubscribePages(server: FastifyInstance, tools: PageTools): void {
  const { unsubscriptions, browserCookie } = tools;
  const step = (path: string, work: (step: Step) => Promise<void>) =>
    server.post<FlowRoute>(`/u/:flowId${path}`, (request, reply) => flowStep(tools, request, reply, work));

  server.get<LinkRoute>('/unsubscribe/:token', async (request, reply) => {
    const ctx = tools.context(request);
    const { token } = request.params;
    const recipient = await unsubscriptions.recipient(ctx, token);
    if (!recipient) return tools.show(reply, problemPage(problem('INVITATION_NOT_FOUND'), tools.setting(request)));
    return tools.show(reply, unsubscribePage(recipient, token, formToken(ctx.secrets, unsubscribeForm(token))));
  });

  server.post<LinkRoute>('/unsubscribe/:token', async (request, reply) => {
    const ctx = tools.context(request);
    const { token } = request.params;
    checkForm(ctx.secrets, request, unsubscribeForm(token));
    const known = browserCookie.read(request);
    const browserToken = known ?? newBrowserToken();
    const flowId = await unsubscriptions.start(ctx, token, browserToken);
    if (!known) browserCookie.write(reply, browserToken);
    return reply.redirect(`/u/${flowId}`, 303);
  });

  server.get<FlowRoute>('/u/:flowId', (request, reply) => showFlow(tools, request, reply, null));

  step('/passcode', async ({ ctx, key, request, reply }) => {
    await unsubscriptions.prove(ctx, key, formField(request, 'passcode'));
    await renewCookie(tools, ctx, reply, key.browserToken);
  });
  step('/unsubscribe', ({ ctx, key }) => unsubscriptions.unsubscribe(ctx, key));
  step('/resubscribe', ({ ctx, key }) => unsubscriptions.resubscribe(ctx, key));

  // Reached by reloading an answer to a form from the address bar.
  server.get<FlowRoute>('/u/:flowId/*', (request, reply) => reply.redirect(flowPath(request.params.flowId), 303));
}

interface Step {
  ctx: RequestContext;
  key: UnsubscribeKey;
  request: FastifyRequest<FlowRoute>;
  reply: FastifyReply;
}

async function flowStep(
  tools: PageTools,
  request: FastifyRequest<FlowRoute>,
  reply: FastifyReply,
  work: (step: Step) => Promise<void>,
): Promise<FastifyReply> {
  const ctx = tools.context(request);
  const { flowId } = request.params;
  const browserToken = tools.browserCookie.read(request);
  if (!browserToken) return showOver(tools, request, reply);
  checkForm(ctx.secrets, request, unsubscribeFlowForm(flowId, browserToken));
  try {
    await work({ ctx, key: { flowId, browserToken }, request, reply });
    return reply.redirect(flowPath(flowId), 303);
  } catch (error) {
    if (error instanceof UserError) return showFlow(tools, request, reply, problemOf(error));
    throw error;
  }
}

async function showFlow(
  tools: PageTools,
  request: FastifyRequest<FlowRoute>,
  reply: FastifyReply,
  found: Problem | null,
): Promise<FastifyReply> {
  const ctx = tools.context(request);
  const { flowId } = request.params;
  const browserToken = tools.browserCookie.read(request);
  if (!browserToken) return showOver(tools, request, reply);
  try {
    const view = await tools.unsubscriptions.flow(ctx, { flowId, browserToken });
    const csrf = formToken(ctx.secrets, unsubscribeFlowForm(flowId, browserToken));
    return tools.show(reply, unsubscribeFlowPage(view, csrf, found));
  } catch (error) {
    if (error instanceof UserError) return showOver(tools, request, reply);
    throw error;
  }
}

function showOver(tools: PageTools, request: FastifyRequest<object>, reply: FastifyReply): FastifyReply {
  return tools.show(reply, problemPage(flowOver, tools.setting(request)));
}

function flowPath(flowId: string): string {
  return `/u/${encodeURIComponent(flowId)}`;
}
