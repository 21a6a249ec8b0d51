/**
 * Invitations that are accepted without their link: the tenant and the guest's organisation have agreed so, and the guest
 * signed in at the tenant or at an app. All else holds as for who came by the link (`accept.ts`).
 */
import type { Tx } from '../../database/transaction.js';
import type { RequestContext } from '../../request/request-context.js';
import type { ProvingFlow } from '../proving/flows.queries.js';
import { openMethods } from '../proving/methods.queries.js';
import { checkAcceptable, writeAcceptances } from './accept.js';
import { loadOffer } from './redemption.queries.js';
import { checkFlowOpen, type Step } from './steps.js';

export interface ProvenAtSignIn {
  ctx: RequestContext;
  tx: Tx;
  now: Date;
  flow: ProvingFlow;
}

/**
 * The caller has locked the invitation before it wrote anything, and asked for what has to be agreed to.
 * @throws UserError as `RedemptionService.accept`.
 */
export async function acceptAtSignIn({ flow: proven, ...ground }: ProvenAtSignIn, invitationId: string): Promise<void> {
  const offer = await loadOffer(ground.tx.db, invitationId);
  const { tenantId, emailKey, linkVersion } = offer;
  const flow = { ...proven, invitationId, linkVersion };
  const step: Step = { ...ground, flow, offer, emailKey, guesses: { countedFor: emailKey, window: 0 } };
  checkFlowOpen(step);
  const methods = (await openMethods(ground.tx.db, tenantId, [emailKey]))(emailKey);
  const acceptance = { step, methods, passcodeId: null };
  checkAcceptable(acceptance);
  await writeAcceptances([acceptance]);
}
