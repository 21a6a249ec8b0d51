/**
 * What a person does about their own credentials, signed in: password, passkeys, authenticator app, recovery codes. Every
 * change asks again, in its transaction, whether they have just shown who they are (`account-security.rules.ts`). What is
 * done at sign-in is the flow's business.
 */
import type { Db, Tx } from '../../database/transaction.js';
import { refuse } from '../../kernel/errors.js';
import type { RequestContext } from '../../request/request-context.js';
import { proofDue, sessionBinding, type Visitor } from './account-security.rules.js';
import { type CredentialOwner, findOwner } from './credential-owner.js';
import { linkLocalIdentity, requireIdentity } from './local-identity.js';
import type { PasskeysService } from './passkeys.service.js';
import type { PasswordsService } from './passwords.service.js';
import { replaceRecoveryCodes } from './recovery-codes.service.js';
import {
  type CredentialRow,
  hasSecondFactor,
  readCredentials,
  type SecondFactors,
  secondFactorsOf,
} from './second-factors.queries.js';
import { removeUselessRecoveryCodes, type SecondFactorsService } from './second-factors.service.js';
import { enrolTotp, type TotpEnrolment, totpEnrolment } from './totp.service.js';

export interface AccountSecurity {
  owner: CredentialOwner;
  credentials: CredentialRow[];
  factors: SecondFactors;
  /** What has to be shown before anything can be changed; null: nothing. */
  due: 'SIGN_IN' | 'SECOND_FACTOR' | null;
  /** Whether passwords and passkeys sign this person in: the tenant's routing has local accounts for the address. */
  hasLocalAccount: boolean;
}

export interface AccountSecurityParts {
  passwords: PasswordsService;
  passkeys: PasskeysService;
  secondFactors: SecondFactorsService;
  /** Locks the person until the change is made. @throws UserError PROOF_REQUIRED when the session is over. */
  holdSession(tx: Tx, visitor: Visitor): Promise<void>;
  /** Of the same person in other browsers: whoever changes a password may have lost one. */
  endOtherSessions(tx: Tx, visitor: Visitor): Promise<void>;
  /** Whether routing offers a local account to this address, now. */
  offersLocalAccount(db: Db, address: { tenantId: string; emailKey: string }): Promise<boolean>;
}

/** Recovery codes to be shown, now or never; null: there are some already. */
export type NewCodes = string[] | null;

export class AccountSecurityService {
  readonly #parts: AccountSecurityParts;

  constructor(parts: AccountSecurityParts) {
    this.#parts = parts;
  }

  async view(ctx: RequestContext, visitor: Visitor): Promise<AccountSecurity> {
    const owner = await ownerOf(ctx.db, visitor);
    const factors = await secondFactorsOf(ctx.db, owner.externalUserId);
    return {
      owner,
      credentials: await readCredentials(ctx.db, [owner.externalUserId]),
      factors,
      due: proofDue(visitor, factors, ctx.clock.now()),
      hasLocalAccount: await this.#parts.offersLocalAccount(ctx.db, owner),
    };
  }

  /** @throws UserError PASSWORD_INVALID, PASSWORD_GUESSABLE, PROOF_REQUIRED, SECOND_FACTOR_REQUIRED. */
  async setPassword(ctx: RequestContext, visitor: Visitor, password: string): Promise<void> {
    const owner = await ownerOf(ctx.db, visitor);
    const prepared = await this.#parts.passwords.prepare(owner, password);
    await this.#change(ctx, visitor, async (tx) => {
      if (!(await this.#parts.offersLocalAccount(tx.db, owner))) throw refuse('PROOF_REQUIRED');
      const wasThere = await this.#parts.passwords.set(tx, owner, prepared, ctx.clock.now());
      if (wasThere) await this.#parts.endOtherSessions(tx, visitor);
    });
  }

