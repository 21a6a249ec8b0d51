/**
 * Passwords of local accounts: set by whoever has just proven the address, and compared at sign-in. Tries are counted by
 * address before anything is compared; too many lock the password for a while, never the account: a passcode still comes
 * by mail. Nothing is held open in the database while a password is hashed.
 */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { refuse, type UserError } from '../../kernel/errors.js';
import type { RequestContext } from '../../request/request-context.js';
import { commonPasswords } from './common-passwords.js';
import type { CredentialOwner } from './credential-owner.js';
import {
  LOCAL_ISSUER,
  LOCAL_PROVIDER,
  linkLocalIdentity,
  unlinkUnusedLocalIdentity,
  withdrawLocalProofs,
} from './local-identity.js';
import { passwordRefusal, preparePassword } from './password.rules.js';
import type { PasswordHasher } from './password-hasher.js';
import { countTry, forgetTries, type Tried } from './tries.js';

/** Who signs in by a password or a passkey of the gateway. */
export interface LocalAccount {
  externalUserId: string;
  identityId: string;
  /** Of the identity. */
  subject: string;
}

/** A password that was found good, as it will be kept. */
export type HashedPassword = string & { readonly hashed: unique symbol };

export class PasswordsService {
  readonly #hasher: PasswordHasher;

  constructor(hasher: PasswordHasher) {
    this.#hasher = hasher;
  }

  /** Before the transaction that sets it. @throws UserError PASSWORD_INVALID, PASSWORD_GUESSABLE, RATE_LIMITED. */
  async prepare(owner: CredentialOwner, password: string): Promise<HashedPassword> {
    const prepared = preparePassword(password);
    const common = await commonPasswords();
    const refusal = passwordRefusal(prepared, owner, (word) => common.has(word));
    if (refusal) throw refuse(refusal, { field: ['password'] });
    return (await this.#hasher.hash(prepared)) as HashedPassword;
  }

  /** In place of an earlier one, whose lock ends. @returns whether there was one. */
  async set({ db }: Pick<Tx, 'db'>, owner: CredentialOwner, password: HashedPassword, now: Date): Promise<boolean> {
    const { tenantId, externalUserId } = owner;
    const hash = Buffer.from(password);
    const { rows } = await sql<{ wasThere: boolean }>`
      insert into local_password as known (external_user_id, tenant_id, password_hash, created_at, changed_at)
      values (${externalUserId}, ${tenantId}, ${hash}, ${now}, ${now})
      on conflict (external_user_id) do update set password_hash = excluded.password_hash, changed_at = excluded.changed_at
      returning known.created_at <> known.changed_at as "wasThere"`.execute(db);
    await linkLocalIdentity({ db }, owner, now);
    await withdrawLocalProofs({ db }, externalUserId);
    await forgetTries({ db }, triesOf(tenantId, owner.emailKey));
    return rows[0]?.wasThere ?? false;
  }

  async remove({ db }: Pick<Tx, 'db'>, externalUserId: string): Promise<void> {
    await withdrawLocalProofs({ db }, externalUserId);
    await sql`delete from local_password where external_user_id = ${externalUserId}`.execute(db);
    await unlinkUnusedLocalIdentity({ db }, externalUserId);
  }

  /**
   * Takes as long for an address nobody has.
   * @returns whose password it is, or why it is nobody's: PASSWORD_WRONG, PASSWORD_LOCKED.
   * @throws UserError RATE_LIMITED when too many are compared at this moment.
   */
  async verify(
    ctx: RequestContext,
    tenantId: string,
    emailKey: string,
    password: string,
  ): Promise<LocalAccount | UserError> {
    const tried = triesOf(tenantId, emailKey);
    const wait = await ctx.oneStatement(tenantId, (scope) => countTry(scope, tried, ctx.clock.now()));
    if (wait !== null) return refuse('PASSWORD_LOCKED', { retryAfterSeconds: wait });
    const known = await findPassword(ctx, tenantId, emailKey);
    const prepared = preparePassword(password);
    const { fits, isOutdated } = await this.#hasher.verify(known?.passwordHash.toString() ?? null, prepared);
    const newer = fits && isOutdated ? Buffer.from(await this.#hasher.hash(prepared)) : null;
    if (!known || !fits || !(await noteUse(ctx, tenantId, known, newer))) {
      return refuse('PASSWORD_WRONG', { field: ['password'] });
    }
    await ctx.oneStatement(tenantId, (scope) => forgetTries(scope, tried));
    const { externalUserId, identityId, subject } = known;
    return { externalUserId, identityId, subject };
  }
}

function triesOf(tenantId: string, emailKey: string): Tried {
  return { tenantId, kind: 'PASSWORD', subject: emailKey };
}

interface KnownPassword extends LocalAccount {
  passwordHash: Buffer;
}

/** By the identity, as every sign-in; a user who is blocked has none. */
async function findPassword(
  ctx: RequestContext,
  tenantId: string,
  emailKey: string,
): Promise<KnownPassword | undefined> {
  const { rows } = await sql<KnownPassword>`
    select i.external_user_id as "externalUserId", i.id as "identityId", i.subject, p.password_hash as "passwordHash"
    from identity i
    join external_user u on u.id = i.external_user_id and u.account_enabled
    join local_password p on p.external_user_id = i.external_user_id
    where i.tenant_id = ${tenantId} and i.identity_provider_id = ${LOCAL_PROVIDER} and i.issuer = ${LOCAL_ISSUER}
      and i.subject = ${emailKey}`.execute(ctx.db);
  return rows[0];
}

/**
 * @param newer the same password under today's parameters.
 * @returns false when the password was changed or removed while it was compared.
 */
async function noteUse(
  ctx: RequestContext,
  tenantId: string,
  { externalUserId, passwordHash }: KnownPassword,
  newer: Buffer | null,
): Promise<boolean> {
  const { numAffectedRows } = await ctx.oneStatement(tenantId, ({ db }) =>
    sql`
      update local_password set last_used_at = ${ctx.clock.now()}, password_hash = coalesce(${newer}::bytea, password_hash)
      where external_user_id = ${externalUserId} and password_hash = ${passwordHash}`.execute(db),
  );
  return numAffectedRows === 1n;
}
