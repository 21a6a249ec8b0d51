/**
 * The pages of a sign-in: where it stands (GET), and each step forward (POST), in the browser that began it. The step after
 * the last one opens the session. A step that fails shows the same page again with what to do about it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { BrowserKey } from '../features/proving/flows.queries.js';
import type { ConsentAnswer } from '../features/redemption/redemption.service.js';
import type { SignInView } from '../features/sign-in/sign-in.service.js';
import { nextSignInStep } from '../features/sign-in/sign-in.states.js';
import { RequestError, UserError } from '../kernel/errors.js';
import type { RequestContext } from '../request/request-context.js';
import { keepSession, renewCookie, signingIn } from './browser-rights.js';
import { isProblemCode, type Problem, problem, problemOf } from './error-pages.js';
import { registerFactorPages } from './factor-pages.js';
import { type FlowKind, type FlowRoute, shownFactors } from './flow-kind.js';
import { checkForm, flowForm, formField, formToken } from './form-guard.js';
import { leavingPage, problemPage } from './guest-pages.js';
import type { PageTools } from './page-tools.js';
import { appsPath, brandedFor, signInPage } from './tenant-pages.js';

export function registerSignInFlowPages(server: FastifyInstance, tools: PageTools): void {
  const { signIn } = tools;
  const step = (path: string, work: SignInWork) =>
    server.post<FlowRoute>(`/s/:flowId${path}`, (request, reply) => signInStep(tools, request, reply, work));

  server.get<FlowRoute & { Querystring: { problem?: unknown } }>('/s/:flowId', (request, reply) =>
    showSignIn(tools, request, reply, problemInUrl(request.query.problem)),
  );

  step('/passcode/send', async ({ ctx, key, reply }) => {
    await signIn.sendPasscode(ctx, key);
    return backToSignIn(reply, key.flowId);
  });

  step('/passcode', async ({ ctx, key, request, reply }) => {
    await signIn.provePasscode(ctx, key, formField(request, 'passcode'));
    return goOn(tools, ctx, key, request, reply);
  });

  step('/sign-in', async ({ ctx, key, view, reply }) => {
    const { redirectTo, providerName } = await signIn.beginSignIn(ctx, key);
    const to = { url: redirectTo, name: providerName, reason: 'provider' } as const;
    return tools.show(reply, leavingPage(brandedFor(view.tenant, view.flow), to));
  });

  step('/accept', ({ ctx, key, request, reply }) =>
    goOn(tools, ctx, key, request, reply, {
      consent: true,
      consentVersion: formField(request, 'consentVersion'),
    }),
  );

  registerFactorPages(server, tools, signInKind(tools));

  // Reached by reloading an answer to a form from the address bar.
  server.get<FlowRoute>('/s/:flowId/*', (request, reply) => backToSignIn(reply, request.params.flowId));
}

function signInKind(tools: PageTools): FlowKind {
  return {
    purpose: 'SIGN_IN',
    root: '/s',
    async look(ctx, key) {
      const { flow, tenant, methods } = await tools.signIn.flow(ctx, key);
      const { tenantId, email } = flow;
      return { branded: brandedFor(tenant, flow), tenantId, methods, email, declinePath: null };
    },
    goOn: (ctx, key, request, reply) => goOn(tools, ctx, key, request, reply),
  };
}

/**
 * On to what comes after a step that was done: the session, or the next step's page.
 * @throws UserError as `SignInService.finish`.
 */
export async function goOn(
  tools: PageTools,
  ctx: RequestContext,
  key: BrowserKey,
  request: FastifyRequest,
  reply: FastifyReply,
  answer: ConsentAnswer | null = null,
): Promise<FastifyReply> {
  const { flow, tenant } = await tools.signIn.flow(ctx, key);
  const done = await tools.signIn.finish(ctx, key, answer, signingIn(tools, request, flow.tenantId));
  await renewCookie(tools, ctx, reply, key.browserToken);
  if (done.due !== null) return backToSignIn(reply, key.flowId);
  if (done.opened) keepSession(tools, reply, done.opened);
  return reply.redirect(flow.returnTo ?? appsPath(tenant), 303);
}

interface SignInStep {
  ctx: RequestContext;
  key: BrowserKey;
  /** As it stood before the step. */
  view: SignInView;
  request: FastifyRequest<FlowRoute>;
  reply: FastifyReply;
}

type SignInWork = (step: SignInStep) => Promise<FastifyReply>;

async function signInStep(
  tools: PageTools,
  request: FastifyRequest<FlowRoute>,
  reply: FastifyReply,
  work: SignInWork,
): Promise<FastifyReply> {
  const ctx = tools.context(request);
  const { flowId } = request.params;
  const browserToken = tools.browserCookie.read(request);
  if (!browserToken) return showSignInOver(tools, request, reply);
  try {
    checkForm(ctx.secrets, request, flowForm(flowId, browserToken));
    const key = { flowId, browserToken };
    return await work({ ctx, key, view: await tools.signIn.flow(ctx, key), request, reply });
  } catch (error) {
    if (error instanceof UserError) return showSignIn(tools, request, reply, problemOf(error));
    if (!(error instanceof RequestError)) throw error;
    const continueTo = signInFlowPath(flowId);
    return tools.show(reply, problemPage(problemOf(error), tools.setting(request), { continueTo }));
  }
}

async function showSignIn(
  tools: PageTools,
  request: FastifyRequest<FlowRoute>,
  reply: FastifyReply,
  found: Problem | null,
): Promise<FastifyReply> {
  const ctx = tools.context(request);
  const { flowId } = request.params;
  const browserToken = tools.browserCookie.read(request);
  const view = browserToken && (await findSignIn(tools, ctx, { flowId, browserToken }));
  if (!browserToken || !view) return showSignInOver(tools, request, reply);
  // The page of a sign-in that is done, from the browser's history.
  if (view.flow.sessionOpenedAt) return reply.redirect(view.flow.returnTo ?? appsPath(view.tenant), 303);
  if (found?.retryAfterSeconds) reply.header('retry-after', found.retryAfterSeconds);
  const csrf = formToken(ctx.secrets, flowForm(flowId, browserToken));
  const terms = await tools.signIn.shownTerms(ctx, view);
  const isFactorDue = nextSignInStep(view) === 'secondFactor';
  const factors = isFactorDue ? await shownFactors(tools, ctx, 'SIGN_IN', { flowId, browserToken }) : null;
  return tools.show(reply, signInPage(view, csrf, tools.setting(request), { found, terms, factors }));
}

async function findSignIn({ signIn }: PageTools, ctx: RequestContext, key: BrowserKey): Promise<SignInView | null> {
  try {
    return await signIn.flow(ctx, key);
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

export function signInFlowPath(flowId: string, refusal: string | null = null): string {
  return `/s/${encodeURIComponent(flowId)}${refusal ? `?problem=${refusal}` : ''}`;
}

export function backToSignIn(reply: FastifyReply, flowId: string, refusal: string | null = null): FastifyReply {
  return reply.redirect(signInFlowPath(flowId, refusal), 303);
}

/** What the step before found; anything else in its place is ignored. */
function problemInUrl(code: unknown): Problem | null {
  return typeof code === 'string' && isProblemCode(code) ? { ...problem(code), status: 200 } : null;
}

function showSignInOver(tools: PageTools, request: FastifyRequest<object>, reply: FastifyReply): FastifyReply {
  return tools.show(reply, problemPage(problem('SIGN_IN_OVER'), tools.setting(request)));
}
