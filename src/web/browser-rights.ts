/** What a browser may do changes with a proof, an accept, a session: its cookies change with it. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { OpenedSession } from '../features/sign-in/sessions.service.js';
import type { RequestContext } from '../request/request-context.js';
import { renewedBrowserToken } from './browser-cookie.js';
import type { PageTools } from './page-tools.js';

/** After a proof and after what it led to: whoever knew the cookie before holds nothing of it now. */
export async function renewCookie(
  { proving, unsubscriptions, browserCookie }: PageTools,
  ctx: RequestContext,
  reply: FastifyReply,
  old: string,
): Promise<void> {
  const renewed = renewedBrowserToken(old);
  await proving.renewBrowser(ctx, old, renewed);
  await unsubscriptions.renewBrowser(ctx, old, renewed);
  browserCookie.write(reply, renewed);
}

export function signingIn({ sessionCookie }: PageTools, request: FastifyRequest, tenantId: string) {
  const sessionToken = sessionCookie.read(request, tenantId);
  return { tenantId, sessionToken, userAgent: request.headers['user-agent'] };
}

export function keepSession(
  { sessionCookie }: PageTools,
  reply: FastifyReply,
  { session, token }: OpenedSession,
): void {
  sessionCookie.write(reply, session.tenantId, token);
}
