/**
 * The second factor as a step of a flow, whatever the flow is for: shown, or set up where there is none yet. Each purpose is
 * a ground of its own, as in `proving`: it says whose factor is asked for, and locks the flow it is noted in.
 */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { refuse, UserError } from '../../kernel/errors.js';
import type { RequestContext } from '../../request/request-context.js';
import type { FlowPurpose } from '../proving/flow.entity.js';
import type { BrowserKey } from '../proving/flows.queries.js';
import type { ProofStep } from '../proving/proof-step.service.js';
import { firstRecoveryCodes, type NewCodes } from './account-security.service.js';
import { type CredentialOwner, findOwner } from './credential-owner.js';
import type { PasskeysService } from './passkeys.service.js';
import { amrOfFactor, type ShownFactor } from './second-factor.rules.js';
import { hasSecondFactor, type SecondFactors, secondFactorsOf } from './second-factors.queries.js';
import type { SecondFactorsService } from './second-factors.service.js';
import { enrolTotp, type TotpEnrolment, totpEnrolment } from './totp.service.js';

export interface FlowUser {
  tenantId: string;
  externalUserId: string;
  /** Of the proof that says so; another one in the same flow may be somebody else's. */
  provenAt: Date | null;
}

/** What one purpose brings along. */
export interface SecondFactorGround {
  /** Whose second factor is due now. @throws UserError when the flow is over, or the step is not due. */
  whose(ctx: RequestContext, key: BrowserKey): Promise<FlowUser>;
  /** A transaction in which the flow was locked and read again. @throws UserError when it is over. */
  inStep<T>(ctx: RequestContext, key: BrowserKey, work: (step: ProofStep) => Promise<T>): Promise<T>;
}

export interface FlowSecondFactorParts {
  secondFactors: SecondFactorsService;
  passkeys: PasskeysService;
}

export class FlowSecondFactorService {
  readonly #parts: FlowSecondFactorParts;
  readonly #grounds = new Map<FlowPurpose, SecondFactorGround>();

  constructor(parts: FlowSecondFactorParts) {
    this.#parts = parts;
  }

  addGround(purpose: FlowPurpose, ground: SecondFactorGround): void {
    this.#grounds.set(purpose, ground);
  }

  /** @throws UserError SECOND_FACTOR_WRONG, SECOND_FACTOR_LOCKED. */
  async confirmByCode(ctx: RequestContext, purpose: FlowPurpose, key: BrowserKey, typed: string): Promise<void> {
    const user = await this.#whose(ctx, purpose, key);
    const shown = await this.#parts.secondFactors.confirm(ctx, user.tenantId, user.externalUserId, typed);
    if (shown instanceof UserError) throw shown;
    await this.#inStep(ctx, purpose, key, user, (step) => noteShown(step, shown));
  }

  /**
   * What the person has, and which passkey the browser looks for; or makes, where they have no second factor yet. Reads only.
   * @throws UserError when the flow is over, or the step is not due.
   */
  async look(ctx: RequestContext, purpose: FlowPurpose, key: BrowserKey) {
    const user = await this.#whose(ctx, purpose, key);
    const factors = await secondFactorsOf(ctx.db, user.externalUserId);
    return { factors, passkeyOptions: await this.#passkeyOptions(ctx, user, flowBinding(key), factors) };
  }

  async #passkeyOptions(ctx: RequestContext, user: FlowUser, binding: string, factors: SecondFactors): Promise<object> {
    const { tenantId, externalUserId } = user;
    if (hasSecondFactor(factors)) return this.#parts.passkeys.requestOptions(ctx, tenantId, externalUserId, binding);
    return this.#parts.passkeys.creationOptions(ctx, await ownerOf(ctx.db, user), binding);
  }

  /** @throws UserError PASSKEY_REFUSED. */
  async confirmByPasskey(ctx: RequestContext, purpose: FlowPurpose, key: BrowserKey, answer: string): Promise<void> {
    const user = await this.#whose(ctx, purpose, key);
    await this.#parts.passkeys.use(ctx, user.tenantId, user.externalUserId, flowBinding(key), answer);
    await this.#inStep(ctx, purpose, key, user, (step) => noteShown(step, 'passkey'));
  }