  /** @throws UserError LAST_IDENTITY, PROOF_REQUIRED, SECOND_FACTOR_REQUIRED. */
  removePassword(ctx: RequestContext, visitor: Visitor): Promise<void> {
    return this.#change(ctx, visitor, async (tx, { externalUserId }) => {
      await this.#parts.passwords.remove(tx, externalUserId);
      await requireIdentity(tx, externalUserId);
    });
  }

  async passkeyOptions(ctx: RequestContext, visitor: Visitor) {
    const owner = await ownerOf(ctx.db, visitor);
    return this.#parts.passkeys.creationOptions(ctx, owner, sessionBinding(visitor));
  }

  /** @throws UserError PASSKEY_REFUSED, PROOF_REQUIRED, SECOND_FACTOR_REQUIRED. */
  async addPasskey(ctx: RequestContext, visitor: Visitor, answer: string, label: string): Promise<NewCodes> {
    const passkey = await this.#parts.passkeys.verifyNew(ctx, sessionBinding(visitor), answer, label);
    return this.#change(ctx, visitor, async (tx, owner) => {
      const now = ctx.clock.now();
      await this.#parts.passkeys.add(tx, owner, passkey, now);
      const signsIn = await this.#parts.offersLocalAccount(tx.db, owner);
      if (signsIn) await linkLocalIdentity(tx, owner, now);
      return firstRecoveryCodes(ctx, tx, owner);
    });
  }

  /** @throws UserError NOT_FOUND, LAST_IDENTITY, PROOF_REQUIRED, SECOND_FACTOR_REQUIRED. */
  removePasskey(ctx: RequestContext, visitor: Visitor, passkeyId: string): Promise<void> {
    return this.#change(ctx, visitor, async (tx, { externalUserId }) => {
      if (!(await this.#parts.passkeys.remove(tx, externalUserId, passkeyId))) throw refuse('NOT_FOUND');
      await requireIdentity(tx, externalUserId);
      await removeUselessRecoveryCodes(tx, externalUserId);
    });
  }

  /** @param sealedSeed of the form that was sent; null: a new seed. */
  async totpEnrolment(ctx: RequestContext, visitor: Visitor, sealedSeed: string | null): Promise<TotpEnrolment> {
    return totpEnrolment(ctx, await ownerOf(ctx.db, visitor), sessionBinding(visitor), sealedSeed);
  }

  /** @throws UserError SECOND_FACTOR_WRONG, PROOF_REQUIRED, SECOND_FACTOR_REQUIRED. */
  addTotp(ctx: RequestContext, visitor: Visitor, form: { sealedSeed: string; code: string }): Promise<NewCodes> {
    return this.#change(ctx, visitor, async (tx, owner) => {
      await enrolTotp(ctx, tx, owner, sessionBinding(visitor), form);
      return firstRecoveryCodes(ctx, tx, owner);
    });
  }

  removeTotp(ctx: RequestContext, visitor: Visitor): Promise<void> {
    return this.#change(ctx, visitor, (tx) => this.#parts.secondFactors.removeTotp(tx, visitor.externalUserId));
  }

  /** @throws UserError NOT_FOUND when there is no second factor they could stand in for. */
  newRecoveryCodes(ctx: RequestContext, visitor: Visitor): Promise<string[]> {
    return this.#change(ctx, visitor, async (tx, owner) => {
      if (!hasSecondFactor(await secondFactorsOf(tx.db, owner.externalUserId))) throw refuse('NOT_FOUND');
      return replaceRecoveryCodes(ctx, tx, owner);
    });
  }

  #change<T>(ctx: RequestContext, visitor: Visitor, work: (tx: Tx, owner: CredentialOwner) => Promise<T>): Promise<T> {
    return ctx.transaction(visitor.tenantId, async (tx) => {
      await this.#parts.holdSession(tx, visitor);
      const owner = await ownerOf(tx.db, visitor);
      const due = proofDue(visitor, await secondFactorsOf(tx.db, owner.externalUserId), ctx.clock.now());
      if (due) throw refuse(due === 'SIGN_IN' ? 'PROOF_REQUIRED' : 'SECOND_FACTOR_REQUIRED');
      return work(tx, owner);
    });
  }
}

async function ownerOf(db: Db, { tenantId, externalUserId }: Visitor): Promise<CredentialOwner> {
  const owner = await findOwner(db, tenantId, externalUserId);
  if (!owner) throw refuse('NOT_FOUND');
  return owner;
}

/** With the first second factor come the codes for whoever loses it. */
export async function firstRecoveryCodes(ctx: RequestContext, tx: Tx, owner: CredentialOwner): Promise<NewCodes> {
  const { recoveryCodes } = await secondFactorsOf(tx.db, owner.externalUserId);
  return recoveryCodes > 0 ? null : replaceRecoveryCodes(ctx, tx, owner);
}
