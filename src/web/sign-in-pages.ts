/**
 * A tenant's door for guests who come back: the address, the apps, the way out. Which tenant is in the path; who is signed in
 * is the session's business, asked anew each time.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { appsOfGuest, loadSignedInGuest } from '../features/sign-in/apps-page.queries.js';
import { returnPath } from '../features/sign-in/return-to.rules.js';
import type { LiveSession } from '../features/sign-in/sessions.service.js';
import { providerOfIdentity } from '../features/sign-in/sign-out-at-provider.queries.js';
import { findTenantPage, type TenantPage } from '../features/sign-in/tenant-page.queries.js';
import { UserError } from '../kernel/errors.js';
import type { RequestContext } from '../request/request-context.js';
import { newBrowserToken } from './browser-cookie.js';
import { type Problem, problem, problemOf } from './error-pages.js';
import { checkForm, formField, formToken, sessionForm, signInForm } from './form-guard.js';
import { problemPage } from './guest-pages.js';
import type { PageTools } from './page-tools.js';
import { signInFlowPath } from './sign-in-flow-pages.js';
import {
  appsPage,
  appsPath,
  type SignedIn,
  type SignInStart,
  signedInPage,
  signedOutPage,
  signInPath,
  signInStartPage,
} from './tenant-pages.js';

type TenantRoute = {
  Params: { slug: string; identityId?: string };
  Querystring: { return_to?: unknown; prompt?: unknown; with?: unknown; q?: unknown };
};

/** Characters. */
const MAX_SEARCH = 100;

export function registerSignInPages(server: FastifyInstance, tools: PageTools): void {
  const of =
    (work: TenantWork) =>
    async (request: FastifyRequest<TenantRoute>, reply: FastifyReply): Promise<FastifyReply> => {
      const ctx = tools.context(request);
      const tenant = await findTenantPage(ctx.db, request.params.slug);
      if (!tenant) return tools.show(reply, problemPage(problem('NOT_FOUND'), tools.setting(request)));
      return work({ tools, ctx, tenant, request, reply });
    };

  // What people type who remember only half of the address.
  server.get<TenantRoute>(
    '/t/:slug',
    of(async ({ tenant, reply }) => reply.redirect(appsPath(tenant), 303)),
  );
  server.get<TenantRoute>('/t/:slug/sign-in', of(openSignIn));
  server.post<TenantRoute>('/t/:slug/sign-in', of(beginSignIn));
  server.get<TenantRoute>('/t/:slug/apps', of(signedInOnly(showApps)));
  server.post<TenantRoute>('/t/:slug/sign-out', of(signOut));
  server.get<TenantRoute>('/t/:slug/sign-out/:identityId', of(signOutAtProvider));
  // Reached by reloading an answer to a form from the address bar.
  server.get<TenantRoute>(
    '/t/:slug/sign-out',
    of(async ({ tenant, reply }) => reply.redirect(signInPath(tenant), 303)),
  );
}

export interface TenantRequest {
  tools: PageTools;
  ctx: RequestContext;
  tenant: TenantPage;
  request: FastifyRequest<TenantRoute>;
  reply: FastifyReply;
}

type TenantWork = (at: TenantRequest) => Promise<FastifyReply>;

/** Who is signed in comes to where they wanted at once, unless another sign-in is what they want (`prompt=login`). */
async function openSignIn(at: TenantRequest): Promise<FastifyReply> {
  const { tools, tenant, request, reply } = at;
  const returnTo = returnPath(request.query.return_to, tenant.slug, tools.publicUrl);
  const found = request.query.prompt === 'login' ? null : await findSession(at);
  if (!found) return showStart(at, { returnTo, email: '', withAccount: request.query.with === 'account' }, null);
  if (returnTo) return reply.redirect(returnTo, 303);
  return tools.show(reply, signedInPage(tenant, await signedIn(at, found), tools.setting(request), appsPath(tenant)));
}

/** The cookie comes with the page, so that a form is answered only from the browser that was shown it. */
function showStart(
  { tools, ctx, tenant, request, reply }: TenantRequest,
  typed: Omit<SignInStart, 'csrf'>,
  found: Problem | null,
): FastifyReply {
  const known = tools.browserCookie.read(request);
  const browserToken = known ?? newBrowserToken();
  if (!known) tools.browserCookie.write(reply, browserToken);
  const csrf = formToken(ctx.secrets, signInForm(tenant.tenantId, browserToken));
  return tools.show(reply, signInStartPage(tenant, { csrf, ...typed }, tools.setting(request), found));
}