  /** @param sealedSeed of the form that was sent; null: a new seed. */
  async totpEnrolment(
    ctx: RequestContext,
    purpose: FlowPurpose,
    key: BrowserKey,
    sealedSeed: string | null,
  ): Promise<TotpEnrolment> {
    const owner = await ownerOf(ctx.db, await this.#whose(ctx, purpose, key));
    return totpEnrolment(ctx, owner, flowBinding(key), sealedSeed);
  }

  /** @throws UserError SECOND_FACTOR_WRONG; SECOND_FACTOR_REQUIRED when there is one already, which has to be shown. */
  enrolTotp(
    ctx: RequestContext,
    purpose: FlowPurpose,
    key: BrowserKey,
    form: { sealedSeed: string; code: string },
  ): Promise<NewCodes> {
    return this.#enrol(ctx, purpose, key, 'otp', (tx, owner) => enrolTotp(ctx, tx, owner, flowBinding(key), form));
  }

  /** @throws UserError PASSKEY_REFUSED; SECOND_FACTOR_REQUIRED when there is a second factor already. */
  async enrolPasskey(
    ctx: RequestContext,
    purpose: FlowPurpose,
    key: BrowserKey,
    { answer, label }: { answer: string; label: string },
  ): Promise<NewCodes> {
    const passkey = await this.#parts.passkeys.verifyNew(ctx, flowBinding(key), answer, label);
    return this.#enrol(ctx, purpose, key, 'passkey', (tx, owner) =>
      this.#parts.passkeys.add(tx, owner, passkey, ctx.clock.now()),
    );
  }

  async #enrol(
    ctx: RequestContext,
    purpose: FlowPurpose,
    key: BrowserKey,
    factor: ShownFactor,
    add: (tx: Tx, owner: CredentialOwner) => Promise<void>,
  ): Promise<NewCodes> {
    const user = await this.#whose(ctx, purpose, key);
    return this.#inStep(ctx, purpose, key, user, async (step) => {
      const owner = await lockWithoutFactor(step.tx, user);
      await add(step.tx, owner);
      await noteShown(step, factor);
      return firstRecoveryCodes(ctx, step.tx, owner);
    });
  }

  #whose(ctx: RequestContext, purpose: FlowPurpose, key: BrowserKey): Promise<FlowUser> {
    return this.#ground(purpose).whose(ctx, key);
  }

  /** @throws UserError PROOF_REQUIRED when the flow was proven anew since `user` was found. */
  #inStep<T>(
    ctx: RequestContext,
    purpose: FlowPurpose,
    key: BrowserKey,
    user: FlowUser,
    work: (step: ProofStep) => Promise<T>,
  ): Promise<T> {
    return this.#ground(purpose).inStep(ctx, key, async (step) => {
      if (step.flow.provenAt?.getTime() !== user.provenAt?.getTime()) throw refuse('PROOF_REQUIRED');
      return work(step);
    });
  }

  #ground(purpose: FlowPurpose): SecondFactorGround {
    const ground = this.#grounds.get(purpose);
    if (!ground) throw new Error(`No second factor is asked for in ${purpose}.`);
    return ground;
  }
}

async function noteShown({ tx, now, flow }: ProofStep, factor: ShownFactor): Promise<void> {
  await sql`
    update redemption_flow set second_factor_at = ${now},
      amr = array(select distinct unnest(amr || ${amrOfFactor[factor]}::text[]))
    where id = ${flow.id}`.execute(tx.db);
}

/** Two flows of one person set up one factor after the other: the second finds that there is one, and has to show it. */
async function lockWithoutFactor(tx: Tx, user: FlowUser): Promise<CredentialOwner> {
  await sql`select from external_user where id = ${user.externalUserId} for no key update`.execute(tx.db);
  if (hasSecondFactor(await secondFactorsOf(tx.db, user.externalUserId))) throw refuse('SECOND_FACTOR_REQUIRED');
  return ownerOf(tx.db, user);
}

async function ownerOf(db: Tx['db'], { tenantId, externalUserId }: FlowUser): Promise<CredentialOwner> {
  const owner = await findOwner(db, tenantId, externalUserId);
  if (!owner) throw refuse('NOT_FOUND');
  return owner;
}

function flowBinding({ flowId }: BrowserKey): string {
  return `flow/${flowId}`;
}
