/**
 * Around every request to the library: whose session it is, in and out. The library reads its session from a cookie; it is
 * handed the gateway's session instead, and what it would set is left out. Answers to forms that lead to another origin
 * become pages with a link, because Chromium applies `form-action` to redirects.
 */
import type { Context, Middleware, Next } from 'koa';
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import { noteSession } from './current-session.js';
import type { GuestSession, GuestSessions } from './guest-sessions.js';
import { routes } from './issuer-configuration.js';
import type { TenantContext } from './payload-adapter.js';
import { sessionIdOf } from './session-adapter.js';
import type { ViewSources } from './views.js';

export interface FrameParts {
  provider: Provider;
  tenantId: string;
  publicUrl: URL;
  context: TenantContext;
  sessions: GuestSessions;
  views: ViewSources;
}

/** Endpoints that browsers visit; at the others cookies mean nothing. */
const browserPaths = [routes.authorization, routes.code_verification, routes.end_session];

export function requestFrame(parts: FrameParts): Middleware {
  return async (ctx, next) => {
    if (!browserPaths.some((path) => ctx.path === path || ctx.path.startsWith(`${path}/`))) return frameData(ctx, next);
    const { sessions, tenantId, context } = parts;
    const session = await sessions.findByCookie(context(), tenantId, ctx.get('cookie'));
    noteSession(ctx, session);
    if (session) ctx.req.headers.cookie = withSession(ctx.get('cookie'), parts.provider.cookieName('session'), session);
    if (await refusesResponseMode(ctx, parts)) return;
    takeUserCode(ctx);
    await next();
    await leaveByPage(ctx as unknown as KoaContextWithOIDC, parts);
    await endSession(ctx as unknown as KoaContextWithOIDC, parts, session);
    if (session) dropCookie(ctx, parts.provider.cookieName('session'));
  };
}

/** What apps and not people ask for. The discovery document names what this provider lets apps use, not what the library can. */
async function frameData(ctx: Context, next: Next): Promise<void> {
  await next();
  const body = ctx.body as Record<string, unknown> | null | undefined;
  if (ctx.path.startsWith('/.well-known/') && ctx.status === 200 && body) body.response_modes_supported = ['query'];
}

/** `form_post` submits itself by script: apps may not use it, but the library would report errors by it. */
async function refusesResponseMode(ctx: Context, { views }: FrameParts): Promise<boolean> {
  const { response_mode: mode } = ctx.query;
  if (ctx.path !== routes.authorization || mode === undefined || mode === 'query') return false;
  ctx.status = 400;
  const out = { error: 'unsupported_response_mode', error_description: 'use response_mode query, or leave it out' };
  await views.renderError(ctx as unknown as KoaContextWithOIDC, out);
  return true;
}

/** The link on a device carries the code: it is shown for the guest to compare and send, not sent by itself. */
function takeUserCode(ctx: Context): void {
  if (ctx.path !== routes.code_verification || ctx.method !== 'GET') return;
  const { user_code: code, ...rest } = ctx.query;
  if (code === undefined) return;
  ctx.state.userCode = Array.isArray(code) ? code[0] : code;
  ctx.query = rest;
}

/** Also the page by which the library would send a form of its own, when nobody is signed in. */
async function leaveByPage(ctx: KoaContextWithOIDC, { publicUrl, views }: FrameParts): Promise<void> {
  const location = ctx.response.get('location');
  if (ctx.method === 'POST' && location && URL.parse(location, publicUrl.href)?.origin !== publicUrl.origin) {
    ctx.remove('location');
    const name = ctx.oidc.client?.clientName ?? new URL(location).host;
    await views.leaving(ctx, { template: 'leaving', status: 200, facts: { refreshTo: location, name, toApp: false } });
  }
  if (ctx.path === routes.end_session && ctx.method === 'GET' && ctx.status === 200) await views.logout(ctx);
}

/** Signing out at an app is signing out at the gateway, once the guest has said so. */
async function endSession(ctx: KoaContextWithOIDC, parts: FrameParts, session: GuestSession | null): Promise<void> {
  const hasConfirmed = ctx.path === `${routes.end_session}/confirm` && ctx.oidc?.params?.logout !== undefined;
  if (!session || !hasConfirmed || !isDestroyed(ctx.oidc.session)) return;
  await parts.sessions.signOut(parts.context(), session.id);
}

/** Undocumented in its types, and how the library itself tells. */
function isDestroyed(session: object | undefined): boolean {
  return (session as { destroyed?: boolean } | undefined)?.destroyed === true;
}

function withSession(header: string, name: string, session: GuestSession): string {
  const others = header.split(/;\s*/).filter((pair) => pair && !pair.startsWith(`${name}=`));
  return [...others, `${name}=${sessionIdOf(session)}`].join('; ');
}

function dropCookie(ctx: Context, name: string): void {
  const lines = ctx.response.headers['set-cookie'];
  if (!lines) return;
  const kept = [lines].flat().filter((line) => !String(line).startsWith(`${name}=`));
  ctx.res.removeHeader('set-cookie');
  if (kept.length > 0) ctx.res.setHeader('set-cookie', kept as string[]);
}
