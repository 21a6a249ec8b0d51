/** Somebody who is signed in at a page of a tenant: found by the address's slug and the tenant's cookie. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { LiveSession } from '../features/sign-in/sessions.service.js';
import { findTenantBrand, type TenantBrand } from '../features/tenants/tenant-brand.queries.js';
import type { RequestContext } from '../request/request-context.js';
import { problem } from './error-pages.js';
import { problemPage } from './guest-pages.js';
import type { PageTools } from './page-tools.js';

export type TenantRoute = { Params: { slug: string } };

export interface Visit {
  ctx: RequestContext;
  brand: TenantBrand;
  session: LiveSession;
}

/** To one's own path of the tenant only: anywhere else would be an open redirect. */
export function ownPath(slug: string, path: unknown): string | null {
  const root = `/t/${slug}/`;
  if (typeof path !== 'string' || !path.startsWith(root) || path.length > 500) return null;
  const url = URL.parse(path, 'http://own.invalid');
  return url?.host === 'own.invalid' && url.pathname.startsWith(root) ? url.pathname + url.search : null;
}

/** Whoever is not signed in is led to the sign-in page and back here. */
export async function withVisit(
  tools: PageTools,
  request: FastifyRequest<TenantRoute>,
  reply: FastifyReply,
  work: (visit: Visit) => Promise<FastifyReply>,
): Promise<FastifyReply> {
  const ctx = tools.context(request);
  const brand = await findTenantBrand(ctx.db, request.params.slug);
  if (!brand) return tools.show(reply, problemPage(problem('NOT_FOUND'), tools.setting(request)));
  const token = tools.sessionCookie.read(request, brand.tenantId);
  const session = token && (await tools.sessions.find(ctx, brand.tenantId, token));
  if (session) return work({ ctx, brand, session });
  const isPage = request.method === 'GET';
  return reply.redirect(signInPath(brand.slug, isPage ? request.url : `/t/${brand.slug}/account`), 303);
}

export function signInPath(slug: string, returnTo: string): string {
  return `/t/${slug}/sign-in?${new URLSearchParams({ return_to: returnTo })}`;
}
