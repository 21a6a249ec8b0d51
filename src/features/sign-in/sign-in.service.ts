/**
 * Signing in, for pages: begin with an address, prove (by `proving`), agree where that is asked, and get a session. Also
 * the session of whoever has just accepted an invitation. Sessions themselves are kept by `sessions.service.ts`.
 */
import { sql } from 'kysely';
import { parseEmailAddress } from '../../kernel/email-address.js';
import { refuse } from '../../kernel/errors.js';
import type { Language } from '../../kernel/languages.js';
import { hashToken } from '../../kernel/secrets.js';
import type { RequestContext } from '../../request/request-context.js';
import type { BrowserKey } from '../proving/flows.queries.js';
import { loadMethods } from '../proving/methods.queries.js';
import { isEntitled } from '../proving/methods.rules.js';
import type { ProvingService, SignInStarted } from '../proving/proving.service.js';
import { acceptAtSignIn } from '../redemption/accept-at-sign-in.service.js';
import { type ConsentAnswer, checkConsent, type ShownTerms } from '../redemption/redemption.service.js';
import { loadTermsMarkdown } from '../terms/terms.queries.js';
import { acceptTerms } from '../terms/terms.service.js';
import { acceptDirectly } from './accept-directly.js';
import { deviceLabel } from './device-label.js';
import { findProvenGuest, type Guest } from './guest.queries.js';
import { changeAddress, linkIdentity } from './identity-changes.js';
import type { OpenedSession, SessionsService } from './sessions.service.js';
import { isAgreement, nextSignInStep, type SignInStepName } from './sign-in.states.js';
import {
  beginFlow,
  changeGround,
  checkSignInOpen,
  inSignInStep,
  linkGround,
  purposeOf,
  requireGuest,
  type SignInStep,
  type SignInView,
  signInGround,
  viewSignIn,
  viewStep,
} from './sign-in-flow.js';
import { providerOfIdentity } from './sign-out-at-provider.queries.js';

export type { SignInView } from './sign-in-flow.js';

/** The browser that signs in. */
export interface SigningIn {
  tenantId: string;
  /** Token of the session it has in this tenant so far. */
  sessionToken: string | null;
  userAgent: string | undefined;
}

export interface Address {
  tenantId: string;
  /** As typed. */
  address: string;
  language: Language;
  browserToken: string;
  /** A path of ours, checked. */
  returnTo: string | null;
}

/** The step that comes before, or what came of it; `opened` null: something was changed in the session there is. */
export type SignedIn = { due: SignInStepName } | { due: null; opened: OpenedSession | null };

export class SignInService {
  readonly #proving: ProvingService;
  readonly #sessions: SessionsService;

  constructor(proving: ProvingService, sessions: SessionsService) {
    this.#proving = proving;
    this.#sessions = sessions;
    proving.addGround('SIGN_IN', signInGround);
    proving.addGround('LINK_IDENTITY', linkGround);
    proving.addGround('CHANGE_ADDRESS', changeGround);
  }

  /**
   * The same for every address. Where a passcode is the way, it is on its way then, unless an earlier one still is.
   * @returns the flow's id, and what kept the passcode back.
   * @throws UserError ADDRESS_INVALID
   */
  async begin(ctx: RequestContext, { address, ...begun }: Address): Promise<string> {
    const email = parseEmailAddress(address);
    if (!email) throw refuse('ADDRESS_INVALID', { field: ['email'] });
    await this.#proving.prepare(ctx, begun.tenantId, email.key);
    return beginFlow(ctx, { ...begun, email: email.address, emailKey: email.key });
  }

  /** Right after `begin`, so that a guest whose way is the passcode need not ask for it. @throws as `sendPasscode`. */
  async sendFirstPasscode(ctx: RequestContext, key: BrowserKey): Promise<void> {
    const { flow, methods } = await viewSignIn(ctx, key);
    if (methods[0]?.kind === 'EMAIL_PASSCODE' && !flow.hasPasscode) await this.sendPasscode(ctx, key);
  }

  /** @throws UserError INVITATION_NOT_FOUND when this browser has no such flow. */
  flow(ctx: RequestContext, key: BrowserKey): Promise<SignInView> {
    return viewSignIn(ctx, key);
  }

  /** The text of what is to be agreed to; null: nothing is. */
  async shownTerms(ctx: RequestContext, { flow: { tenantId }, terms }: SignInView): Promise<ShownTerms | null> {
    return terms && { ...terms, markdown: await loadTermsMarkdown(ctx.db, tenantId, terms) };
  }

  /** @throws UserError PROOF_REQUIRED when a provider is entitled, RATE_LIMITED, QUOTA_EXCEEDED. */
  async sendPasscode(ctx: RequestContext, key: BrowserKey): Promise<void> {
    return this.#proving.sendPasscode(ctx, await purposeOf(ctx, key), key);
  }

  /** @throws UserError PASSCODE_WRONG, PASSCODE_EXPIRED, TOO_MANY_ATTEMPTS. */
  async provePasscode(ctx: RequestContext, key: BrowserKey, passcode: string): Promise<void> {
    return this.#proving.provePasscode(ctx, await purposeOf(ctx, key), key, passcode);
  }

  /** @throws UserError PROOF_REQUIRED when no provider is entitled, IDP_UNAVAILABLE. */
  async beginSignIn(ctx: RequestContext, key: BrowserKey): Promise<SignInStarted> {
    return this.#proving.beginSignIn(ctx, await purposeOf(ctx, key), key);
  }

