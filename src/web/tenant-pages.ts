/** The pages of a tenant for guests who come back, pure: signing in step by step, the apps, signed out. */
import type { FlowStep } from '../features/proving/flow-steps.rules.js';
import type { GuestApp, SignedInGuest } from '../features/sign-in/apps-page.queries.js';
import type { SignInView } from '../features/sign-in/sign-in.service.js';
import { nextSignInStep } from '../features/sign-in/sign-in.states.js';
import type { TenantPage } from '../features/sign-in/tenant-page.queries.js';
import { type Problem, problem } from './error-pages.js';
import {
  alertFacts,
  type Branded,
  consentFacts,
  page,
  problemPage,
  provePage,
  type Setting,
  type StepPage,
} from './guest-pages.js';
import type { Page } from './page.js';

export const signInPath = ({ slug }: Pick<TenantPage, 'slug'>): string => `/t/${slug}/sign-in`;
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
}

export function signInStartPage(tenant: TenantPage, start: SignInStart, setting: Setting, found: Problem | null): Page {
  const facts = { ...start, ...alertFacts(found, setting.language), signInPath: signInPath(tenant) };
  return { ...page('sign-in-start', brandedFor(tenant, setting), facts), status: found?.status ?? 200 };
}

/** By the name of the step that is due. */
const stepPages: Record<FlowStep, (view: SignInView) => StepPage> = {
  prove: ({ flow, methods }) => {
    const [template, facts] = provePage(flow, methods, `/s/${flow.id}`);
    // Which account it was is said in the alert; there is no invited one to compare it with.
    return [template, { ...facts, signedInAs: null }];
  },
  consent: ({ flow, tenant }) => [
    'consent',
    { ...consentFacts({ ...tenant, terms: null, email: flow.email, appName: null }, null), inviter: null },
  ],
};

/** @param found what went wrong in the step before, shown on the page where it can be mended. */
export function signInPage(view: SignInView, csrf: string, found: Problem | null): Page {
  const { flow, tenant } = view;
  if (!view.isProven && view.methods.length === 0)
    return problemPage(problem('NO_METHOD'), flow, { branded: brandedFor(tenant, flow) });
  const [template, facts] = stepPages[nextSignInStep(view) ?? 'prove'](view);
  const shared = {
    flowPath: `/s/${flow.id}`,
    declinePath: null,
    startPath: signInPath(tenant),
    csrf,
    address: flow.email,
    ...alertFacts(found, flow.language),
  };
  return { ...page(template, brandedFor(tenant, flow), { ...shared, ...facts }), status: found?.status ?? 200 };
}

export interface SignedIn {
  guest: SignedInGuest;
  /** Of forms of this session. */
  csrf: string;
}

export function signedInPage(tenant: TenantPage, signedIn: SignedIn, setting: Setting, continueTo: string): Page {
  return page('signed-in', brandedFor(tenant, setting), { ...sessionFacts(tenant, signedIn), continueTo });
}

export function appsPage(tenant: TenantPage, signedIn: SignedIn, setting: Setting, apps: readonly GuestApp[]): Page {
  return page('apps', brandedFor(tenant, setting), { ...sessionFacts(tenant, signedIn), apps });
}

export function signedOutPage(tenant: TenantPage, setting: Setting): Page {
  return page('signed-out', brandedFor(tenant, setting), { signInPath: signInPath(tenant) });
}

function sessionFacts(tenant: TenantPage, { guest, csrf }: SignedIn): Record<string, unknown> {
  return {
    account: guest.displayName ? `${guest.displayName} (${guest.email})` : guest.email,
    csrf,
    signOutPath: `/t/${tenant.slug}/sign-out`,
    switchPath: `${signInPath(tenant)}?prompt=login`,
  };
}
