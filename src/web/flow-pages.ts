/**
 * The pages of a flow: where it stands (GET), and each step forward (POST). They open only in the browser that started
 * the flow. A step that fails shows the same page again with what to do about it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { unsubscribePath } from '../features/invitations/unsubscribe-link.service.js';
import type { FlowPurpose } from '../features/proving/flow.entity.js';
import { isProofFresh } from '../features/proving/flow.states.js';
import type { BrowserKey } from '../features/proving/flows.queries.js';
import type { FlowView } from '../features/redemption/redemption.service.js';
import { nextRedemptionStep } from '../features/redemption/redemption.states.js';
import { RequestError, UserError, type UserErrorCode } from '../kernel/errors.js';
import type { RequestContext } from '../request/request-context.js';
import { keepSession, renewCookie, signingIn } from './browser-rights.js';
import { isProblemCode, type Problem, problem, problemOf } from './error-pages.js';
import { registerFactorPages } from './factor-pages.js';
import { type FlowKind, type FlowRoute, shownFactors } from './flow-kind.js';
import { checkForm, flowForm, formField, formToken } from './form-guard.js';
import { flowOver, flowPage, leavingPage, problemPage } from './guest-pages.js';
import type { PageTools } from './page-tools.js';
import { backToSignIn, goOn } from './sign-in-flow-pages.js';

export function registerFlowPages(server: FastifyInstance, tools: PageTools): void {
  const { redemption } = tools;
  const step = (path: string, work: FlowWork) =>
    server.post<FlowRoute>(`/r/:flowId${path}`, (request, reply) => flowStep(tools, request, reply, work));

  server.get<FlowRoute & { Querystring: { problem?: unknown } }>('/r/:flowId', (request, reply) =>
    showFlow(tools, request, reply, problemInUrl(request.query.problem)),
  );

  step('/passcode/send', async ({ ctx, key, reply }) => {
    await redemption.sendPasscode(ctx, key);
    return backToFlow(reply, key.flowId);
  });

  step('/passcode', async ({ ctx, key, request, reply }) => {
    await redemption.provePasscode(ctx, key, formField(request, 'passcode'));
    await renewCookie(tools, ctx, reply, key.browserToken);
    return backToFlow(reply, key.flowId);
  });

  step('/sign-in', async ({ ctx, key, view, reply }) => {
    const { redirectTo, providerName } = await redemption.beginSignIn(ctx, key);
    const to = { url: redirectTo, name: providerName, reason: 'provider' } as const;
    return tools.show(reply, leavingPage(view.offer, to));
  });

  step('/accept', ({ ctx, key, view, request, reply }) =>
    accept({ tools, ctx, key, request, reply }, view, formField(request, 'consentVersion')),
  );

  step('/decline', async ({ ctx, key, reply }) => {
    await redemption.decline(ctx, key);
    return backToFlow(reply, key.flowId);
  });

  // Proven on the way: nothing more is asked of who declined and wants no further invitation.
  step('/unsubscribe', async ({ ctx, key, view: { flow }, reply }) => {
    const isProven = flow.status === 'DECLINED' && isProofFresh(flow, ctx.clock.now());
    if (!isProven) return reply.redirect(unsubscribePath(ctx.secrets, flow.invitationId), 303);
    const id = await tools.unsubscriptions.startProven(ctx, flow.invitationId, key.browserToken);
    return reply.redirect(`/u/${id}`, 303);
  });

  registerFactorPages(server, tools, redeemKind(tools));

  // Reached by reloading an answer to a form from the address bar.
  server.get<FlowRoute>('/r/:flowId/*', (request, reply) => backToFlow(reply, request.params.flowId));

  server.get<{ Params: { providerId: string } }>(
    '/sign-in/callback/:providerId',
    // Asking for the head alone must not spend the state.
    { exposeHeadRoute: false },
    (request, reply) => finishSignIn(tools, request, reply),
  );
}

/** Accepts, signs in, and lands in the app. */
async function accept(
  { tools, ctx, key, request, reply }: InBrowser,
  { flow, offer }: FlowView,
  consentVersion: string,
): Promise<FastifyReply> {
  await tools.redemption.accept(ctx, key, null, { consent: true, consentVersion });
  const opened = await tools.signIn.openAfterAccept(ctx, key, signingIn(tools, request, flow.tenantId));
  if (opened) keepSession(tools, reply, opened);
  await renewCookie(tools, ctx, reply, key.browserToken);
  const { appName, landingUrl } = offer;
  if (landingUrl === null) return backToFlow(reply, key.flowId);
  const to = { url: landingUrl, name: appName ?? landingUrl, reason: 'app' } as const;
  return tools.show(reply, leavingPage(offer, to));
}

function redeemKind(tools: PageTools): FlowKind {
  return {
    purpose: 'REDEEM',
    root: '/r',
    async look(ctx, key) {
      const { offer, methods } = await tools.redemption.flow(ctx, key);
      return {
        branded: offer,
        tenantId: offer.tenantId,
        methods,
        email: null,
        declinePath: `/r/${key.flowId}/decline`,
      };
    },
    async goOn(ctx, key, _request, reply) {
      await renewCookie(tools, ctx, reply, key.browserToken);
      return backToFlow(reply, key.flowId);
    },
  };
}

