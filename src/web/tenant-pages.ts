/** The pages of a tenant for guests who come back, pure: signing in step by step, the apps, signed out. */
import type { Account } from '../features/sign-in/account.service.js';
import type { GuestApp, SignedInGuest } from '../features/sign-in/apps-page.queries.js';
import type { LiveSession } from '../features/sign-in/sessions.service.js';
import type { SignInView } from '../features/sign-in/sign-in.service.js';
import { nextSignInStep, type SignInStepName } from '../features/sign-in/sign-in.states.js';
import type { TenantPage } from '../features/sign-in/tenant-page.queries.js';

import type { Language } from '../kernel/languages.js';
import { dateInWords, momentInWords } from '../mail/time-words.js';

import { type Problem, problem } from './error-pages.js';
import { factorStepPage, noFactors } from './factor-step.js';
import {
  agreementFacts,
  alertFacts,
  type Branded,
  page,
  problemPage,
  provePage,
  type Setting,
  type StepFacts,
} from './guest-pages.js';
import type { Page, StepPage } from './page.js';

export const signInPath = ({ slug }: Pick<TenantPage, 'slug'>): string => `/t/${slug}/sign-in`;
export const accountPath = ({ slug }: Pick<TenantPage, 'slug'>): string => `/t/${slug}/account`;
export const appsPath = ({ slug }: Pick<TenantPage, 'slug'>): string => `/t/${slug}/apps`;

export const brandedFor = (tenant: TenantPage, { language }: Pick<Setting, 'language'>): Branded => ({
  ...tenant,
  language,
});

/** What was typed, when it is shown again because of a problem. */
export interface SignInStart {
  csrf: string;
  returnTo: string | null;
  email: string;
  /** They want to sign in by password or passkey. */
  withAccount: boolean;
}

export function signInStartPage(tenant: TenantPage, start: SignInStart, setting: Setting, found: Problem | null): Page {
  const query = new URLSearchParams({ with: 'account', ...(start.returnTo && { return_to: start.returnTo }) });
  const accountPath = start.withAccount ? null : `${signInPath(tenant)}?prompt=login&${query}`;
  const facts = { ...start, ...alertFacts(found, setting.language), signInPath: signInPath(tenant), accountPath };
  return { ...page('sign-in-start', brandedFor(tenant, setting), facts), status: found?.status ?? 200 };
}

const flowPath = ({ id }: { id: string }): string => `/s/${id}`;

/** By the name of the step that is due. */
const stepPages: Record<SignInStepName, (view: SignInView, facts: StepFacts) => StepPage> = {
  prove: ({ flow, methods }) => {
    const [template, facts] = provePage(flow, methods, flowPath(flow));
    // Which account it was is said in the alert; there is no invited one to compare it with.
    return [template, { ...facts, signedInAs: null }];
  },
  secondFactor: ({ flow }, { factors }) => factorStepPage(factors ?? noFactors, `${flowPath(flow)}/second-factor`),
  consent: ({ flow, tenant, guest, terms: asked }, { terms }) => [
    // An open invitation counts here only where it is redeemed automatically: there is nothing to be asked but terms.
    guest?.invitationId && !asked ? 'automatic' : 'consent',
    { ...agreementFacts({ ...tenant, terms: asked }, terms), email: flow.email, app: null, inviter: null },
  ],
  terms: ({ tenant, terms: asked }, { terms }) => ['terms', agreementFacts({ ...tenant, terms: asked }, terms)],
};

/** Everything is shown and agreed to; the session is opened by a click. */
const donePage: StepPage = ['second-factor-done', {}];

/** Why a proof leads to nothing; null: it does not. */
function whyNot({ flow, guest }: SignInView): Problem | null {
  if (flow.purpose !== 'SIGN_IN') return problem('PROOF_REQUIRED');
  if (!guest) return problem('NOT_A_GUEST');
  return guest.accountEnabled ? null : problem('ACCOUNT_DISABLED');
}

/** @param found what went wrong in the step before, shown on the page where it can be mended. */
export function signInPage(
  view: SignInView,
  csrf: string,
  setting: Setting,
  { found = null, terms = null, factors = null }: Partial<StepFacts> & { found?: Problem | null } = {},
): Page {
  const { flow, tenant } = view;
  const branded = brandedFor(tenant, flow);
  if (!view.isProven && view.methods.length === 0) return problemPage(problem('NO_METHOD'), setting, { branded });
  const step = nextSignInStep(view);
  const startPath = flow.purpose === 'SIGN_IN' ? signInPath(tenant) : accountPath(tenant);
  const refusal = step === null ? (found ?? whyNot(view)) : null;
  if (refusal) return problemPage(refusal, setting, { branded, continueTo: startPath });
  const [template, facts] = step ? stepPages[step](view, { terms, factors }) : donePage;
  const shared = {
    flowPath: flowPath(flow),
    declinePath: null,
    startPath,
    isAddressUnproven: flow.purpose === 'SIGN_IN',
    csrf,
    address: flow.email,
    ...alertFacts(found, flow.language),
  };
  return { ...page(template, branded, { ...shared, ...facts }), status: found?.status ?? 200 };
}

