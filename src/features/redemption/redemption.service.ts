/**
 * The guest's way from the opened link to ACCEPTED, for pages and GraphQL alike: view, start, prove (by `proving`), accept
 * or decline. Each use case is a list of steps; the rules are in the files beside this one.
 * It owns the flow; the invitation's other changes are `invitations`, signing in afterwards is `sign-in`.
 */
import { refuse, type UserErrorCode } from '../../kernel/errors.js';
import { Batch } from '../../request/batch.js';
import type { RequestContext } from '../../request/request-context.js';
import type { SecondFactorGround } from '../credentials/flow-second-factor.service.js';
import { openLink } from '../invitations/invitation-link.service.js';
import { isProven } from '../proving/flow.states.js';
import type { FlowKey } from '../proving/flows.queries.js';
import { loadMethods } from '../proving/methods.queries.js';
import { withoutLocal } from '../proving/methods.rules.js';
import type { ProvingService, SignInStarted } from '../proving/proving.service.js';
import type { ProvingGround } from '../proving/proving-ground.port.js';
import { loadTermsMarkdown, type Terms } from '../terms/terms.queries.js';
import { type AcceptCommand, acceptTogether } from './accept.js';
import type { ConsentAnswer } from './consent.js';
import { declineByLink, declineInFlow } from './decline.js';
import { type Flow, findFlows, loadOffer, type Offer, redeemedIn } from './redemption.queries.js';
import { linkRefusal, mayUndoDecline, nextRedemptionStep } from './redemption.states.js';
import { type FlowHolder, openCurrentLink, startFlow } from './start.js';
import { checkFlowOpen, type FlowView, flowIsOver, inStep, loadFlow, type Step } from './steps.js';

export type { Agreement, ConsentAnswer } from './consent.js';
export { checkConsent, consentVersionOf } from './consent.js';
export type { Flow, Offer } from './redemption.queries.js';
export type { FlowView } from './steps.js';

/** What a link opens, for whoever holds it. */
export type LinkView =
  | { offer: null; refusal: 'INVITATION_NOT_FOUND' }
  | {
      offer: Offer;
      /** Null: it may be started. */
      refusal: UserErrorCode | null;
      /** It was declined without proof, and starting takes that back. */
      isDeclined: boolean;
      /** It was accepted in the browser that asks. */
      isRedeemedHere: boolean;
    };

/** Terms of use with their text. */
export interface ShownTerms extends Terms {
  markdown: string;
}

export class RedemptionService {
  readonly #proving: ProvingService;
  readonly #opening = new Batch(openFlows);
  readonly #together = new Batch<AcceptCommand, FlowView>(acceptTogether);

  constructor(proving: ProvingService) {
    this.#proving = proving;
    proving.addGround('REDEEM', ground);
  }

  /** Reads only: mail scanners open links too. `browserToken` null: a browser never seen. */
  async view(ctx: RequestContext, token: string, browserToken: string | null = null): Promise<LinkView> {
    const link = await openLink(ctx, token);
    if (link.kind === 'unknown') return { offer: null, refusal: 'INVITATION_NOT_FOUND' };
    const offer = await loadOffer(ctx.db, link.invitation.id);
    const now = ctx.clock.now();
    const refusal = link.kind === 'superseded' ? 'SUPERSEDED' : linkRefusal(offer, link.invitation.linkVersion, now);
    const isRedeemedHere =
      refusal === 'ALREADY_REDEEMED' && (await redeemedIn(ctx.db, offer.invitationId, browserToken));
    return { offer, refusal, isDeclined: refusal === null && mayUndoDecline(offer, now), isRedeemedHere };
  }

  /**
   * @returns the flow's id.
   * @throws UserError with what became of the link or the invitation.
   */
  async start(ctx: RequestContext, token: string, holder: FlowHolder): Promise<string> {
    const invitation = await openCurrentLink(ctx, token);
    await this.#proving.prepare(ctx, invitation.tenantId, invitation.emailKey);
    return startFlow(ctx, invitation, holder);
  }

  /** Where a flow stands. @throws UserError INVITATION_NOT_FOUND when this key opens none. */
  flow(ctx: RequestContext, key: FlowKey): Promise<FlowView> {
    return viewFlow(ctx, key);
  }

