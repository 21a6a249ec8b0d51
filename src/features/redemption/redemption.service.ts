/**
 * The guest's way from the opened link to ACCEPTED, for pages and GraphQL alike: view, start, prove (by passcode or by an
 * identity provider), accept or decline. Each use case is a list of steps; the rules are in the files beside this one.
 * It owns the flow; the invitation's other changes are `invitations`, signing in afterwards is `sign-in`.
 */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import { DAY, later } from '../../kernel/clock.js';
import { refuse, UserError, type UserErrorCode } from '../../kernel/errors.js';
import { hashToken } from '../../kernel/secrets.js';
import { Batch } from '../../request/batch.js';
import type { RequestContext } from '../../request/request-context.js';
import type { IdentityProviderKind } from '../external-users/identity.entity.js';
import type {
  Callback,
  Connector,
  FormConnector,
  ProvenIdentity,
  ProviderSettings,
  SamlSettings,
  SignInSecrets,
} from '../identity-providers/connector.port.js';
import { loadProviderSettings, loadSamlSettings } from '../identity-providers/identity-providers.service.js';
import { openLink } from '../invitations/invitation-link.service.js';
import type { MailLimits } from '../invitations/mail-limits.service.js';
import { loadTermsMarkdown, type Terms } from '../terms/terms.queries.js';
import { type AcceptCommand, acceptTogether } from './accept.js';
import type { ConsentAnswer } from './consent.js';
import { declineByLink, declineInFlow } from './decline.js';
import { checkPasscodeOffered, type ProviderMethod, requireProvider } from './methods.js';
import { createPasscode, proveByPasscode } from './passcodes.service.js';
import { recordRefusal } from './proof.js';
import {
  type Answer,
  findWaitingSignIn,
  judgeIdentity,
  keepAnswer,
  rememberSignIn,
  type SpentSignIn,
  signInCallbackUrl,
  signInIsOver,
  spendSignIn,
} from './provider-sign-in.js';
import {
  type Flow,
  type FlowKey,
  findFlows,
  loadMethods,
  loadOffer,
  type Offer,
  redeemedIn,
} from './redemption.queries.js';
import { isProven, linkRefusal, mayUndoDecline } from './redemption.states.js';
import { type FlowHolder, startFlow } from './start.js';
import { checkFlowOpen, type FlowView, flowIsOver, inStep, loadFlow } from './steps.js';

export type { ConsentAnswer } from './consent.js';
export { consentVersionOf } from './consent.js';
export type { Method } from './methods.js';
export type { Flow, FlowKey, Offer } from './redemption.queries.js';
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

export interface SignInStarted {
  redirectTo: string;
  providerName: string;
}

export interface SignInFinished {
  flowId: string;
  /** Null: the address is proven. */
  refusal: UserErrorCode | null;
}

export interface RedemptionOptions {
  /** Null: no connector speaks this kind's protocol. */
  connectorFor: (kind: IdentityProviderKind) => Connector | null;
  /** Whose answers are posted; one of those of `connectorFor`. */
  formConnector: FormConnector<SamlSettings>;
  mailLimits: MailLimits;
  publicUrl: URL;
}

export class RedemptionService {
  readonly #connectorFor: RedemptionOptions['connectorFor'];
  readonly #formConnector: FormConnector<SamlSettings>;
  readonly #mailLimits: MailLimits;
  readonly #publicUrl: URL;
  readonly #opening = new Batch(openFlows);
  readonly #together = new Batch<AcceptCommand, FlowView>(acceptTogether);

