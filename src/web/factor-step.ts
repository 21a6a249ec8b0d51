/** The second factor as a step of a flow: which page it shows, pure. */
import { hasSecondFactor, type SecondFactors } from '../features/credentials/second-factors.queries.js';
import type { StepPage } from './page.js';

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

export function factorFacts(factors: SecondFactors | null) {
  const { passkeys = 0, hasTotp = false, recoveryCodes = 0 } = factors ?? {};
  return {
    hasPasskey: passkeys > 0,
    hasTotp,
    hasRecoveryCodes: recoveryCodes > 0,
    hasCode: hasTotp || recoveryCodes > 0,
  };
}
