/**
 * Which page a link or a flow shows now, pure: the guest's state in, a page out. One dispatcher decides the next step of
 * a flow; steps never route to one another.
 */
import { isProofFresh } from '../features/proving/flow.states.js';
import type { ProvingFlow } from '../features/proving/flows.queries.js';
import { isLocalOffered, type Method } from '../features/proving/methods.rules.js';
import type { Agreement, FlowView, LinkView, Offer, ShownTerms } from '../features/redemption/redemption.service.js';
import { consentVersionOf } from '../features/redemption/redemption.service.js';
import { flowRefusal, nextRedemptionStep, type RedemptionStep } from '../features/redemption/redemption.states.js';
import { termsHtml } from '../features/terms/terms-markdown.rules.js';
import { maskEmailAddress } from '../kernel/email-address.js';
import type { UserErrorCode } from '../kernel/errors.js';
import type { Language } from '../kernel/languages.js';
import { expiryWords, minutesInWords } from '../mail/time-words.js';
import { type Problem, problem, problemOfCode } from './error-pages.js';
import { factorStepPage, noFactors, type ShownFactors } from './factor-step.js';
import { type BrandFacts, brandOf, noBrand, type Page, type PageTemplate, type StepPage } from './page.js';

/** What every page of one request needs besides the guest's state. */
export interface Setting {
  now: Date;
  /** Of the browser; used where no invitation says another. */
  language: Language;
}

export type OpenLink = Extract<LinkView, { offer: Offer }>;

export function linkPage(
  { offer, refusal, isDeclined, isRedeemedHere }: OpenLink,
  token: string,
  csrf: string,
  setting: Setting,
): Page {
  if (isRedeemedHere) return landedPage(offer);
  if (refusal) return problemPage(problemOfCode(refusal), setting, { offer, ...signInOf(offer, refusal) });
  return page('link', offer, {
    ...inviterFacts(offer),
    startPath: `/redeem/${token}`,
    declinePath: `/redeem/${token}/decline`,
    csrf,
    isDeclined,
    app: offer.appName,
    address: maskEmailAddress(offer.email),
    expiry: expiryWords(offer.language, setting.now, offer.expiresAt),
  });
}

/** Where no app leads on by itself. */
function signInOf({ landingUrl, tenantSlug }: Offer, refusal: UserErrorCode): Pick<ProblemFacts, 'continueTo'> {
  return refusal === 'ALREADY_REDEEMED' && landingUrl === null ? { continueTo: `/t/${tenantSlug}/sign-in` } : {};
}

export interface FlowPageFacts {
  /** What went wrong in the step before, shown on the page where it can be mended. */
  found?: Problem | null;
  /** Shown where the consent is asked for. */
  terms?: ShownTerms | null;
  /** Shown where a second factor is asked for. */
  factors?: ShownFactors | null;
  /** To where who declines can ask not to be invited again. */
  unsubscribePath?: string | null;
}

export function flowPage(
  view: FlowView,
  csrf: string,
  setting: Setting,
  { found = null, terms = null, factors = null, unsubscribePath = null }: FlowPageFacts = {},
): Page {
  const { flow, offer } = view;
  if (flow.status === 'REDEEMED') return landedPage(offer);
  if (flow.status === 'DECLINED') {
    const form = isProofFresh(flow, setting.now) ? { action: `/r/${flow.id}/unsubscribe`, csrf } : null;
    return declinedPage(offer, unsubscribePath, form);
  }
  const refusal = flowRefusal(flow, offer, setting.now);
  if (refusal) return problemPage(problemOfCode(refusal), setting, { offer });
  if (!view.isProven && view.methods.length === 0) return problemPage(problem('NO_METHOD'), setting, { offer });
  // A mismatch has a page of its own, with both addresses.
  const alert = found?.code === 'IDENTITY_MISMATCH' && flow.mismatchedEmail ? null : found;
  const shared = {
    flowPath: `/r/${flow.id}`,
    declinePath: `/r/${flow.id}/decline`,
    startPath: null,
    isAddressUnproven: false,
    csrf,
    ...alertFacts(alert, offer.language),
    address: maskEmailAddress(offer.email),
  };
  const [template, facts] = stepPages[nextRedemptionStep(view)](view, { terms, factors });
  return { ...page(template, offer, { ...shared, ...facts }), status: found?.status ?? 200 };
}

/** What a step shows besides the state of the flow; null where another step is due. */
export interface StepFacts {
  terms: ShownTerms | null;
  factors: ShownFactors | null;
}

/** By the name of the step that is due. */
const stepPages: Record<RedemptionStep, (view: FlowView, facts: StepFacts) => StepPage> = {
  prove: ({ flow, methods }) => provePage(flow, methods, `/r/${flow.id}`),
  secondFactor: ({ flow }, { factors }) => factorStepPage(factors ?? noFactors, `/r/${flow.id}/second-factor`),
  consent: ({ offer }, { terms }) => [
    offer.isAutomatic ? 'automatic' : 'consent',
    { ...inviterFacts(offer), email: offer.email, app: offer.appName, ...agreementFacts(offer, terms) },
  ],
};