  constructor({ connectorFor, formConnector, mailLimits, publicUrl }: RedemptionOptions) {
    this.#connectorFor = connectorFor;
    this.#formConnector = formConnector;
    this.#mailLimits = mailLimits;
    this.#publicUrl = publicUrl;
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
  start(ctx: RequestContext, token: string, holder: FlowHolder): Promise<string> {
    return startFlow(ctx, token, holder);
  }

  /** Where a flow stands. @throws UserError INVITATION_NOT_FOUND when this key opens none. */
  async flow(ctx: RequestContext, key: FlowKey): Promise<FlowView> {
    const flow = await loadFlow(ctx, key);
    const offer = await loadOffer(ctx.db, flow.invitationId);
    return { flow, offer, methods: await loadMethods(ctx.db, offer), isProven: isProven(flow, ctx.clock.now()) };
  }

  /** What the guest agrees to with the consent; null: there are no terms, or nothing is asked any more. */
  async shownTerms(ctx: RequestContext, { flow, offer }: FlowView): Promise<ShownTerms | null> {
    const isAsked = flow.status === 'STARTED' || flow.status === 'PROVEN';
    if (!isAsked || !offer.terms) return null;
    return { ...offer.terms, markdown: await loadTermsMarkdown(ctx.db, offer.tenantId, offer.terms) };
  }

  /** @throws UserError PROOF_REQUIRED when a provider is entitled, RATE_LIMITED, QUOTA_EXCEEDED. */
  sendPasscode(ctx: RequestContext, key: FlowKey): Promise<void> {
    return inStep(ctx, key, async (step) => {
      checkFlowOpen(step);
      checkPasscodeOffered(await loadMethods(step.tx.db, step.offer));
      await this.#mailLimits.admit(ctx, step.tx, step.offer.emailKey);
      await createPasscode(step);
    });
  }

  /** @throws UserError PASSCODE_WRONG, PASSCODE_EXPIRED, TOO_MANY_ATTEMPTS. */
  async provePasscode(ctx: RequestContext, key: FlowKey, passcode: string): Promise<void> {
    const refusal = await inStep(ctx, key, async (step) => {
      checkFlowOpen(step);
      checkPasscodeOffered(await loadMethods(step.tx.db, step.offer));
      // A second click after the proof; the code is spent, the proof stands.
      return isProven(step.flow, step.now) ? null : proveByPasscode(step, passcode);
    });
    if (refusal) throw refusal;
  }

  /** For browsers only. @throws UserError PROOF_REQUIRED when no provider is entitled, IDP_UNAVAILABLE. */
  async beginSignIn(ctx: RequestContext, key: FlowKey): Promise<SignInStarted> {
    const { flow, offer, methods } = await this.flow(ctx, key);
    checkFlowOpen({ flow, offer, now: ctx.clock.now() });
    const method = requireProvider(methods);
    const { connector, settings } = await this.#connect(ctx, flow.tenantId, method);
    const request = {
      redirectUri: signInCallbackUrl(this.#publicUrl, method),
      loginHint: offer.email,
      chooseAccount: flow.mismatchedEmail !== null,
    };
    const { redirectTo, secrets } = await this.#asking(ctx, key, () => connector.begin(settings, request));
    await inStep(ctx, key, async (step) => {
      checkFlowOpen(step);
      await rememberSignIn(step, method.providerId, secrets);
    });
    return { redirectTo, providerName: method.displayName };
  }

  /**
   * The provider's answer. Spends the state and records the proof, nothing more.
   * @param callbackUrl the whole URL the browser came back to, built from PUBLIC_URL.
   * @throws UserError INVITATION_NOT_FOUND when this browser waits for no such answer.
   */
  async finishSignIn(
    ctx: RequestContext,
    providerId: string,
    callbackUrl: URL,
    browserToken: string,
  ): Promise<SignInFinished> {
    const state = callbackUrl.searchParams.get('state') ?? '';
    const spent = await spendSignIn(ctx, { state, providerId, browserToken });
    const { flowId } = spent;
    const key = { flowId, browserToken };
    try {
      const { flow, methods } = await this.flow(ctx, key);
      const method = requireProvider(methods);
      if (method.providerId !== providerId) throw refuse('PROOF_REQUIRED');
      const { connector, settings } = await this.#connect(ctx, flow.tenantId, method);
      const finish = (secrets: SignInSecrets) => connector.finish(settings, { url: callbackUrl }, secrets);
      const identity = await this.#asking(ctx, key, () => identityOf(spent, finish));
      return { flowId, refusal: await inStep(ctx, key, (step) => judgeIdentity(step, method, identity)) };
    } catch (error) {
      if (error instanceof UserError) return { flowId, refusal: error.code };
      throw error;
    }
  }

  /**
   * An answer that was posted from the provider's site: verified, spent, and kept for the browser that asked.
   * @returns the state with which that browser goes on to `finishSignIn`; null: the answer is to no request, as when it
   * was started at the provider, which redeems nothing.
   * @throws UserError INVITATION_NOT_FOUND when nobody waits for this answer, or not any more.
   */
  async receiveAnswer(ctx: RequestContext, providerId: string, callback: Callback): Promise<string | null> {
    const state = this.#formConnector.stateOf(callback.form ?? {});
    if (state === null) return null;
    const waiting = await findWaitingSignIn(ctx, state, providerId);
    if (!waiting) throw signInIsOver();
    const settings = await loadSamlSettings(ctx.db, ctx.secrets, waiting.tenantId, providerId);
    if (!settings) throw signInIsOver();
    const answer = await answerOf(ctx, () => this.#formConnector.finish(settings, callback, waiting.secrets));
    return keepAnswer(ctx, providerId, waiting, answer);
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
    if (!answer.consent) throw refuse('CONSENT_REQUIRED', { field: ['consent'] });
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

  /** A new cookie for the flows of a browser whose rights changed: who knew the old one before holds nothing now. */
  async renewBrowser(ctx: RequestContext, oldToken: string, newToken: string): Promise<void> {
    await ctx.transaction(null, ({ db }) =>
      sql`update redemption_flow set browser_hash = ${hashToken(newToken)} where browser_hash = ${hashToken(oldToken)}`.execute(
        db,
      ),
    );
  }

  async #connect(
    ctx: RequestContext,
    tenantId: string,
    method: ProviderMethod,
  ): Promise<{ connector: Connector; settings: ProviderSettings }> {
    const connector = this.#connectorFor(method.kind);
    const settings = await loadProviderSettings(ctx.db, ctx.secrets, tenantId, method.providerId);
    if (connector && settings) return { connector, settings };
    throw refuse('IDP_UNAVAILABLE', { detail: `no connector or no settings for ${method.providerId}` });
  }

  /** A provider's failure is told in the feed, and stays the only thing that happens: it adds no other way in. */
  async #asking<T>(ctx: RequestContext, key: FlowKey, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      ctx.log.warn({ code: error.code, detail: error.detail }, 'sign-in at an identity provider failed');
      if (error.code === 'IDP_UNAVAILABLE') await inStep(ctx, key, (step) => recordRefusal(step, 'IDP_UNAVAILABLE'));
      throw error;
    }
  }
}

/** @throws UserError when the answer that was kept is a refusal. */
async function identityOf(
  { secrets, answer }: SpentSignIn,
  finish: (secrets: SignInSecrets) => Promise<ProvenIdentity>,
): Promise<ProvenIdentity> {
  if (secrets) return finish(secrets);
  if (answer && 'identity' in answer) return answer.identity;
  throw refuse(answer?.refusal ?? 'PROOF_REQUIRED', { detail: 'as its answer was received' });
}

async function answerOf(ctx: RequestContext, finish: () => Promise<ProvenIdentity>): Promise<Answer> {
  try {
    return { identity: await finish() };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    ctx.log.warn({ code: error.code, detail: error.detail }, 'an answer of an identity provider was refused');
    return { refusal: error.code };
  }
}

interface FlowQuery {
  ctx: RequestContext;
  key: FlowKey;
}

function openFlows(queries: readonly FlowQuery[]): Promise<(Flow | undefined)[]> {
  const [{ ctx }] = queries as [FlowQuery];
  const keys = queries.map(({ key }) => key);
  return findFlows(ctx.db, keys, ctx.clock.now());
}

const SWEEP_BATCH = 5000;

/** Deletes flows that are over, with their codes, and counts that no limit looks at any more. */
export async function deleteOldFlows(db: Db, now: Date): Promise<void> {
  let deleted: number;
  do {
    const result = await sql`
      delete from redemption_flow where id in (
        select id from redemption_flow where expires_at <= ${now} order by expires_at limit ${SWEEP_BATCH}
      )`.execute(db);
    deleted = Number(result.numAffectedRows ?? 0);
  } while (deleted === SWEEP_BATCH);
  await sql`delete from passcode_failures where window_started_at <= ${later(now, -DAY)}`.execute(db);
}
