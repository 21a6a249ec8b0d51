/** Somebody who is signed in at a page of a tenant: found by the address's slug and the tenant's cookie. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { LiveSession } from '../features/sign-in/sessions.service.js';
import { findTenantPage, type TenantPage } from '../features/sign-in/tenant-page.queries.js';
import { UserError } from '../kernel/errors.js';
import type { RequestContext } from '../request/request-context.js';
import { type Problem, problem, problemOf } from './error-pages.js';
import { checkForm, formToken, sessionForm } from './form-guard.js';
import { problemPage } from './guest-pages.js';
import type { PageTools } from './page-tools.js';
import { signInPath } from './tenant-pages.js';

export type TenantRoute = { Params: { slug: string } };

export interface Visit {
  ctx: RequestContext;
  tenant: TenantPage;
  session: LiveSession;
  /** What forms of this session are bound to. */
  form: string;
  /** Of those forms. */
  csrf: string;
}

/** Whoever is not signed in is led to the sign-in page and back here. */
export async function withVisit(
  tools: PageTools,
  request: FastifyRequest<TenantRoute>,
  reply: FastifyReply,
  work: (visit: Visit) => Promise<FastifyReply>,
): Promise<FastifyReply> {
  const ctx = tools.context(request);
  const tenant = await findTenantPage(ctx.db, request.params.slug);
  if (!tenant) return tools.show(reply, problemPage(problem('NOT_FOUND'), tools.setting(request)));
  const token = tools.sessionCookie.read(request, tenant.tenantId);
  const session = token && (await tools.sessions.find(ctx, tenant.tenantId, token));
  if (!token || !session) return reply.redirect(signInAndBack(tenant, request), 303);
  const form = sessionForm(token);
  return work({ ctx, tenant, session, form, csrf: formToken(ctx.secrets, form) });
}

function signInAndBack(tenant: TenantPage, { method, url }: FastifyRequest<TenantRoute>): string {
  return method === 'GET' ? `${signInPath(tenant)}?${new URLSearchParams({ return_to: url })}` : signInPath(tenant);
}

type VisitWork<R extends FastifyRequest> = (visit: Visit, request: R, reply: FastifyReply) => Promise<FastifyReply>;
type ShowAgain<R> = (visit: Visit, request: R, reply: FastifyReply, found: Problem) => Promise<FastifyReply>;

/** A form of a visit; what is refused is told on the page it came from. */
export async function visitStep<R extends FastifyRequest>(
  visit: Visit,
  request: R,
  reply: FastifyReply,
  again: ShowAgain<R>,
  work: VisitWork<R>,
): Promise<FastifyReply> {
  try {
    checkForm(visit.ctx.secrets, request, visit.form);
    return await work(visit, request, reply);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const found = problemOf(error);
    if (found.retryAfterSeconds !== null) reply.header('retry-after', found.retryAfterSeconds);
    return again(visit, request, reply, found);
  }
}
