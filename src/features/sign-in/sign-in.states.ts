/**
 * The steps of a guest who comes back (pure).
 *
 *   address --> prove --> second factor (if due) --> consent (not accepted yet) --> session
 *                                               '--> terms (published since they were last agreed to) --'
 *
 * A further step is a name and a line here, a page in `web/tenant-pages.ts`, and its POST in `web/sign-in-flow-pages.ts`.
 */
import { isSecondFactorDue } from '../credentials/second-factor.rules.js';
import { nextStep, type StepRule } from '../proving/flow-steps.rules.js';
import type { SignInView } from './sign-in-flow.js';

export type SignInStepName = 'prove' | 'secondFactor' | 'consent' | 'terms';

const signInSteps: readonly StepRule<SignInStepName, SignInView>[] = [
  { name: 'prove', isDue: ({ isProven }) => !isProven },
  { name: 'secondFactor', isDue: ({ flow, guest }) => guest !== null && isSecondFactorDue(flow, guest) },
  { name: 'consent', isDue: ({ guest }) => guest?.state === 'PENDING_ACCEPTANCE' },
  { name: 'terms', isDue: ({ terms }) => terms !== null },
];

/** Null: nothing is left but to open the session. */
export function nextSignInStep(view: SignInView): SignInStepName | null {
  return nextStep(signInSteps, view);
}

/** One click agrees to all that is asked. */
export function isAgreement(step: SignInStepName | null): boolean {
  return step === 'consent' || step === 'terms';
}
