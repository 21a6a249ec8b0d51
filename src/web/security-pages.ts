/**
 * A guest's own credentials, signed in: `/t/<slug>/account/security`. What may be changed is decided by
 * `features/credentials`; here are the forms. Whoever sets up a factor has shown it, so that their session says so.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { NewCodes } from '../features/credentials/account-security.service.js';
import type { ShownFactor } from '../features/credentials/second-factor.rules.js';
import { type TenantRoute, type Visit, visitStep, withVisit } from './account-visit.js';
import type { Problem } from './error-pages.js';
import { formField } from './form-guard.js';
import type { PageTools } from './page-tools.js';
import {
  newPasskeyPage,
  recoveryCodesPage,
  type SecuritySetting,
  securityPage,
  totpPage,
} from './security-page-facts.js';

type Request = FastifyRequest<TenantRoute>;
/** How a page is shown, with what went wrong in the step before. */
type Show = (visit: Visit, request: Request, reply: FastifyReply, found: Problem | null) => Promise<FastifyReply>;
type Step = (visit: Visit, request: Request, reply: FastifyReply) => Promise<FastifyReply>;

const ROOT = '/t/:slug/account/security';

export function registerSecurityPages(server: FastifyInstance, tools: PageTools): void {
  const { accountSecurity } = tools;
  const page = (path: string, show: Show) =>
    server.get<TenantRoute>(ROOT + path, (request, reply) =>
      withVisit(tools, request, reply, (visit) => show(visit, request, reply, null)),
    );
  const step = (path: string, again: Show, work: Step) =>
    server.post<TenantRoute>(ROOT + path, (request, reply) =>
      withVisit(tools, request, reply, (visit) => visitStep(visit, request, reply, again, work)),
    );

  const overview: Show = async (visit, request, reply, found) =>
    tools.show(
      reply,
      securityPage(await accountSecurity.view(visit.ctx, visit.session), settingOf(tools, visit, request, found)),
    );
  const newPasskey: Show = async (visit, request, reply, found) =>
    tools.show(
      reply,
      newPasskeyPage(
        await accountSecurity.passkeyOptions(visit.ctx, visit.session),
        settingOf(tools, visit, request, found),
      ),
    );
  const newTotp: Show = async (visit, request, reply, found) => {
    const sealedSeed = formField(request, 'seed') || null;
    const enrolment = await accountSecurity.totpEnrolment(visit.ctx, visit.session, sealedSeed);
    return tools.show(reply, totpPage(enrolment, settingOf(tools, visit, request, found)));
  };

  page('', overview);
  step('/password', overview, async ({ ctx, session, tenant }, request, reply) => {
    await accountSecurity.setPassword(ctx, session, formField(request, 'password'));
    return backToSecurity(reply, tenant.slug);
  });
  step('/password/remove', overview, async ({ ctx, session, tenant }, _request, reply) => {
    await accountSecurity.removePassword(ctx, session);
    return backToSecurity(reply, tenant.slug);
  });

  page('/passkey', newPasskey);
  step('/passkey', newPasskey, async (visit, request, reply) => {
    const [answer, label] = [formField(request, 'answer'), formField(request, 'label')];
    const codes = await accountSecurity.addPasskey(visit.ctx, visit.session, answer, label);
    return factorAdded(tools, visit, request, reply, 'passkey', codes);
  });
  step('/passkey/remove', overview, async ({ ctx, session, tenant }, request, reply) => {
    await accountSecurity.removePasskey(ctx, session, formField(request, 'passkeyId'));
    return backToSecurity(reply, tenant.slug);
  });

  page('/totp', newTotp);
  step('/totp', newTotp, async (visit, request, reply) => {
    const form = { sealedSeed: formField(request, 'seed'), code: formField(request, 'code') };
    const codes = await accountSecurity.addTotp(visit.ctx, visit.session, form);
    return factorAdded(tools, visit, request, reply, 'otp', codes);
  });
  step('/totp/remove', overview, async ({ ctx, session, tenant }, _request, reply) => {
    await accountSecurity.removeTotp(ctx, session);
    return backToSecurity(reply, tenant.slug);
  });

  step('/recovery-codes', overview, async (visit, request, reply) => {
    const codes = await accountSecurity.newRecoveryCodes(visit.ctx, visit.session);
    return tools.show(reply, recoveryCodesPage(codes, settingOf(tools, visit, request, null)));
  });

  // Reached by reloading an answer to a form from the address bar.
  server.get<TenantRoute>(`${ROOT}/*`, (request, reply) => backToSecurity(reply, request.params.slug));
}

/** The codes are shown by the answer itself: no other page could show them again. */
async function factorAdded(
  tools: PageTools,
  visit: Visit,
  request: Request,
  reply: FastifyReply,
  factor: ShownFactor,
  codes: NewCodes,
): Promise<FastifyReply> {
  const token = await tools.stepUp.shown(visit.ctx, visit.session, factor);
  tools.sessionCookie.write(reply, visit.tenant.tenantId, token);
  if (codes === null) return backToSecurity(reply, visit.tenant.slug);
  return tools.show(reply, recoveryCodesPage(codes, settingOf(tools, visit, request, null)));
}

function settingOf(
  tools: PageTools,
  { tenant, csrf }: Visit,
  request: Request,
  found: Problem | null,
): SecuritySetting {
  return { tenant, csrf, found, ...tools.setting(request) };
}

function backToSecurity(reply: FastifyReply, slug: string): FastifyReply {
  return reply.redirect(`/t/${encodeURIComponent(slug)}/account/security`, 303);
}
