/**
 * The second factor of somebody who is signed in, asked for by an app or before credentials are changed:
 * `/t/<slug>/second-factor?return_to=<path of the tenant's>`. Who has none sets one up here and comes back to what they
 * wanted. In a flow it is a step of the flow (`factor-pages.ts`).
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { NewCodes } from '../features/credentials/account-security.service.js';
import type { ShownFactor } from '../features/credentials/second-factor.rules.js';
import { hasSecondFactor } from '../features/credentials/second-factors.queries.js';
import { returnPath } from '../features/sign-in/return-to.rules.js';
import type { TenantPage } from '../features/sign-in/tenant-page.queries.js';
import { type TenantRoute, type Visit, visitStep, withVisit } from './account-visit.js';
import type { Problem } from './error-pages.js';
import { formField } from './form-guard.js';
import type { PageTools } from './page-tools.js';
import {
  codesPage,
  type FactorSetting,
  newPasskeyFactorPage,
  setUpPage,
  totpFactorPage,
  useCodePage,
  usePasskeyPage,
} from './second-factor-facts.js';
import { appsPath, brandedFor, signInPath } from './tenant-pages.js';

type StepUpRoute = TenantRoute & { Querystring: { return_to?: unknown } };
type Request = FastifyRequest<StepUpRoute>;
type Show = (visit: Visit, request: Request, reply: FastifyReply, found: Problem | null) => Promise<FastifyReply>;
type Step = (visit: Visit, request: Request, reply: FastifyReply) => Promise<FastifyReply>;

const ROOT = '/t/:slug/second-factor';

export function registerStepUpPages(server: FastifyInstance, tools: PageTools): void {
  const { stepUp, accountSecurity } = tools;

  const passkeyPage: Show = async (visit, request, reply, found) => {
    const { ctx, session } = visit;
    const factors = await stepUp.factorsOf(ctx, session);
    const setting = settingOf(tools, visit, request, found);
    if (!hasSecondFactor(factors))
      return tools.show(reply, newPasskeyFactorPage(await accountSecurity.passkeyOptions(ctx, session), setting));
    return tools.show(reply, usePasskeyPage(await stepUp.passkeyOptions(ctx, session), factors, setting));
  };
  const codePage: Show = async (visit, request, reply, found) => {
    const factors = await stepUp.factorsOf(visit.ctx, visit.session);
    return tools.show(reply, useCodePage(factors, settingOf(tools, visit, request, found)));
  };
  const totpPage: Show = async (visit, request, reply, found) => {
    const enrolment = await accountSecurity.totpEnrolment(visit.ctx, visit.session, formField(request, 'seed') || null);
    return tools.show(reply, totpFactorPage(enrolment, settingOf(tools, visit, request, found)));
  };
  /** The quickest they have; setting one up wants a sign-in of this moment. */
  const firstPage: Show = async (visit, request, reply, found) => {
    const { factors, due } = await accountSecurity.view(visit.ctx, visit.session);
    if (factors.passkeys > 0) return passkeyPage(visit, request, reply, found);
    if (factors.hasTotp) return codePage(visit, request, reply, found);
    if (due === 'SIGN_IN') return reply.redirect(signInAgain(visit.tenant, request), 303);
    return tools.show(reply, setUpPage(settingOf(tools, visit, request, found)));
  };
  /** The session's new token, and the recovery codes that are shown only now. */
  const shown = async (visit: Visit, request: Request, reply: FastifyReply, factor: ShownFactor, codes: NewCodes) => {
    const token = await stepUp.shown(visit.ctx, visit.session, factor);
    tools.sessionCookie.write(reply, visit.tenant.tenantId, token);
    const next = returnTo(tools, visit.tenant, request);
    if (codes === null) return reply.redirect(next, 303);
    return tools.show(
      reply,
      codesPage(codes, settingOf(tools, visit, request, null), { nextPath: next, donePath: null }),
    );
  };

  const page = (path: string, show: Show) =>
    server.get<StepUpRoute>(ROOT + path, (request, reply) =>
      withVisit(tools, request, reply, (visit) => show(visit, request, reply, null)),
    );
  const step = (path: string, again: Show, work: Step) =>
    server.post<StepUpRoute>(ROOT + path, (request, reply) =>
      withVisit(tools, request, reply, (visit) => visitStep(visit, request, reply, again, work)),
    );
  const confirm = (visit: Visit, request: Request, reply: FastifyReply, token: string) => {
    tools.sessionCookie.write(reply, visit.tenant.tenantId, token);
    return reply.redirect(returnTo(tools, visit.tenant, request), 303);
  };

  page('', firstPage);
  page('/code', codePage);
  step('/code', codePage, async (visit, request, reply) => {
    const token = await stepUp.confirmByCode(visit.ctx, visit.session, formField(request, 'code'));
    return confirm(visit, request, reply, token);
  });
  page('/passkey', passkeyPage);
  step('/passkey', passkeyPage, async (visit, request, reply) => {
    const { ctx, session } = visit;
    const [answer, label] = [formField(request, 'answer'), formField(request, 'label')];
    if (hasSecondFactor(await stepUp.factorsOf(ctx, session)))
      return confirm(visit, request, reply, await stepUp.confirmByPasskey(ctx, session, answer));
    return shown(visit, request, reply, 'passkey', await accountSecurity.addPasskey(ctx, session, answer, label));
  });
  page('/totp', totpPage);
  step('/totp', totpPage, async (visit, request, reply) => {
    const form = { sealedSeed: formField(request, 'seed'), code: formField(request, 'code') };
    return shown(visit, request, reply, 'otp', await accountSecurity.addTotp(visit.ctx, visit.session, form));
  });
}

function settingOf(tools: PageTools, { tenant, csrf }: Visit, request: Request, found: Problem | null): FactorSetting {
  const root = `/t/${tenant.slug}/second-factor`;
  const query = `?${new URLSearchParams({ return_to: returnTo(tools, tenant, request) })}`;
  const branded = brandedFor(tenant, tools.setting(request));
  return { branded, csrf, found, root, query, declinePath: null, flowPath: null };
}

function returnTo({ publicUrl }: PageTools, tenant: TenantPage, request: Request): string {
  return returnPath(request.query.return_to, tenant.slug, publicUrl) ?? appsPath(tenant);
}

function signInAgain(tenant: TenantPage, { url }: Request): string {
  return `${signInPath(tenant)}?${new URLSearchParams({ prompt: 'login', return_to: url })}`;
}
