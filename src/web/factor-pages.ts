/**
 * Parts of a flow of any purpose: proving by the gateway's own account (password, passkey), and the second factor, shown or
 * set up. What comes after each is the flow's business.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { NewCodes } from '../features/credentials/account-security.service.js';
import { hasSecondFactor } from '../features/credentials/second-factors.queries.js';
import { checkLocalOffered } from '../features/proving/methods.rules.js';
import type { Problem } from './error-pages.js';
import { type FlowKind, type FlowRequest, type FlowRoute, showPart, stepPart } from './flow-kind.js';
import { formField } from './form-guard.js';
import type { PageTools } from './page-tools.js';
import {
  codesPage,
  type FactorSetting,
  newPasskeyFactorPage,
  passwordPage,
  setUpPage,
  totpFactorPage,
  useCodePage,
  usePasskeyPage,
} from './second-factor-facts.js';

type Show = (at: FlowRequest, found: Problem | null) => Promise<FastifyReply>;

export function registerFactorPages(server: FastifyInstance, tools: PageTools, kind: FlowKind): void {
  registerAccountPages(server, tools, kind);
  registerSecondFactorPages(server, tools, kind);
}

/** By the gateway's own account. */
function registerAccountPages(server: FastifyInstance, tools: PageTools, kind: FlowKind): void {
  const { localProof } = tools;
  const { purpose } = kind;
  const { page, step } = partsOf(server, tools, kind);

  const password: Show = async (at, found) => {
    checkLocalOffered(at.look.methods);
    return tools.show(at.reply, passwordPage(at.look.email, settingOf(at, found)));
  };
  const passkey: Show = async (at, found) => {
    checkLocalOffered(at.look.methods);
    const options = await localProof.passkeyOptions(at.ctx, at.look.tenantId, at.key);
    return tools.show(at.reply, usePasskeyPage(options, null, settingOf(at, found)));
  };

  page('/password', password);
  step('/password', password, async ({ ctx, key, request, reply }) => {
    await localProof.provePassword(ctx, purpose, key, formField(request, 'password'));
    return kind.goOn(ctx, key, request, reply);
  });
  page('/passkey', passkey);
  step('/passkey', passkey, async ({ ctx, key, request, reply }) => {
    await localProof.provePasskey(ctx, purpose, key, formField(request, 'answer'));
    return kind.goOn(ctx, key, request, reply);
  });
}

function registerSecondFactorPages(server: FastifyInstance, tools: PageTools, kind: FlowKind): void {
  const { flowFactors } = tools;
  const { purpose } = kind;
  const { page, step } = partsOf(server, tools, kind);

  const passkey: Show = async (at, found) => {
    const { factors, passkeyOptions } = await flowFactors.look(at.ctx, purpose, at.key);
    const setting = factorSettingOf(at, found);
    if (hasSecondFactor(factors)) return tools.show(at.reply, usePasskeyPage(passkeyOptions, factors, setting));
    return tools.show(at.reply, newPasskeyFactorPage(passkeyOptions, setting));
  };
  const code: Show = async (at, found) => {
    const { factors } = await flowFactors.look(at.ctx, purpose, at.key);
    const setting = factorSettingOf(at, found);
    return tools.show(at.reply, hasSecondFactor(factors) ? useCodePage(factors, setting) : setUpPage(setting));
  };
  const totp: Show = async (at, found) => {
    const sealedSeed = formField(at.request, 'seed') || null;
    const enrolment = await flowFactors.totpEnrolment(at.ctx, purpose, at.key, sealedSeed);
    return tools.show(at.reply, totpFactorPage(enrolment, factorSettingOf(at, found)));
  };
  const enrolled = ({ ctx, key, request, reply, ...at }: FlowRequest, codes: NewCodes) =>
    codes === null
      ? kind.goOn(ctx, key, request, reply)
      : tools.show(
          reply,
          codesPage(codes, factorSettingOf(at, null), { nextPath: null, donePath: `${at.path}/second-factor/done` }),
        );

  page('/second-factor/passkey', passkey);
  step('/second-factor/passkey', passkey, async (at) => {
    const { ctx, key, request, reply } = at;
    const [answer, label] = [formField(request, 'answer'), formField(request, 'label')];
    const { factors } = await flowFactors.look(ctx, purpose, key);
    if (!hasSecondFactor(factors))
      return enrolled(at, await flowFactors.enrolPasskey(ctx, purpose, key, { answer, label }));
    await flowFactors.confirmByPasskey(ctx, purpose, key, answer);
    return kind.goOn(ctx, key, request, reply);
  });
  page('/second-factor/code', code);
  step('/second-factor/code', code, async ({ ctx, key, request, reply }) => {
    await flowFactors.confirmByCode(ctx, purpose, key, formField(request, 'code'));
    return kind.goOn(ctx, key, request, reply);
  });
  page('/second-factor/totp', totp);
  step('/second-factor/totp', totp, async (at) => {
    const form = { sealedSeed: formField(at.request, 'seed'), code: formField(at.request, 'code') };
    return enrolled(at, await flowFactors.enrolTotp(at.ctx, purpose, at.key, form));
  });
  // From the page of the recovery codes: it cannot be shown again, so going on is a click of its own.
  step('/second-factor/done', code, ({ ctx, key, request, reply }) => kind.goOn(ctx, key, request, reply));
}

function partsOf(server: FastifyInstance, tools: PageTools, kind: FlowKind) {
  const at = `${kind.root}/:flowId`;
  return {
    page: (path: string, show: Show) =>
      server.get<FlowRoute>(at + path, (request, reply) => showPart(tools, kind, request, reply, show)),
    step: (path: string, again: Show, work: (at: FlowRequest) => ReturnType<Show>) =>
      server.post<FlowRoute>(at + path, (request, reply) => stepPart(tools, kind, request, reply, again, work)),
  };
}

function settingOf(
  { look, path, csrf }: Pick<FlowRequest, 'look' | 'path' | 'csrf'>,
  found: Problem | null,
): FactorSetting {
  const { branded, declinePath } = look;
  return { branded, csrf, found, root: path, query: '', declinePath, flowPath: path };
}

function factorSettingOf(at: Pick<FlowRequest, 'look' | 'path' | 'csrf'>, found: Problem | null): FactorSetting {
  return { ...settingOf(at, found), root: `${at.path}/second-factor` };
}