interface FlowStep {
  ctx: RequestContext;
  key: BrowserKey;
  /** As it stood before the step. */
  view: FlowView;
  request: FastifyRequest<FlowRoute>;
  reply: FastifyReply;
}

type FlowWork = (step: FlowStep) => Promise<FastifyReply>;

async function flowStep(
  tools: PageTools,
  request: FastifyRequest<FlowRoute>,
  reply: FastifyReply,
  work: FlowWork,
): Promise<FastifyReply> {
  const ctx = tools.context(request);
  const { flowId } = request.params;
  const browserToken = tools.browserCookie.read(request);
  if (!browserToken) return showFlowOver(tools, request, reply);
  try {
    checkForm(ctx.secrets, request, flowForm(flowId, browserToken));
    const key = { flowId, browserToken };
    return await work({ ctx, key, view: await tools.redemption.flow(ctx, key), request, reply });
  } catch (error) {
    if (error instanceof UserError) return showFlow(tools, request, reply, problemOf(error));
    if (!(error instanceof RequestError)) throw error;
    const continueTo = `/r/${encodeURIComponent(flowId)}`;
    return tools.show(reply, problemPage(problemOf(error), tools.setting(request), { continueTo }));
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
  const view = browserToken && (await findFlow(tools, ctx, { flowId, browserToken }));
  if (!browserToken || !view) return showFlowOver(tools, request, reply);
  if (found?.retryAfterSeconds) reply.header('retry-after', found.retryAfterSeconds);
  const csrf = formToken(ctx.secrets, flowForm(flowId, browserToken));
  const path = unsubscribePath(ctx.secrets, view.offer.invitationId);
  const terms = view.isProven ? await tools.redemption.shownTerms(ctx, view) : null;
  const isFactorDue = nextRedemptionStep(view) === 'secondFactor';
  const factors = isFactorDue ? await shownFactors(tools, ctx, 'REDEEM', { flowId, browserToken }) : null;
  const facts = { found, terms, factors, unsubscribePath: path };
  return tools.show(reply, flowPage(view, csrf, tools.setting(request), facts));
}

async function findFlow({ redemption }: PageTools, ctx: RequestContext, key: BrowserKey): Promise<FlowView | null> {
  try {
    return await redemption.flow(ctx, key);
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

interface InBrowser {
  tools: PageTools;
  ctx: RequestContext;
  key: BrowserKey;
  request: FastifyRequest;
  reply: FastifyReply;
}

type AfterProvider = (back: InBrowser, refusal: UserErrorCode | null) => Promise<FastifyReply>;

/** Where a browser goes on that comes back from a provider, by what it had set out for. */
const afterProvider: Record<FlowPurpose, AfterProvider> = {
  async REDEEM({ tools, ctx, key, reply }, refusal) {
    if (refusal === null) await renewCookie(tools, ctx, reply, key.browserToken);
    return backToFlow(reply, key.flowId, refusal);
  },
  SIGN_IN: onwards,
  LINK_IDENTITY: onwards,
  CHANGE_ADDRESS: onwards,
};

async function onwards(
  { tools, ctx, key, request, reply }: InBrowser,
  refusal: UserErrorCode | null,
): Promise<FastifyReply> {
  if (refusal !== null) return backToSignIn(reply, key.flowId, refusal);
  try {
    return await goOn(tools, ctx, key, request, reply);
  } catch (error) {
    if (error instanceof UserError) return backToSignIn(reply, key.flowId, error.code);
    throw error;
  }
}

/** Spends the state and records the proof; nothing is accepted by coming back. Says what failed on the flow's own page. */
async function finishSignIn(
  tools: PageTools,
  request: FastifyRequest<{ Params: { providerId: string } }>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const ctx = tools.context(request);
  const { providerId } = request.params;
  const browserToken = tools.browserCookie.read(request);
  const callbackUrl = new URL(`/sign-in/callback/${providerId}`, tools.publicUrl);
  callbackUrl.search = new URL(request.url, tools.publicUrl).search;
  if (!browserToken) return showFlowOver(tools, request, reply);
  try {
    const finished = await tools.proving.finishSignIn(ctx, providerId, callbackUrl, browserToken);
    const key = { flowId: finished.flowId, browserToken };
    return await afterProvider[finished.purpose]({ tools, ctx, key, request, reply }, finished.refusal);
  } catch (error) {
    if (error instanceof UserError) return showFlowOver(tools, request, reply);
    throw error;
  }
}

function backToFlow(reply: FastifyReply, flowId: string, refusal: string | null = null): FastifyReply {
  const query = refusal ? `?problem=${refusal}` : '';
  return reply.redirect(`/r/${encodeURIComponent(flowId)}${query}`, 303);
}

/** What the callback found; anything else in its place is ignored. */
function problemInUrl(code: unknown): Problem | null {
  return typeof code === 'string' && isProblemCode(code) ? { ...problem(code), status: 200 } : null;
}

function showFlowOver(tools: PageTools, request: FastifyRequest<object>, reply: FastifyReply): FastifyReply {
  return tools.show(reply, problemPage(flowOver, tools.setting(request)));
}
