/** The pages that ask for a second factor, and those of the gateway's own account, pure; for a session and for flows alike. */
import type { SecondFactors } from '../features/credentials/second-factors.queries.js';
import { hasSecondFactor } from '../features/credentials/second-factors.queries.js';
import type { TotpEnrolment } from '../features/credentials/totp.service.js';
import type { Problem } from './error-pages.js';
import { alertFacts, type Branded, page as pageOf, type StepPage } from './guest-pages.js';
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

/** What the step of a flow shows. */
export interface ShownFactors {
  factors: SecondFactors;
  passkeyOptions: object;
}

export const noFactors: ShownFactors = {
  factors: { passkeys: 0, hasTotp: false, recoveryCodes: 0 },
  passkeyOptions: {},
};

/** The quickest they have; where they have none, which they want to set up. */
export function factorStepPage({ factors, passkeyOptions }: ShownFactors, root: string): StepPage {
  const shared = { root, query: '' };
  if (!hasSecondFactor(factors)) return ['second-factor-set-up', shared];
  if (factors.passkeys > 0)
    return [
      'passkey-use',
      { ...shared, ...factorFacts(factors), options: JSON.stringify(passkeyOptions), otherPath: null },
    ];
  return ['second-factor', { ...shared, ...factorFacts(factors) }];
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

/** One is asked for of somebody who is signed in, and there is none yet. */
export function noFactorPage(setting: FactorSetting, setUpPath: string): Page {
  return page('second-factor-none', setting, { setUpPath });
}

export function newPasskeyInFlowPage(options: object, setting: FactorSetting): Page {
  return page('passkey-new', setting, { options: JSON.stringify(options), backPath: null });
}

export function totpInFlowPage({ sealedSeed, seed, uri }: TotpEnrolment, setting: FactorSetting): Page {
  return page('totp-new', setting, { sealedSeed, seed: inFours(seed), qr: qrCode(uri), backPath: null });
}

export function codesOfFlowPage(codes: readonly string[], setting: FactorSetting): Page {
  return page('recovery-codes', setting, { codes, nextPath: null, donePath: `${setting.root}/done` });
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

/** For people who type it. */
export function inFours(seed: string): string {
  return seed.replace(/.{4}(?=.)/g, '$& ');
}

function factorFacts(factors: SecondFactors | null) {
  const { passkeys = 0, hasTotp = false, recoveryCodes = 0 } = factors ?? {};
  return {
    hasPasskey: passkeys > 0,
    hasTotp,
    hasRecoveryCodes: recoveryCodes > 0,
    hasCode: hasTotp || recoveryCodes > 0,
  };
}

function page(template: PageTemplate, setting: FactorSetting, facts: Record<string, unknown>): Page {
  const { branded, found, csrf, root, query, declinePath, flowPath } = setting;
  const shared = { ...alertFacts(found, branded.language), csrf, root, query, declinePath, flowPath };
  return { ...pageOf(template, branded, { ...shared, ...facts }), status: found?.status ?? 200 };
}
