/**
 * The second factor of a user: by which it can be confirmed, the check of a typed code, and its end, by the person or by
 * an operator. Passkeys are `passkeys.service.ts`; whether one is asked for is `second-factor-policy.ts`.
 */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { refuse, type UserError } from '../../kernel/errors.js';
import { tenantOf } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { ExternalUser } from '../external-users/external-user.entity.js';
import { requireRightOver } from '../operators/right-over-user.service.js';
import { unlinkUnusedLocalIdentity } from './local-identity.js';
import { takeRecoveryCode } from './recovery-codes.service.js';
import { hasSecondFactor, secondFactorsOf } from './second-factors.queries.js';
import { takeTotpCode } from './totp.service.js';
import { countTry, forgetTries, type Tried } from './tries.js';

/** How it was confirmed, as RFC 8176 names it; a recovery code has no name there. */
export type Confirmation = 'otp' | 'recovery';

/** Told in the transaction of the reset: sessions of the user end. */
export type OnSecondFactorReset = (tx: Tx, externalUserId: string) => Promise<void>;

const totpCode = /^\d{6}$/;

export class SecondFactorsService {
  readonly #onReset: OnSecondFactorReset;

  constructor(onReset: OnSecondFactorReset) {
    this.#onReset = onReset;
  }

  /**
   * A code of the authenticator app, or a recovery code: told apart by their form.
   * @returns why it confirms nothing, as a value: SECOND_FACTOR_WRONG, SECOND_FACTOR_LOCKED.
   */
  async confirm(
    ctx: RequestContext,
    tenantId: string,
    externalUserId: string,
    typed: string,
  ): Promise<Confirmation | UserError> {
    const tried: Tried = { tenantId, kind: 'SECOND_FACTOR', subject: externalUserId };
    return ctx.transaction(tenantId, async (tx) => {
      const wait = await countTry(tx, tried, ctx.clock.now());
      if (wait !== null) return refuse('SECOND_FACTOR_LOCKED', { retryAfterSeconds: wait });
      const confirmation = await takeCode(ctx, tx, externalUserId, typed);
      if (!confirmation) return refuse('SECOND_FACTOR_WRONG', { field: ['code'] });
      await forgetTries(tx, tried);
      return confirmation;
    });
  }

  async removeTotp({ db }: Pick<Tx, 'db'>, externalUserId: string): Promise<void> {
    await sql`delete from totp where external_user_id = ${externalUserId}`.execute(db);
    await removeUselessRecoveryCodes({ db }, externalUserId);
  }

  /**
   * By an operator, for whoever lost theirs: passkeys, authenticator app and recovery codes are gone, the password stays.
   * @returns the user's id.
   * @throws RequestError FORBIDDEN as `requireRightOver`.
   */
  async reset(ctx: RequestContext, externalUserId: string): Promise<string> {
    const tenantId = await tenantOf(ctx, 'ExternalUser', ExternalUser, externalUserId, 'externalUserId');
    await ctx.transaction(tenantId, async (tx) => {
      await requireRightOver(ctx, tx, externalUserId);
      // Whoever sets one up holds the user, too: what they set up is seen here, or refused afterwards.
      await sql`select from external_user where id = ${externalUserId} for no key update`.execute(tx.db);
      await sql`delete from passkey where external_user_id = ${externalUserId}`.execute(tx.db);
      await sql`delete from totp where external_user_id = ${externalUserId}`.execute(tx.db);
      await sql`delete from recovery_code where external_user_id = ${externalUserId}`.execute(tx.db);
      await unlinkUnusedLocalIdentity(tx, externalUserId);
      await forgetTries(tx, { tenantId, kind: 'SECOND_FACTOR', subject: externalUserId });
      await this.#onReset(tx, externalUserId);
    });
    return externalUserId;
  }
}

async function takeCode(
  ctx: RequestContext,
  tx: Tx,
  externalUserId: string,
  typed: string,
): Promise<Confirmation | null> {
  const digits = typed.normalize('NFKC').replace(/[\s-]/g, '');
  if (totpCode.test(digits)) return (await takeTotpCode(ctx, tx, externalUserId, digits)) ? 'otp' : null;
  return (await takeRecoveryCode(ctx, tx, externalUserId, typed)) ? 'recovery' : null;
}

/** They stand in for a factor; without one there is nothing to recover. */
export async function removeUselessRecoveryCodes({ db }: Pick<Tx, 'db'>, externalUserId: string): Promise<void> {
  if (hasSecondFactor(await secondFactorsOf(db, externalUserId))) return;
  await sql`delete from recovery_code where external_user_id = ${externalUserId}`.execute(db);
}
