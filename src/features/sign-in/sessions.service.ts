/**
 * Sessions: opened after a proof, found by their token, ended. It decides nothing about who may sign in (`sign-in.service.ts`)
 * and knows no cookies (`web/session-cookie.ts`). Nothing is remembered by a process: each look asks the table, so that who
 * is blocked is out everywhere at once.
 */
import { type RawBuilder, sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { type Clock, DAY, later, MINUTE } from '../../kernel/clock.js';
import { refuse } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import { hashToken, randomToken } from '../../kernel/secrets.js';
import { tenantOf } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { ExternalUser } from '../external-users/external-user.entity.js';
import { GuestSession, type SessionEndReason } from './session.entity.js';

/** What others need to know of somebody who is signed in. */
export interface LiveSession {
  id: string;
  tenantId: string;
  externalUserId: string;
  /** Null: it was unlinked since. */
  identityId: string | null;
  authenticatedAt: Date;
  /** RFC 8176 */
  amr: string[];
  /** Null: no second factor was shown. */
  secondFactorAt: Date | null;
}

export interface NewSession extends Omit<LiveSession, 'id'> {
  /** The address that the sign-in proved; null: none. */
  provenEmailKey: string | null;
  device: string | null;
  /** Token of the session that this browser had before; it ends. */
  replaces: string | null;
}

export interface OpenedSession {
  session: LiveSession;
  /** For the cookie alone; not kept. */
  token: string;
}

export interface EndedSession {
  id: string;
  tenantId: string;
  externalUserId: string;
  reason: SessionEndReason;
}

/** Told in the transaction that ends them. */
export type SessionEndListener = (tx: Tx, ended: readonly EndedSession[]) => Promise<void>;

export interface SessionsOptions {
  clock: Clock;
  /** Milliseconds without use. */
  idle: number;
  /** Milliseconds from the sign-in. */
  lifetime: number;
}

/** How often a session's use is written down. */
const SEEN_EVERY = MINUTE;
/** How long one that is over is kept. */
const KEPT_AFTER_END = 30 * DAY;
const SWEEP_BATCH = 5000;

export class SessionsService {
  readonly #options: SessionsOptions;
  readonly #listeners: SessionEndListener[] = [];

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** For what hangs on a session and ends with it. */
  onEnd(listener: SessionEndListener): void {
    this.#listeners.push(listener);
  }

  /**
   * Also notes that the user signed in, which locks the user's row: whoever is blocked at this moment gets no session, or
   * one that the block ends.
   * @throws UserError ACCOUNT_DISABLED
   */
  async open(tx: Tx, { device, replaces, provenEmailKey, ...session }: NewSession): Promise<OpenedSession> {
    const { tenantId, externalUserId, identityId, authenticatedAt, amr, secondFactorAt } = session;
    const [id, token, now] = [newId('Session'), randomToken(), this.#options.clock.now()];
    if (replaces !== null) await this.#end(tx, sql`token_hash = ${hashToken(replaces)}`, 'REPLACED');
    const { numAffectedRows } = await sql`
      with welcomed as (
        update external_user set last_sign_in_at = ${now}
        where id = ${externalUserId} and tenant_id = ${tenantId} and account_enabled and state = 'ACCEPTED' returning id
      )
      insert into guest_session (id, tenant_id, external_user_id, identity_id, token_hash, authenticated_at, amr,
        second_factor_at, proven_email_key, device, created_at, last_seen_at, expires_at)
      select ${id}, ${tenantId}, welcomed.id, ${identityId}, ${hashToken(token)}, ${authenticatedAt}, ${amr},
        ${secondFactorAt}, ${provenEmailKey}, ${device}, ${now}, ${now}, ${later(now, this.#options.lifetime)}
      from welcomed`.execute(tx.db);
    if (numAffectedRows !== 1n) throw refuse('ACCOUNT_DISABLED');
    return { session: { id, ...session }, token };
  }

  /** Null: there is none, it is over, or its user may not sign in any more. Its use is noted, once a minute at most. */
  async find(ctx: RequestContext, tenantId: string, token: string): Promise<LiveSession | null> {
    const now = this.#options.clock.now();
    const { rows } = await sql<LiveSession>`
      with found as (
        select s.id, s.last_seen_at, s.tenant_id as "tenantId", s.external_user_id as "externalUserId",
          s.identity_id as "identityId", s.authenticated_at as "authenticatedAt", s.amr, s.second_factor_at as "secondFactorAt"
        from guest_session s join external_user u on u.id = s.external_user_id and u.account_enabled
        where s.token_hash = ${hashToken(token)} and s.tenant_id = ${tenantId} and ${this.isLive(now)}
      ),
      seen as (
        update guest_session s set last_seen_at = ${now} from found
        where s.id = found.id and s.ended_at is null and found.last_seen_at <= ${later(now, -SEEN_EVERY)}
      )
      select id, "tenantId", "externalUserId", "identityId", "authenticatedAt", amr, "secondFactorAt" from found`.execute(
      ctx.db,
    );
    return rows[0] ?? null;
  }

  /**
   * For what is changed in a session about how its person signs in. Their row is locked, as by whatever takes ways to sign in
   * away: that is seen here, or waits and then sees what was changed.
   * @throws UserError PROOF_REQUIRED when the session is over.
   */
  async hold(tx: Tx, { id, externalUserId }: Pick<LiveSession, 'id' | 'externalUserId'>): Promise<void> {
    await sql`
      select from external_user where id = ${externalUserId} and tenant_id = ${tx.tenantId} for no key update`.execute(
      tx.db,
    );
    const { rows } = await sql`
      select from guest_session s join external_user u on u.id = s.external_user_id and u.account_enabled
      where s.id = ${id} and s.external_user_id = ${externalUserId} and s.tenant_id = ${tx.tenantId}
        and ${this.isLive(this.#options.clock.now())}`.execute(tx.db);
    if (rows.length === 0) throw refuse('PROOF_REQUIRED');
  }

  /** A condition on `guest_session s`. */
  isLive(now: Date): RawBuilder<boolean> {
    return sql<boolean>`(s.ended_at is null and s.expires_at > ${now} and s.last_seen_at > ${later(now, -this.#options.idle)})`;
  }

  /**
   * More was shown in a session: its token is replaced, so that who knew the old one has no part in it.
   * @returns the new token.
   * @throws UserError NOT_FOUND when the session is over by now.
   */
  async elevate(tx: Tx, id: string, { amr, secondFactorAt }: { amr: string[]; secondFactorAt: Date }): Promise<string> {
    const token = randomToken();
    const { numAffectedRows } = await sql`
      update guest_session set token_hash = ${hashToken(token)}, second_factor_at = ${secondFactorAt},
        amr = array(select distinct unnest(amr || ${amr}::text[]))
      where id = ${id} and tenant_id = ${tx.tenantId} and ended_at is null`.execute(tx.db);
    if (numAffectedRows !== 1n) throw refuse('NOT_FOUND');
    return token;
  }

  /** An ended one stays as it is. @throws UserError NOT_FOUND at `sessionId`. */
  async end(ctx: RequestContext, id: string, reason: SessionEndReason): Promise<void> {
    const tenantId = await tenantOf(ctx, 'Session', GuestSession, id, 'sessionId');
    await ctx.transaction(tenantId, (tx) => this.#end(tx, sql`id = ${id}`, reason));
  }

  /** @throws UserError NOT_FOUND at `externalUserId`. */
  async endAllOfUser(ctx: RequestContext, externalUserId: string): Promise<void> {
    const tenantId = await tenantOf(ctx, 'ExternalUser', ExternalUser, externalUserId, 'externalUserId');
    await ctx.transaction(tenantId, (tx) => this.endAllOf(tx, externalUserId, 'ENDED'));
  }

  endAllOf(tx: Tx, externalUserId: string, reason: SessionEndReason): Promise<void> {
    return this.#end(tx, sql`external_user_id = ${externalUserId}`, reason);
  }

  /** All of the same person but this one. */
  endOthersThan(
    tx: Tx,
    { id, externalUserId }: Pick<LiveSession, 'id' | 'externalUserId'>,
    reason: SessionEndReason,
  ): Promise<void> {
    return this.#end(tx, sql`external_user_id = ${externalUserId} and id <> ${id}`, reason);
  }

  /** Those that were opened by this identity. */
  endAllBy(tx: Tx, identityId: string, reason: SessionEndReason): Promise<void> {
    return this.#end(tx, sql`identity_id = ${identityId}`, reason);
  }

  endOneOf(tx: Tx, externalUserId: string, id: string, reason: SessionEndReason): Promise<void> {
    return this.#end(tx, sql`id = ${id} and external_user_id = ${externalUserId}`, reason);
  }

  async #end(tx: Tx, which: RawBuilder<unknown>, reason: SessionEndReason): Promise<void> {
    const { rows } = await sql<EndedSession>`
      update guest_session set ended_at = ${this.#options.clock.now()}, end_reason = ${reason}
      where ${which} and tenant_id = ${tx.tenantId} and ended_at is null
      returning id, tenant_id as "tenantId", external_user_id as "externalUserId", end_reason as reason`.execute(tx.db);
    if (rows.length === 0) return;
    for (const listener of this.#listeners) await listener(tx, rows);
  }

  /** Deletes what has been over for long. Ended or not, none outlives `expires_at`. */
  async deleteOld(ctx: RequestContext): Promise<void> {
    const over = later(this.#options.clock.now(), -KEPT_AFTER_END);
    let deleted: bigint;
    do {
      const result = await ctx.transaction(null, ({ db }) =>
        sql`delete from guest_session where id in (
          select id from guest_session where expires_at <= ${over} order by expires_at limit ${SWEEP_BATCH}
        )`.execute(db),
      );
      deleted = result.numAffectedRows ?? 0n;
    } while (deleted === BigInt(SWEEP_BATCH));
  }
}