  /**
   * What the flow is for, when every step is done: the session, or the change; what may have changed since the proof is checked again.
   * @param answer null: nothing was asked yet.
   * @throws UserError PROOF_REQUIRED, NOT_A_GUEST, ACCOUNT_DISABLED, CONSENT_REQUIRED, TAKEN, and what `changeAddress` throws.
   */
  finish(
    ctx: RequestContext,
    key: BrowserKey,
    answer: ConsentAnswer | null,
    { sessionToken, userAgent }: Omit<SigningIn, 'tenantId'>,
  ): Promise<SignedIn> {
    return inSignInStep(ctx, key, async (step) => {
      checkSignInOpen(step);
      const view = await viewStep(step);
      if (view.isProven) await checkStillEntitled(step);
      const due = nextSignInStep(view);
      if (due === 'prove') return { due };
      if (step.flow.purpose !== 'SIGN_IN') {
        await this.#change(step);
        return { due: null, opened: null };
      }
      const guest = requireGuest(view.guest);
      if (due !== null && !(isAgreement(due) && answer)) return { due };
      if (answer && due !== null) await agree(step, view, answer);
      const identityId = guest.identityId ?? (await accept(step, guest));
      const opened = await this.#open(
        step,
        { externalUserId: guest.externalUserId, identityId },
        sessionToken,
        userAgent,
      );
      return { due: null, opened };
    });
  }

  /**
   * Where the provider that vouched for a session ends its own; null: there is nothing to end.
   * @throws UserError IDP_UNAVAILABLE
   */
  async signOutAtProvider(ctx: RequestContext, tenantId: string, identityId: string): Promise<string | null> {
    const method = await providerOfIdentity(ctx.db, tenantId, identityId);
    return method && this.#proving.signOutUrl(ctx, tenantId, method);
  }

  #change(step: SignInStep): Promise<void> {
    return step.flow.purpose === 'LINK_IDENTITY' ? linkIdentity(step) : changeAddress(step, this.#sessions);
  }

  async #open(
    { tx, now, flow }: SignInStep,
    who: { externalUserId: string; identityId: string },
    replaces: string | null,
    userAgent: string | undefined,
  ): Promise<OpenedSession> {
    await sql`update redemption_flow set session_opened_at = ${now} where id = ${flow.id}`.execute(tx.db);
    const { tenantId, amr, secondFactorAt, proofEmailKey: provenEmailKey } = flow;
    const authenticatedAt = flow.provenAt ?? now;
    const device = deviceLabel(userAgent);
    return this.#sessions.open(tx, {
      ...who,
      tenantId,
      authenticatedAt,
      amr,
      secondFactorAt,
      provenEmailKey,
      device,
      replaces,
    });
  }

  /**
   * The session of whoever has just accepted an invitation in this browser, with the proof they accepted by. Once for each
   * flow: going back to its last page and pressing again signs nobody in.
   * @returns null: the flow is not accepted, or has given its session.
   */
  async openAfterAccept(
    ctx: RequestContext,
    { flowId, browserToken }: BrowserKey,
    { tenantId, sessionToken, userAgent }: SigningIn,
  ): Promise<OpenedSession | null> {
    return ctx.transaction(tenantId, async (tx) => {
      const { rows } = await sql<AcceptedFlow>`
        with spent as (
          update redemption_flow set session_opened_at = ${ctx.clock.now()}
          where id = ${flowId} and tenant_id = ${tenantId} and browser_hash = ${hashToken(browserToken)}
            and status = 'REDEEMED' and session_opened_at is null
          returning *
        )
        select i.external_user_id as "externalUserId", known.id as "identityId", spent.proven_at as "authenticatedAt",
          spent.amr, spent.second_factor_at as "secondFactorAt", spent.proof_email_key as "provenEmailKey"
        from spent
        join invitation i on i.id = spent.invitation_id
        join identity known on known.tenant_id = spent.tenant_id and known.identity_provider_id = spent.proof_provider_id
          and known.issuer = spent.proof_issuer and known.subject = spent.proof_subject
          and known.external_user_id = i.external_user_id`.execute(tx.db);
      const [accepted] = rows;
      if (!accepted) return null;
      const device = deviceLabel(userAgent);
      return this.#sessions.open(tx, { ...accepted, tenantId, device, replaces: sessionToken });
    });
  }
}

interface AcceptedFlow {
  externalUserId: string;
  identityId: string;
  authenticatedAt: Date;
  amr: string[];
  secondFactorAt: Date | null;
  provenEmailKey: string | null;
}

/** @returns the identity that was linked. */
async function accept(step: SignInStep, { externalUserId, invitationId }: Guest): Promise<string> {
  if (invitationId === null) return acceptDirectly(step, externalUserId);
  // Another one since the lock was taken.
  if (invitationId !== step.invitationId) throw refuse('CONFLICT');
  await acceptAtSignIn(step, invitationId);
  const accepted = await findProvenGuest(step.tx.db, step.flow);
  if (!accepted?.identityId) throw refuse('IDENTITY_MISMATCH');
  return accepted.identityId;
}

/** @throws UserError CONSENT_REQUIRED when it was refused, or given to other terms than today's. */
async function agree({ tx, now }: SignInStep, view: SignInView, answer: ConsentAnswer): Promise<void> {
  const { guest, terms, tenant } = view;
  checkConsent({ ...tenant, terms }, answer);
  if (guest && terms) await acceptTerms(tx, guest.externalUserId, terms, now);
}

/** @throws UserError PROOF_REQUIRED when what vouched is not among the ways of the address any more. */
async function checkStillEntitled({ tx, flow }: SignInStep): Promise<void> {
  const proof = { kind: flow.proofKind, providerId: flow.proofProviderId, issuer: flow.proofIssuer };
  if (!isEntitled(await loadMethods(tx.db, flow), proof)) throw refuse('PROOF_REQUIRED');
}
