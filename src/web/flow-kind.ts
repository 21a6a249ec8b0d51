/** What flows of every purpose have in common for their pages: where they are, whose they are, and how they go on. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FlowPurpose } from '../features/proving/flow.entity.js';
import type { BrowserKey } from '../features/proving/flows.queries.js';
import type { Method } from '../features/proving/methods.rules.js';
import { RequestError, UserError } from '../kernel/errors.js';
import type { RequestContext } from '../request/request-context.js';
import { type Problem, problem, problemOf } from './error-pages.js';
import type { ShownFactors } from './factor-step.js';
import { checkForm, flowForm, formToken } from './form-guard.js';
import { type Branded, problemPage } from './guest-pages.js';
import type { PageTools } from './page-tools.js';

export type FlowRoute = { Params: { flowId: string } };

/** A flow as its pages need it. */
export interface FlowLook {
  branded: Branded;
  tenantId: string;
  methods: Method[];
  /** As the guest typed it; null: it is shown masked only. */
  email: string | null;
  declinePath: string | null;
}

export interface FlowKind {
  purpose: FlowPurpose;
  /** Where flows of this purpose are: `<root>/<flow's id>`. */
  root: '/r' | '/s';
  /** @throws UserError when this browser has no such flow. */
  look(ctx: RequestContext, key: BrowserKey): Promise<FlowLook>;
  /** On to what comes after a step that was done. @throws UserError when it cannot go on. */
  goOn(ctx: RequestContext, key: BrowserKey, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply>;
}

export interface FlowRequest {
  ctx: RequestContext;
  key: BrowserKey;
  look: FlowLook;
  /** Path of the flow. */
  path: string;
  csrf: string;
  request: FastifyRequest<FlowRoute>;
  reply: FastifyReply;
}

type Show = (at: FlowRequest, found: Problem | null) => Promise<FastifyReply>;

export async function showPart(
  tools: PageTools,
  kind: FlowKind,
  request: FastifyRequest<FlowRoute>,
  reply: FastifyReply,
  show: Show,
): Promise<FastifyReply> {
  const at = await openPart(tools, kind, request, reply);
  if (!at) return showOver(tools, kind, request, reply);
  try {
    return await show(at, null);
  } catch (error) {
    // Not due, or not offered: the flow's own page says what is.
    if (error instanceof UserError) return reply.redirect(at.path, 303);
    throw error;
  }
}

/** A step that fails shows the same page again with what to do about it. */
export async function stepPart(
  tools: PageTools,
  kind: FlowKind,
  request: FastifyRequest<FlowRoute>,
  reply: FastifyReply,
  again: Show,
  work: (at: FlowRequest) => Promise<FastifyReply>,
): Promise<FastifyReply> {
  const at = await openPart(tools, kind, request, reply);
  if (!at) return showOver(tools, kind, request, reply);
  try {
    checkForm(at.ctx.secrets, request, flowForm(at.key.flowId, at.key.browserToken));
    return await work(at);
  } catch (error) {
    const found = problemOf(error);
    if (error instanceof RequestError)
      return tools.show(reply, problemPage(found, tools.setting(request), { continueTo: at.path }));
    if (!(error instanceof UserError)) throw error;
    if (found.retryAfterSeconds !== null) reply.header('retry-after', found.retryAfterSeconds);
    return showAgain(at, found, again);
  }
}

/** For the flow's own page; null where another step is due. */
export async function shownFactors(
  { flowFactors }: PageTools,
  ctx: RequestContext,
  purpose: FlowPurpose,
  key: BrowserKey,
): Promise<ShownFactors | null> {
  try {
    return await flowFactors.look(ctx, purpose, key);
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

async function showAgain(at: FlowRequest, found: Problem, again: Show): Promise<FastifyReply> {
  try {
    return await again(at, found);
  } catch (error) {
    if (error instanceof UserError) return at.reply.redirect(`${at.path}?problem=${found.code}`, 303);
    throw error;
  }
}

async function openPart(
  tools: PageTools,
  kind: FlowKind,
  request: FastifyRequest<FlowRoute>,
  reply: FastifyReply,
): Promise<FlowRequest | null> {
  const ctx = tools.context(request);
  const browserToken = tools.browserCookie.read(request);
  if (!browserToken) return null;
  const key = { flowId: request.params.flowId, browserToken };
  try {
    const look = await kind.look(ctx, key);
    const csrf = formToken(ctx.secrets, flowForm(key.flowId, browserToken));
    return { ctx, key, look, path: `${kind.root}/${encodeURIComponent(key.flowId)}`, csrf, request, reply };
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

function showOver(
  tools: PageTools,
  { purpose }: FlowKind,
  request: FastifyRequest<FlowRoute>,
  reply: FastifyReply,
): FastifyReply {
  const over = problem(purpose === 'REDEEM' ? 'FLOW_OVER' : 'SIGN_IN_OVER');
  return tools.show(reply, problemPage(over, tools.setting(request)));
}
