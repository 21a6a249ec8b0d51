/**
 * Proving who somebody is, by passcode or by an identity provider, whatever it is for. Each purpose (redeeming, signing in, a
 * further identity, another address) is a ground of its own: it says which address is under proof, what is locked, and
 * which identities count. What the proof is good for happens afterwards, elsewhere.
 */
import { sql } from 'kysely';
import type { Scope } from '../../database/transaction.js';
import { domainOf, parseEmailAddress } from '../../kernel/email-address.js';
import { refuse, UserError, type UserErrorCode } from '../../kernel/errors.js';
import { hashToken } from '../../kernel/secrets.js';
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
import type { EntraOrganizations } from '../identity-providers/entra-organizations.service.js';
import { loadProviderSettings, loadSamlSettings } from '../identity-providers/identity-providers.service.js';
import type { FlowPurpose } from './flow.entity.js';
import { isProven } from './flow.states.js';
import type { BrowserKey, FlowKey } from './flows.queries.js';
import { judgeIdentity, methodsOf } from './judge-identity.js';
import {
  checkLocalOffered,
  checkPasscodeOffered,
  isEntitled,
  type Method,
  type ProviderMethod,
  requireProvider,
} from './methods.rules.js';
import { createPasscode, proveByPasscode } from './passcodes.service.js';
import { type Proof, passcodeProof, recordProof, recordRefusal } from './proof.service.js';
import type { ProofStep } from './proof-step.service.js';
import {
  type Answer,
  findWaitingSignIn,
  keepAnswer,
  rememberSignIn,
  type SpentSignIn,
  signInCallbackUrl,
  signInIsOver,
  spendSignIn,
} from './provider-sign-in.service.js';
import type { ProvingGround } from './proving-ground.port.js';

export interface SignInStarted {
  redirectTo: string;
  providerName: string;
}

export interface SignInFinished {
  flowId: string;
  purpose: FlowPurpose;
  /** Null: proven. */
  refusal: UserErrorCode | null;
}

export interface ProvingOptions {
  /** Null: no connector speaks this kind's protocol. */
  connectorFor: (kind: IdentityProviderKind) => Connector | null;
  /** Whose answers are posted; one of those of `connectorFor`. */
  formConnector: FormConnector<SamlSettings>;
  /** Checks and counts a mail. @param isSent false: nobody gets it. @throws UserError RATE_LIMITED, QUOTA_EXCEEDED. */
  admitMail: (ctx: RequestContext, scope: Scope, addressKey: string, isSent: boolean) => Promise<unknown>;
  publicUrl: URL;
  organizations: EntraOrganizations;
}

export class ProvingService {
  readonly #options: ProvingOptions;
  readonly #grounds = new Map<FlowPurpose, ProvingGround>();

  constructor(options: ProvingOptions) {
    this.#options = options;
  }

  addGround(purpose: FlowPurpose, ground: ProvingGround): void {
    this.#grounds.set(purpose, ground);
  }

  /** @throws UserError PROOF_REQUIRED when a provider is entitled, RATE_LIMITED, QUOTA_EXCEEDED. */
  sendPasscode(ctx: RequestContext, purpose: FlowPurpose, key: FlowKey): Promise<void> {
    const ground = this.#ground(purpose);
    return ground.inStep(ctx, key, async (step) => {
      ground.checkOpen(step);
      checkPasscodeOffered(await methodsOf(step));
      // Strangers type addresses that nobody here has: they must not use up the tenant's mails.
      const isSent = step.flow.invitationId !== null || step.flow.externalUserId !== null;
      await this.#options.admitMail(ctx, step.tx, step.emailKey, isSent);
      await createPasscode(step);
    });
  }

  /** @throws UserError PASSCODE_WRONG, PASSCODE_EXPIRED, TOO_MANY_ATTEMPTS. */
  async provePasscode(ctx: RequestContext, purpose: FlowPurpose, key: FlowKey, passcode: string): Promise<void> {
    const ground = this.#ground(purpose);
    const refusal = await ground.inStep(ctx, key, async (step) => {
      ground.checkOpen(step);
      const methods = await methodsOf(step);
      checkPasscodeOffered(methods);
      // A second click after the proof; the code is spent, the proof stands.
      if (isProven(step.flow, step.now)) return null;
      return proveByPasscode(step, passcode, proofByPasscode(step, methods));
    });
    if (refusal) throw refusal;
  }

  /**
   * By an account of the gateway's own.
   * @param prove whether it is theirs; asked outside of any transaction.
   * @throws what it throws; UserError PROOF_REQUIRED when no such account is offered.
   */
  async proveLocally(
    ctx: RequestContext,
    purpose: FlowPurpose,
    key: BrowserKey,
    prove: (address: { tenantId: string; emailKey: string }) => Promise<Proof>,
  ): Promise<void> {
    const ground = this.#ground(purpose);
    const { flow, email, methods } = await ground.look(ctx, key);
    checkLocalOffered(methods);
    const emailKey = parseEmailAddress(email)?.key ?? '';
    const proof = await prove({ tenantId: flow.tenantId, emailKey });
    await ground.inStep(ctx, key, async (step) => {
      ground.checkOpen(step);
      checkLocalOffered(await methodsOf(step));
      if (step.emailKey !== emailKey) throw refuse('PROOF_REQUIRED');
      await recordProof(step, proof);
    });
  }

