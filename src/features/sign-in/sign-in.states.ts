/**
 * The steps of a guest who comes back (pure).
 *
 *   address --> prove --> consent (added directly, first time) --> session
 *
 * A further step is a line here, a name in `proving/flow-steps.rules.ts`, and a page in `web/sign-in-flow-pages.ts`.
 */
import { type FlowStep, nextStep, type StepRule } from '../proving/flow-steps.rules.js';
import type { SignInView } from './sign-in-flow.js';

const signInSteps: readonly StepRule<SignInView>[] = [
  { name: 'prove', isDue: ({ isProven }) => !isProven },
  { name: 'consent', isDue: ({ guest }) => guest?.state === 'PENDING_ACCEPTANCE' },
];

/** Null: nothing is left but to open the session. */
export function nextSignInStep(view: SignInView): FlowStep | null {
  return nextStep(signInSteps, view);
}