export interface SignedIn {
  guest: SignedInGuest;
  /** Of forms of this session. */
  csrf: string;
}

export function signedInPage(tenant: TenantPage, signedIn: SignedIn, setting: Setting, continueTo: string): Page {
  return page('signed-in', brandedFor(tenant, settingOf(signedIn.guest, setting)), {
    ...sessionFacts(tenant, signedIn),
    continueTo,
  });
}

/** More than fit on a screen are searched. */
const MANY_APPS = 8;

export interface GuestApps {
  /** '': all of them. */
  search: string;
  found: readonly GuestApp[];
}

export function appsPage(tenant: TenantPage, signedIn: SignedIn, setting: Setting, { search, found }: GuestApps): Page {
  const inTheirs = settingOf(signedIn.guest, setting);
  const apps = found.map(({ displayName, openPath, logoPath, lastUsedAt }) => ({
    displayName,
    openPath,
    logoPath,
    lastUsed: lastUsedAt && dateInWords(inTheirs.language, lastUsedAt),
  }));
  const isSearched = search !== '' || apps.length > MANY_APPS;
  const facts = { apps, search, isSearched, appsPath: appsPath(tenant) };
  return page('apps', brandedFor(tenant, inTheirs), { ...sessionFacts(tenant, signedIn), ...facts });
}

export interface AccountFacts {
  account: Account;
  session: LiveSession;
  csrf: string;
}

/** @param found what went wrong in the step before. */
export function accountPage(
  tenant: TenantPage,
  { account, session, csrf }: AccountFacts,
  setting: Setting,
  found: Problem | null,
): Page {
  const { guest, identities, sessions, due } = account;
  const inTheirs = settingOf(guest, setting);
  const { language } = inTheirs;
  const root = accountPath(tenant);
  const facts = {
    ...sessionFacts(tenant, { guest, csrf }),
    ...alertFacts(found, language),
    root,
    appsPath: appsPath(tenant),
    email: guest.email,
    displayName: guest.displayName,
    languages: languageChoices(guest.preferredLanguage),
    provePath: due && provePath(tenant, due, root),
    proveBySecondFactor: due === 'SECOND_FACTOR',
    identities: identities.map(({ id, kind, providerName, address, linkedAt }) => ({
      id,
      address,
      isLocal: kind === 'LOCAL',
      provider: providerName,
      since: dateInWords(language, linkedAt),
      mayUnlink: due === null && identities.length > 1 && kind !== 'LOCAL' && id !== session.identityId,
    })),
    sessions: sessions.map(({ id, device, lastSeenAt }) => ({
      id,
      device,
      isThis: id === session.id,
      lastSeen: momentInWords(language, lastSeenAt),
    })),
  };
  return { ...page('account', brandedFor(tenant, inTheirs), facts), status: found?.status ?? 200 };
}

/** Each in its own words. */
const languageNames: Record<Language, string> = { en: 'English', ko: '한국어' };

function languageChoices(preferred: Language | null) {
  const choices = Object.entries(languageNames).map(([value, name]) => ({ value, name, chosen: value === preferred }));
  return [{ value: '', name: null, chosen: preferred === null }, ...choices];
}

function provePath(tenant: TenantPage, due: 'SIGN_IN' | 'SECOND_FACTOR', returnTo: string): string {
  const query = new URLSearchParams({ return_to: returnTo });
  if (due === 'SECOND_FACTOR') return `/t/${tenant.slug}/second-factor?${query}`;
  return `${signInPath(tenant)}?prompt=login&${query}`;
}

export function leftPage(tenant: TenantPage, setting: Setting): Page {
  return page('left', brandedFor(tenant, setting), {});
}

/** @param provider where the person may still be signed in; null: nowhere we know. */
export function signedOutPage(
  tenant: TenantPage,
  setting: Setting,
  provider: { name: string; path: string } | null,
): Page {
  return page('signed-out', brandedFor(tenant, setting), { signInPath: signInPath(tenant), provider });
}

/** In the language the guest has chosen, else in the browser's. */
function settingOf({ preferredLanguage }: SignedInGuest, setting: Setting): Setting {
  return { ...setting, language: preferredLanguage ?? setting.language };
}

function sessionFacts(tenant: TenantPage, { guest, csrf }: SignedIn): Record<string, unknown> {
  return {
    account: guest.displayName ? `${guest.displayName} (${guest.email})` : guest.email,
    csrf,
    accountPath: accountPath(tenant),
    signOutPath: `/t/${tenant.slug}/sign-out`,
    switchPath: `${signInPath(tenant)}?prompt=login`,
  };
}
