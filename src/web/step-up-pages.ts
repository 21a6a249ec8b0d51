/**
 * The second factor of somebody who is signed in, asked for by an app or before credentials are changed:
 * `/t/<slug>/second-factor?return_to=<path of the tenant's>`. In a flow it is a step of the flow.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { returnPath } from '../features/sign-in/return-to.rules.js';
import type { TenantPage } from '../features/sign-in/tenant-page.queries.js';
import { UserError } from '../kernel/errors.js';
import { type TenantRoute, type Visit, withVisit } from './account-visit.js';
import { type Problem, problemOf } from './error-pages.js';
import { checkForm, formField } from './form-guard.js';
import type { PageTools } from './page-tools.js';
import { type FactorSetting, noFactorPage, useCodePage, usePasskeyPage } from './second-factor-facts.js';
import { appsPath, brandedFor } from './tenant-pages.js';

type StepUpRoute = TenantRoute & { Querystring: { return_to?: unknown } };
type Request = FastifyRequest<StepUpRoute>;
type Show = (visit: Visit, request: Request, reply: FastifyReply, found: Problem | null) => Promise<FastifyReply>;

const ROOT = '/t/:slug/second-factor';

export function registerStepUpPages(server: FastifyInstance, tools: PageTools): void {
  const { stepUp } = tools;

  const passkeyPage: Show = async (visit, request, reply, found) => {
    const options = await stepUp.passkeyOptions(visit.ctx, visit.session);
    const factors = await stepUp.factorsOf(visit.ctx, visit.session);
    return tools.show(reply, usePasskeyPage(options, factors, settingOf(tools, visit, request, found)));
  };
  const codePage: Show = async (visit, request, reply, found) => {
    const factors = await stepUp.factorsOf(visit.ctx, visit.session);
    return tools.show(reply, useCodePage(factors, settingOf(tools, visit, request, found)));
  };
  /** The quickest they have. */
  const firstPage: Show = async (visit, request, reply, found) => {
    const { passkeys, hasTotp } = await stepUp.factorsOf(visit.ctx, visit.session);
    if (passkeys > 0) return passkeyPage(visit, request, reply, found);
    if (hasTotp) return codePage(visit, request, reply, found);
    return tools.show(
      reply,
      noFactorPage(settingOf(tools, visit, request, found), `/t/${visit.tenant.slug}/account/security`),
    );
  };

  const page = (path: string, show: Show) =>
    server.get<StepUpRoute>(ROOT + path, (request, reply) =>
      withVisit(tools, request, reply, (visit) => show(visit, request, reply, null)),
    );
  const step = (path: string, again: Show, confirm: (visit: Visit, request: Request) => Promise<string>) =>
    server.post<StepUpRoute>(ROOT + path, (request, reply) =>
      withVisit(tools, request, reply, (visit) => confirmStep(tools, visit, request, reply, again, confirm)),
    );

  page('', firstPage);
  page('/code', codePage);
  page('/passkey', passkeyPage);
  step('/code', codePage, ({ ctx, session }, request) =>
    stepUp.confirmByCode(ctx, session, formField(request, 'code')),
  );
  step('/passkey', passkeyPage, ({ ctx, session }, request) =>
    stepUp.confirmByPasskey(ctx, session, formField(request, 'answer')),
  );
}

async function confirmStep(
  tools: PageTools,
  visit: Visit,
  request: Request,
  reply: FastifyReply,
  again: Show,
  confirm: (visit: Visit, request: Request) => Promise<string>,
): Promise<FastifyReply> {
  const { ctx, tenant, form } = visit;
  try {
    checkForm(ctx.secrets, request, form);
    tools.sessionCookie.write(reply, tenant.tenantId, await confirm(visit, request));
    return reply.redirect(returnTo(tools, tenant, request), 303);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const found = problemOf(error);
    if (found.retryAfterSeconds !== null) reply.header('retry-after', found.retryAfterSeconds);
    return again(visit, request, reply, found);
  }
}

function settingOf(tools: PageTools, { tenant, csrf }: Visit, request: Request, found: Problem | null): FactorSetting {
  const root = `/t/${tenant.slug}/second-factor`;
  const query = `?${new URLSearchParams({ return_to: returnTo(tools, tenant, request) })}`;
  return {
    branded: brandedFor(tenant, tools.setting(request)),
    csrf,
    found,
    root,
    query,
    declinePath: null,
    flowPath: null,
  };
}

function returnTo({ publicUrl }: PageTools, tenant: TenantPage, request: Request): string {
  return returnPath(request.query.return_to, tenant.slug, publicUrl) ?? appsPath(tenant);
}
