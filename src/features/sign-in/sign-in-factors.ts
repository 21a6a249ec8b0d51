/** The second factor as a step of a sign-in: of whoever the proof is of. */
import { refuse } from '../../kernel/errors.js';
import type { SecondFactorGround } from '../credentials/flow-second-factor.service.js';
import { isProven } from '../proving/flow.states.js';
import { nextSignInStep } from './sign-in.states.js';
import { checkSignInOpen, inSignInStep, requireGuest, viewSignIn } from './sign-in-flow.js';

export const signInFactors: SecondFactorGround = {
  async whose(ctx, key) {
    const view = await viewSignIn(ctx, key);
    checkSignInOpen(view);
    const { externalUserId } = requireGuest(view.guest);
    if (nextSignInStep(view) !== 'secondFactor') throw refuse('PROOF_REQUIRED');
    const { tenantId, provenAt } = view.flow;
    return { tenantId, externalUserId, provenAt };
  },
  inStep: (ctx, key, work) =>
    inSignInStep(ctx, key, (step) => {
      checkSignInOpen(step);
      if (!isProven(step.flow, step.now)) throw refuse('PROOF_REQUIRED');
      return work(step);
    }),
};