/** What a flow of any purpose shows to somebody who has still to prove who they are. */
export function provePage(
  flow: Pick<ProvingFlow, 'hasPasscode' | 'mismatchedEmail' | 'unaddressedIdentity'>,
  methods: readonly Method[],
  flowPath: string,
): StepPage {
  const method = currentMethod(flow, methods);
  const signedInAt = methods.find(
    ({ providerId }) => providerId && providerId === flow.unaddressedIdentity?.providerId,
  );
  const others = methods.filter((each) => each !== method && each.kind !== 'LOCAL');
  const hasLocalAccount = isLocalOffered(methods);
  const choice = {
    otherMethods: others.map((each) => methodFacts(each, flowPath)),
    hasLocalAccount,
    hasOtherMethods: others.length > 0 || hasLocalAccount,
  };
  if (method?.kind === 'LOCAL') {
    const hasOtherMethods = others.length > 0;
    return ['password', { ...choice, hasLocalAccount: false, hasOtherMethods, email: null, otherPath: null }];
  }
  if (method?.providerId)
    return ['sign-in', { ...choice, provider: method.displayName, signedInAs: flow.mismatchedEmail }];
  return [flow.hasPasscode ? 'passcode' : 'passcode-send', { ...choice, signedInAt: signedInAt?.displayName ?? null }];
}

/** The first of the tenant's order, unless the guest has chosen by asking for a code. */
function currentMethod(
  { hasPasscode }: Pick<ProvingFlow, 'hasPasscode'>,
  methods: readonly Method[],
): Method | undefined {
  const passcode = methods.find(({ kind }) => kind === 'EMAIL_PASSCODE');
  return (hasPasscode && passcode) || methods[0];
}

/** A form of its own for each, so that choosing is one click. */
function methodFacts({ kind, displayName }: Method, flowPath: string): Record<string, unknown> {
  const isPasscode = kind === 'EMAIL_PASSCODE';
  return {
    action: `${flowPath}/${isPasscode ? 'passcode/send' : 'sign-in'}`,
    provider: isPasscode ? null : displayName,
  };
}

/** What is agreed to with one click. */
export function agreementFacts(agreement: Agreement, terms: ShownTerms | null): Record<string, unknown> {
  return {
    consentVersion: consentVersionOf(agreement),
    termsOfUseUrl: agreement.termsOfUseUrl,
    terms: terms && { language: terms.language, html: termsHtml(terms.markdown) },
  };
}

/** To another origin: chosen by a click or by the refresh, never by a redirect of the POST. */
export interface Leaving {
  url: string;
  name: string;
  reason: 'app' | 'provider';
  /** Where a guest who wants another way finds it; absent: there is none. */
  backTo?: string;
}

export function leavingPage(brand: Branded, { url, name, reason, backTo }: Leaving): Page {
  return page('leaving', brand, { refreshTo: url, name, toApp: reason === 'app', backTo: backTo ?? null });
}

function landedPage(offer: Offer): Page {
  return page('landed', offer, {
    app: offer.appName,
    landingUrl: offer.landingUrl,
    appsPath: `/t/${offer.tenantSlug}/apps`,
  });
}

/** @param unsubscribeForm for who proved the address just now, and need not do it again. */
export function declinedPage(
  offer: Offer,
  unsubscribePath: string | null,
  unsubscribeForm: { action: string; csrf: string } | null = null,
): Page {
  return page('declined', offer, { isFinal: offer.declineProven, unsubscribePath, unsubscribeForm });
}

export interface ProblemFacts {
  offer?: Offer;
  /** Whose page it is where no invitation says so. */
  branded?: Branded;
  /** Where to go on, when there is somewhere. */
  continueTo?: string;
}

export function problemPage(
  found: Problem,
  setting: Setting,
  { offer, branded = offer, continueTo }: ProblemFacts = {},
): Page {
  const language = branded?.language ?? setting.language;
  const redeemed = found.code === 'ALREADY_REDEEMED';
  const facts = {
    ...alertFacts(found, language),
    continueTo: continueTo ?? null,
    landingUrl: redeemed ? (offer?.landingUrl ?? null) : null,
    app: offer?.appName ?? null,
  };
  const brand = branded ? brandOf(branded) : noBrand;
  return { template: 'problem', status: found.status, language, brand, facts };
}

export const flowOver = problem('FLOW_OVER');

export function alertFacts(found: Problem | null, language: Language): Record<string, unknown> {
  const seconds = found?.retryAfterSeconds ?? null;
  return {
    problem: found && {
      code: found.code,
      title: `web.problem.${found.code}.title`,
      text: `web.problem.${found.code}.text`,
    },
    retryAfter: seconds === null ? null : minutesInWords(language, Math.ceil(seconds / 60)),
  };
}

function inviterFacts({ inviterName, message }: Offer): Record<string, unknown> {
  const text = message?.trim();
  return { inviter: inviterName, messageLines: text ? text.split(/\r\n|[\n\r\u2028\u2029]/) : [] };
}

/** Whose page it is, and for whom. */
export type Branded = BrandFacts & { language: Language };

export function page(template: PageTemplate, branded: Branded, facts: Record<string, unknown>): Page {
  return { template, status: 200, language: branded.language, brand: brandOf(branded), facts };
}