  /** What the guest agrees to with the consent; null: there are no terms, or nothing is asked any more. */
  async shownTerms(ctx: RequestContext, { flow, offer }: FlowView): Promise<ShownTerms | null> {
    const isAsked = flow.status === 'STARTED' || flow.status === 'PROVEN';
    if (!isAsked || !offer.terms) return null;
    return { ...offer.terms, markdown: await loadTermsMarkdown(ctx.db, offer.tenantId, offer.terms) };
  }

  /** @throws UserError PROOF_REQUIRED when a provider is entitled, RATE_LIMITED, QUOTA_EXCEEDED. */
  sendPasscode(ctx: RequestContext, key: FlowKey): Promise<void> {
    return this.#proving.sendPasscode(ctx, 'REDEEM', key);
  }

  /** @throws UserError PASSCODE_WRONG, PASSCODE_EXPIRED, TOO_MANY_ATTEMPTS. */
  provePasscode(ctx: RequestContext, key: FlowKey, passcode: string): Promise<void> {
    return this.#proving.provePasscode(ctx, 'REDEEM', key, passcode);
  }

  /** For browsers only. @throws UserError PROOF_REQUIRED when no provider is entitled, IDP_UNAVAILABLE. */
  beginSignIn(ctx: RequestContext, key: FlowKey): Promise<SignInStarted> {
    return this.#proving.beginSignIn(ctx, 'REDEEM', key);
  }

  /**
   * Spends the invitation; with a passcode, proof and consent in one go. A refused consent is answered before the code is
   * looked at.
   * @param passcode null: the address was proven before.
   * @returns where the flow stands.
   * @throws UserError CONSENT_REQUIRED, PROOF_REQUIRED, PASSCODE_WRONG, PASSCODE_EXPIRED, TOO_MANY_ATTEMPTS,
   * ACCOUNT_DISABLED, INVITER_NOT_AUTHORIZED, OWN_DOMAIN, IDENTITY_MISMATCH, or what became of the invitation.
   */
  async accept(ctx: RequestContext, key: FlowKey, passcode: string | null, answer: ConsentAnswer): Promise<FlowView> {
    const flow = await this.#opening.run('', { ctx, key });
    if (!flow) throw flowIsOver();
    return this.#together.run(flow.tenantId, { ctx, key, flow, passcode, answer });
  }

  decline(ctx: RequestContext, key: FlowKey): Promise<void> {
    return inStep(ctx, key, declineInFlow);
  }

  declineByLink(ctx: RequestContext, token: string): Promise<void> {
    return declineByLink(ctx, token);
  }
}

async function viewFlow(ctx: RequestContext, key: FlowKey): Promise<FlowView> {
  const flow = await loadFlow(ctx, key);
  const offer = await loadOffer(ctx.db, flow.invitationId);
  const { tenantId, emailKey, hasLocalAccount } = offer;
  const routed = await loadMethods(ctx.db, { tenantId, emailKey, unaddressedIdentity: flow.unaddressedIdentity });
  const methods = hasLocalAccount ? routed : withoutLocal(routed);
  return { flow, offer, methods, isProven: isProven(flow, ctx.clock.now()) };
}

const ground: ProvingGround = {
  async look(ctx, key) {
    const { flow, offer, methods } = await viewFlow(ctx, key);
    checkFlowOpen({ flow, offer, now: ctx.clock.now() });
    return { flow, email: offer.email, methods };
  },
  inStep,
  checkOpen: (step: Step) => checkFlowOpen(step),
  judge: async (_step, _identity, addressRefusal) => addressRefusal,
};

/** The invitation says whose second factor it is. */
export const redemptionFactors: SecondFactorGround = {
  async whose(ctx, key) {
    const view = await viewFlow(ctx, key);
    checkFlowOpen({ ...view, now: ctx.clock.now() });
    if (nextRedemptionStep(view) !== 'secondFactor') throw refuse('PROOF_REQUIRED');
    const { tenantId, externalUserId } = view.offer;
    return { tenantId, externalUserId, provenAt: view.flow.provenAt };
  },
  inStep: (ctx, key, work) =>
    inStep(ctx, key, (step) => {
      checkFlowOpen(step);
      if (!isProven(step.flow, step.now)) throw refuse('PROOF_REQUIRED');
      return work(step);
    }),
};

interface FlowQuery {
  ctx: RequestContext;
  key: FlowKey;
}

function openFlows(queries: readonly FlowQuery[]): Promise<(Flow | undefined)[]> {
  const [{ ctx }] = queries as [FlowQuery];
  const keys = queries.map(({ key }) => key);
  return findFlows(ctx.db, keys, ctx.clock.now());
}