async function beginSignIn(at: TenantRequest): Promise<FastifyReply> {
  const { tools, ctx, tenant, request, reply } = at;
  const returnTo = returnPath(formField(request, 'returnTo'), tenant.slug, tools.publicUrl);
  const address = formField(request, 'email');
  const withAccount = formField(request, 'with') === 'account';
  const browserToken = tools.browserCookie.read(request) ?? '';
  try {
    checkForm(ctx.secrets, request, signInForm(tenant.tenantId, browserToken));
    await tools.limits.admit(ctx);
    const { language } = tools.setting(request);
    const flowId = await tools.signIn.begin(ctx, {
      tenantId: tenant.tenantId,
      address,
      language,
      browserToken,
      returnTo,
    });
    if (withAccount) return reply.redirect(`${signInFlowPath(flowId)}/password`, 303);
    return reply.redirect(signInFlowPath(flowId, await firstPasscode(at, { flowId, browserToken })), 303);
  } catch (error) {
    const found = problemOf(error);
    if (found.status >= 500) throw error;
    if (found.retryAfterSeconds) reply.header('retry-after', found.retryAfterSeconds);
    return showStart(at, { returnTo, email: address, withAccount }, found);
  }
}

/** @returns what kept it back, to be said on the next page. */
async function firstPasscode({ tools, ctx }: TenantRequest, key: { flowId: string; browserToken: string }) {
  try {
    await tools.signIn.sendFirstPasscode(ctx, key);
    return null;
  } catch (error) {
    if (error instanceof UserError) return error.code;
    throw error;
  }
}

/** Whoever is not signed in signs in first, and comes back. */
export function signedInOnly(work: (at: TenantRequest, session: LiveSession) => Promise<FastifyReply>): TenantWork {
  return async (at) => {
    const session = await findSession(at);
    if (session) return work(at, session);
    const { tenant, request, reply } = at;
    const query = request.method === 'GET' ? `?return_to=${encodeURIComponent(request.url)}` : '';
    return reply.redirect(signInPath(tenant) + query, 303);
  };
}

async function showApps(at: TenantRequest, session: LiveSession): Promise<FastifyReply> {
  const { tools, ctx, tenant, request, reply } = at;
  const { q } = request.query;
  const search = typeof q === 'string' ? q.slice(0, MAX_SEARCH).trim() : '';
  const found = await appsOfGuest(ctx.db, session, search);
  return tools.show(reply, appsPage(tenant, await signedIn(at, session), tools.setting(request), { search, found }));
}

/** Also when the session is over by now: what was asked for is so. */
async function signOut(at: TenantRequest): Promise<FastifyReply> {
  const { tools, ctx, tenant, request, reply } = at;
  const token = tools.sessionCookie.read(request, tenant.tenantId);
  if (token) {
    checkForm(ctx.secrets, request, sessionForm(token));
    const session = await findSession(at);
    if (session) await tools.sessions.end(ctx, session.id, 'SIGNED_OUT');
    tools.sessionCookie.clear(reply, tenant.tenantId);
    const provider = session && (await providerOf(at, session));
    return tools.show(reply, signedOutPage(tenant, tools.setting(request), provider));
  }
  return tools.show(reply, signedOutPage(tenant, tools.setting(request), null));
}

/** Asked only when somebody follows the link: a provider that hangs must not hold up signing out here. */
async function providerOf({ ctx, tenant }: TenantRequest, { identityId }: LiveSession) {
  const provider = await providerOfIdentity(ctx.db, tenant.tenantId, identityId);
  if (provider?.kind !== 'OIDC') return null;
  return { name: provider.displayName, path: `/t/${tenant.slug}/sign-out/${identityId}` };
}

/** Changes nothing here; the provider asks before it ends its session, or does so where it trusts the browser. */
async function signOutAtProvider({ tools, ctx, tenant, request, reply }: TenantRequest): Promise<FastifyReply> {
  const { identityId = '' } = request.params;
  const url = await tools.signIn.signOutAtProvider(ctx, tenant.tenantId, identityId);
  if (url === null) return tools.show(reply, problemPage(problem('NOT_FOUND'), tools.setting(request)));
  return reply.redirect(url, 303);
}

async function findSession({ tools, ctx, tenant, request }: TenantRequest): Promise<LiveSession | null> {
  const token = tools.sessionCookie.read(request, tenant.tenantId);
  return token === null ? null : tools.sessions.find(ctx, tenant.tenantId, token);
}

async function signedIn({ tools, ctx, tenant, request }: TenantRequest, session: LiveSession): Promise<SignedIn> {
  const token = tools.sessionCookie.read(request, tenant.tenantId) ?? '';
  return { guest: await loadSignedInGuest(ctx.db, session), csrf: formToken(ctx.secrets, sessionForm(token)) };
}