  /** For browsers only. @throws UserError PROOF_REQUIRED when no provider is entitled, IDP_UNAVAILABLE. */
  async beginSignIn(ctx: RequestContext, purpose: FlowPurpose, key: FlowKey): Promise<SignInStarted> {
    const ground = this.#ground(purpose);
    const { flow, email, method } = await this.#lookForProvider(ctx, ground, key);
    const { connector, settings } = await this.#connect(ctx, flow.tenantId, method);
    const request = {
      redirectUri: signInCallbackUrl(this.#options.publicUrl, method),
      loginHint: email,
      chooseAccount: flow.mismatchedEmail !== null,
    };
    const { redirectTo, secrets } = await this.#asking(ctx, ground, key, () => connector.begin(settings, request));
    await ground.inStep(ctx, key, async (step) => {
      ground.checkOpen(step);
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
    const { flowId, purpose } = spent;
    const ground = this.#ground(purpose);
    const key = { flowId, browserToken };
    try {
      const { flow, methods } = await ground.look(ctx, key);
      const method = requireProvider(methods);
      if (method.providerId !== providerId) throw refuse('PROOF_REQUIRED');
      const { connector, settings } = await this.#connect(ctx, flow.tenantId, method);
      const finish = (secrets: SignInSecrets) => connector.finish(settings, { url: callbackUrl }, secrets);
      const identity = await this.#asking(ctx, ground, key, () => identityOf(spent, finish));
      const refusal = await ground.inStep(ctx, key, (step) => judgeIdentity(ground, step, method, identity));
      return { flowId, purpose, refusal };
    } catch (error) {
      if (error instanceof UserError) return { flowId, purpose, refusal: error.code };
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
    const { formConnector } = this.#options;
    const state = formConnector.stateOf(callback.form ?? {});
    if (state === null) return null;
    const waiting = await findWaitingSignIn(ctx, state, providerId);
    if (!waiting) throw signInIsOver();
    const settings = await loadSamlSettings(ctx.db, ctx.secrets, waiting.tenantId, providerId);
    if (!settings) throw signInIsOver();
    const answer = await answerOf(ctx, () => formConnector.finish(settings, callback, waiting.secrets));
    return keepAnswer(ctx, providerId, waiting, answer);
  }

  /** A new cookie for the flows of a browser whose rights changed: who knew the old one before holds nothing now. */
  async renewBrowser(ctx: RequestContext, oldToken: string, newToken: string): Promise<void> {
    await ctx.transaction(null, ({ db }) =>
      sql`update redemption_flow set browser_hash = ${hashToken(newToken)} where browser_hash = ${hashToken(oldToken)}`.execute(
        db,
      ),
    );
  }

  /** What routing of this address depends on is found out, as far as it is not known: before a flow begins. */
  prepare(ctx: RequestContext, tenantId: string, emailKey: string): Promise<void> {
    return this.#options.organizations.discover(ctx, tenantId, domainOf(emailKey));
  }

  /** Once more for an organisation that nobody could find out before. @throws UserError IDP_UNAVAILABLE, PROOF_REQUIRED */
  async #lookForProvider(ctx: RequestContext, ground: ProvingGround, key: FlowKey) {
    const { flow, email, methods } = await ground.look(ctx, key);
    const method = requireProvider(methods);
    if (method.issuer !== null) return { flow, email, method };
    await this.prepare(ctx, flow.tenantId, parseEmailAddress(email)?.key ?? email);
    const found = requireProvider((await ground.look(ctx, key)).methods);
    if (found.issuer === null) throw refuse('IDP_UNAVAILABLE', { detail: 'nobody could say whose the domain is' });
    return { flow, email, method: found };
  }

  /** Where to send the browser so that the provider's session ends too; null: the provider offers that nowhere we know. */
  async signOutUrl(ctx: RequestContext, tenantId: string, method: ProviderMethod): Promise<string | null> {
    const { connector, settings } = await this.#connect(ctx, tenantId, method);
    return connector.logoutUrl?.(settings, { returnTo: null, logoutHint: null }) ?? null;
  }

  #ground(purpose: FlowPurpose): ProvingGround {
    const ground = this.#grounds.get(purpose);
    if (!ground) throw new Error(`Nobody proves anything for ${purpose}.`);
    return ground;
  }

  async #connect(
    ctx: RequestContext,
    tenantId: string,
    method: ProviderMethod,
  ): Promise<{ connector: Connector; settings: ProviderSettings }> {
    const connector = this.#options.connectorFor(method.kind);
    const settings = await loadProviderSettings(ctx.db, ctx.secrets, tenantId, method.providerId);
    // Of a provider for every organisation: that of the address's own.
    if (connector && settings)
      return { connector, settings: { ...settings, issuer: method.issuer ?? settings.issuer } };
    throw refuse('IDP_UNAVAILABLE', { detail: `no connector or no settings for ${method.providerId}` });
  }

  /** A provider's failure is told in the feed, and stays the only thing that happens: it adds no other way in. */
  async #asking<T>(
    ctx: RequestContext,
    ground: ProvingGround,
    key: BrowserKey | FlowKey,
    ask: () => Promise<T>,
  ): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      ctx.log.warn({ code: error.code, detail: error.detail }, 'sign-in at an identity provider failed');
      if (error.code === 'IDP_UNAVAILABLE')
        await ground.inStep(ctx, key, (step) => recordRefusal(step, 'IDP_UNAVAILABLE'));
      throw error;
    }
  }
}

/** Of who signed in before, where routing still says; or of the address alone. */
function proofByPasscode({ flow: { unaddressedIdentity: identity }, emailKey }: ProofStep, methods: Method[]): Proof {
  if (!identity || !isEntitled(methods, identity)) return passcodeProof(emailKey);
  return { ...identity, emailKey, amr: ['fed', 'otp'], isMultiFactor: false };
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
