/**
 * A guest's own account, signed in: `/t/<slug>/account`. What may be changed is decided by `features/sign-in`; here are the
 * forms. Passwords and second factors have pages of their own (`security-pages.ts`).
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AddressChange } from '../features/sign-in/account.service.js';
import { HOUR } from '../kernel/clock.js';
import { UserError } from '../kernel/errors.js';
import type { RateLimit } from '../request/rate-limits.js';
import { type TenantRoute, type Visit, withVisit } from './account-visit.js';
import { newBrowserToken } from './browser-cookie.js';
import { type Problem, problemOf } from './error-pages.js';
import { checkForm, formField } from './form-guard.js';
import type { PageTools } from './page-tools.js';
import { signInFlowPath } from './sign-in-flow-pages.js';
import { accountPage, accountPath, leftPage, signedOutPage } from './tenant-pages.js';

type Request = FastifyRequest<TenantRoute>;
type Step = (visit: Visit, request: Request, reply: FastifyReply) => Promise<FastifyReply>;

const ROOT = '/t/:slug/account';

export function registerAccountPages(server: FastifyInstance, tools: PageTools): void {
  const { account } = tools;
  const step = (path: string, work: Step) =>
    server.post<TenantRoute>(ROOT + path, (request, reply) =>
      withVisit(tools, request, reply, (visit) => accountStep(tools, visit, request, reply, work)),
    );

  server.get<TenantRoute>(ROOT, (request, reply) =>
    withVisit(tools, request, reply, (visit) => showAccount(tools, visit, request, reply, null)),
  );

  step('/profile', async (visit, request, reply) => {
    const [displayName, preferredLanguage] = [formField(request, 'displayName'), formField(request, 'language')];
    await account.updateProfile(visit.ctx, visit.session, { displayName, preferredLanguage });
    return backToAccount(visit, reply);
  });

  step('/identities', (visit, request, reply) => beginChange(tools, visit, request, reply, 'LINK_IDENTITY'));
  step('/address', (visit, request, reply) => beginChange(tools, visit, request, reply, 'CHANGE_ADDRESS'));

  step('/identities/unlink', async (visit, request, reply) => {
    await account.unlink(visit.ctx, visit.session, formField(request, 'identityId'));
    return backToAccount(visit, reply);
  });

  step('/sessions/end', async (visit, request, reply) => {
    await account.endSession(visit.ctx, visit.session, formField(request, 'sessionId'));
    return backToAccount(visit, reply);
  });

  step('/sessions/end-all', async (visit, request, reply) => {
    await account.endAllSessions(visit.ctx, visit.session);
    tools.sessionCookie.clear(reply, visit.tenant.tenantId);
    return tools.show(reply, signedOutPage(visit.tenant, tools.setting(request), null));
  });

  step('/leave', async (visit, request, reply) => {
    await account.leave(visit.ctx, visit.session);
    tools.sessionCookie.clear(reply, visit.tenant.tenantId);
    return tools.show(reply, leftPage(visit.tenant, tools.setting(request)));
  });

  // Reached by reloading an answer to a form from the address bar.
  for (const path of [
    'profile',
    'identities',
    'identities/unlink',
    'address',
    'sessions/end',
    'sessions/end-all',
    'leave',
  ])
    server.get<TenantRoute>(`${ROOT}/${path}`, (request, reply) =>
      withVisit(tools, request, reply, (visit) => backToAccount(visit, reply)),
    );
}

/** Each sends a code to an address of the guest's choice. */
const changesOfGuest: RateLimit = { name: 'change', most: 20, window: HOUR };

/** The other side is proven in a flow of its own, in this browser; where a passcode is the way, it is on its way then. */
async function beginChange(
  tools: PageTools,
  { ctx, tenant, session }: Visit,
  request: Request,
  reply: FastifyReply,
  purpose: AddressChange,
): Promise<FastifyReply> {
  await tools.limits.admit(ctx, { limit: changesOfGuest, of: session.externalUserId });
  const known = tools.browserCookie.read(request);
  const browserToken = known ?? newBrowserToken();
  const { language } = tools.setting(request);
  const change = { purpose, address: formField(request, 'email'), language, browserToken };
  const flowId = await tools.account.beginChange(ctx, session, { ...change, returnTo: accountPath(tenant) });
  if (!known) tools.browserCookie.write(reply, browserToken);
  return reply.redirect(signInFlowPath(flowId, await firstPasscode(tools, { ctx, flowId, browserToken })), 303);
}

/** @returns what kept it back, to be said on the next page. */
async function firstPasscode(
  { signIn }: PageTools,
  { ctx, ...key }: Pick<Visit, 'ctx'> & { flowId: string; browserToken: string },
) {
  try {
    await signIn.sendFirstPasscode(ctx, key);
    return null;
  } catch (error) {
    if (error instanceof UserError) return error.code;
    throw error;
  }
}

async function accountStep(
  tools: PageTools,
  visit: Visit,
  request: Request,
  reply: FastifyReply,
  work: Step,
): Promise<FastifyReply> {
  try {
    checkForm(visit.ctx.secrets, request, visit.form);
    return await work(visit, request, reply);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return showAccount(tools, visit, request, reply, problemOf(error));
  }
}

async function showAccount(
  tools: PageTools,
  { ctx, tenant, session, csrf }: Visit,
  request: Request,
  reply: FastifyReply,
  found: Problem | null,
): Promise<FastifyReply> {
  const account = await tools.account.view(ctx, session);
  if (found?.retryAfterSeconds) reply.header('retry-after', found.retryAfterSeconds);
  return tools.show(reply, accountPage(tenant, { account, session, csrf }, tools.setting(request), found));
}

async function backToAccount({ tenant }: Visit, reply: FastifyReply): Promise<FastifyReply> {
  return reply.redirect(accountPath(tenant), 303);
}
