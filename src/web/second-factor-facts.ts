/** The pages that ask for a second factor, and those of the gateway's own account, pure; for a session and for flows alike. */
import type { SecondFactors } from '../features/credentials/second-factors.queries.js';
import type { TotpEnrolment } from '../features/credentials/totp.service.js';
import type { Problem } from './error-pages.js';
import { factorFacts } from './factor-step.js';
import { alertFacts, type Branded, page as pageOf } from './guest-pages.js';
import type { Page, PageTemplate } from './page.js';
import { qrCode } from './qr-code.js';

export interface FactorSetting {
  branded: Branded;
  csrf: string;
  /** What went wrong in the step before. */
  found: Problem | null;
  /** Path under which the forms of this step are. */
  root: string;
  /** That goes with each of them. */
  query: string;
  declinePath: string | null;
  /** Of the flow; null: it is a session. */
  flowPath: string | null;
}

/** @param factors null: it is to sign in with, and says nothing of what they have. */
export function usePasskeyPage(options: object, factors: SecondFactors | null, setting: FactorSetting): Page {
  const otherPath = factors === null ? setting.flowPath : null;
  return page('passkey-use', setting, { ...factorFacts(factors), options: JSON.stringify(options), otherPath });
}

export function useCodePage(factors: SecondFactors, setting: FactorSetting): Page {
  return page('second-factor', setting, factorFacts(factors));
}

export function setUpPage(setting: FactorSetting): Page {
  return page('second-factor-set-up', setting, {});
}

export function newPasskeyFactorPage(options: object, setting: FactorSetting): Page {
  return page('passkey-new', setting, {
    options: JSON.stringify(options),
    backPath: null,
    otherPath: choicePath(setting),
  });
}

export function totpFactorPage({ sealedSeed, seed, uri }: TotpEnrolment, setting: FactorSetting): Page {
  const facts = { sealedSeed, seed: inFours(seed), qr: qrCode(uri), backPath: null, otherPath: choicePath(setting) };
  return page('totp-new', setting, facts);
}

/** Shown once. On they go by a link, or by a form where going on is a step. */
export function codesPage(
  codes: readonly string[],
  setting: FactorSetting,
  on: { nextPath: string | null; donePath: string | null },
): Page {
  return page('recovery-codes', setting, { codes, ...on });
}

/** @param email for password managers; null: it is not shown yet. */
export function passwordPage(email: string | null, setting: FactorSetting): Page {
  const { flowPath: otherPath } = setting;
  return page('password', setting, {
    email,
    otherPath,
    otherMethods: [],
    hasOtherMethods: false,
    hasLocalAccount: false,
  });
}

/** Where the kinds to set up are offered. */
function choicePath({ flowPath, root, query }: FactorSetting): string {
  return flowPath ?? `${root}${query}`;
}

/** For people who type it. */
export function inFours(seed: string): string {
  return seed.replace(/.{4}(?=.)/g, '$& ');
}

function page(template: PageTemplate, setting: FactorSetting, facts: Record<string, unknown>): Page {
  const { branded, found, csrf, root, query, declinePath, flowPath } = setting;
  const shared = { ...alertFacts(found, branded.language), csrf, root, query, declinePath, flowPath };
  return { ...pageOf(template, branded, { ...shared, ...facts }), status: found?.status ?? 200 };
}
