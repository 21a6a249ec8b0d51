/** The pages that ask for a second factor, pure; for a session and for a flow alike. */
import type { SecondFactors } from '../features/credentials/second-factors.queries.js';
import type { Problem } from './error-pages.js';
import { alertFacts, type Branded, page as pageOf } from './guest-pages.js';
import type { Page, PageTemplate } from './page.js';

export interface SecondFactorSetting {
  branded: Branded;
  csrf: string;
  /** What went wrong in the step before. */
  found: Problem | null;
  /** Path under which the forms of this step are. */
  root: string;
  /** That goes with each of them. */
  query: string;
}

export function usePasskeyPage(options: object, factors: SecondFactors, setting: SecondFactorSetting): Page {
  return page('passkey-use', setting, { ...factorFacts(factors), options: JSON.stringify(options) });
}

export function useCodePage(factors: SecondFactors, setting: SecondFactorSetting): Page {
  return page('second-factor', setting, factorFacts(factors));
}

/** One is asked for, and there is none yet. */
export function noFactorPage(setting: SecondFactorSetting, setUpPath: string): Page {
  return page('second-factor-none', setting, { setUpPath });
}

function factorFacts({ passkeys, hasTotp, recoveryCodes }: SecondFactors) {
  return {
    hasPasskey: passkeys > 0,
    hasTotp,
    hasRecoveryCodes: recoveryCodes > 0,
    hasCode: hasTotp || recoveryCodes > 0,
  };
}

function page(template: PageTemplate, setting: SecondFactorSetting, facts: Record<string, unknown>): Page {
  const { branded, csrf, found, root, query } = setting;
  const shared = { ...alertFacts(found, branded.language), csrf, root, query };
  return { ...pageOf(template, branded, { ...shared, ...facts }), status: found?.status ?? 200 };
}
