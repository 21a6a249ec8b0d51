/**
 * The library's storage on PostgreSQL, for one tenant. Ids are mostly bearer secrets: rows are found by their hashes, and
 * what the library wants to keep is sealed. Consuming is atomic: of several requests with one code or refresh token one
 * goes on, and the others end everything that was given for it. Sessions are `session-adapter.ts`, clients `client-adapter.ts`.
 */
import { type RawBuilder, sql } from 'kysely';
import { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import type { Db } from '../database/transaction.js';
import { hashToken, type Secrets } from '../kernel/secrets.js';
import type { RequestContext } from '../request/request-context.js';

/** Made anew for each call; acts for one tenant. */
export type TenantContext = () => RequestContext;

interface StoredRow {
  sealed: Buffer;
  consumedAt: Date | null;
}

export class PayloadAdapter implements Adapter {
  readonly #model: string;
  readonly #tenantId: string;
  readonly #context: TenantContext;

  constructor(model: string, tenantId: string, context: TenantContext) {
    this.#model = model;
    this.#tenantId = tenantId;
    this.#context = context;
  }

  /** @param expiresIn seconds; 0 or less when it is over already */
  async upsert(id: string, payload: AdapterPayload, expiresIn?: number): Promise<void> {
    await this.#context().oneStatement(this.#tenantId, ({ db }) => this.upsertIn(db, id, payload, expiresIn));
  }

  /** In the caller's transaction. */
  async upsertIn(db: Db, id: string, payload: AdapterPayload, expiresIn = 0): Promise<void> {
    const { secrets } = this.#context();
    const expiresAt = new Date((payload.exp ?? Math.floor(Date.now() / 1000) + expiresIn) * 1000);
    const { grantId, uid, userCode, clientId: appId, accountId } = payload;
    const { numAffectedRows } = await sql`
      insert into oidc_payload as known (tenant_id, model, id_hash, sealed_payload, app_id, external_user_id, grant_hash,
        uid_hash, user_code_hash, expires_at)
      values (${this.#tenantId}, ${this.#model}, ${hashToken(id)},
        ${secrets.seal(JSON.stringify({ ...payload, jti: id }), sealContext(this.#tenantId, this.#model))},
        ${appId ?? null}, ${accountId ?? null}, ${grantId ? hashToken(grantId) : null}, ${uid ? hashToken(uid) : null},
        ${userCode ? secrets.sign('oidc', this.#userCodeMessage(userCode)) : null}, ${expiresAt})
      on conflict (tenant_id, model, id_hash) do ${this.#onConflict()}`.execute(db);
    if (numAffectedRows === 0n) throw new errors.InvalidRequest('it was used before');
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    return this.findIn(this.#context().db, id);
  }

  async findIn(db: Db, id: string): Promise<AdapterPayload | undefined> {
    return this.#findWhere(db, sql`id_hash = ${hashToken(id)}`);
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#findWhere(this.#context().db, sql`uid_hash = ${hashToken(uid)}`);
  }

  async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    const hashes = this.#context().secrets.signatures('oidc', this.#userCodeMessage(userCode));
    return this.#findWhere(this.#context().db, sql`user_code_hash = any(${hashes})`);
  }

  /** @throws errors.InvalidGrant (InvalidRequestUri of a pushed request) when somebody else was first; what was given for it is gone then. */
  async consume(id: string): Promise<void> {
    const ctx = this.#context();
    const { rows } = await ctx.oneStatement(this.#tenantId, ({ db }) =>
      sql`
        update oidc_payload set consumed_at = ${ctx.clock.now()}
        where tenant_id = ${this.#tenantId} and model = ${this.#model} and id_hash = ${hashToken(id)}
          and consumed_at is null
        returning 1`.execute(db),
    );
    if (rows.length > 0) return;
    const grantId = (await this.find(id))?.grantId;
    if (grantId) await revokeGrant(ctx, this.#tenantId, grantId);
    throw this.#model === 'PushedAuthorizationRequest'
      ? new errors.InvalidRequestUri('request_uri was used before')
      : new errors.InvalidGrant('it was used before');
  }

  async destroy(id: string): Promise<void> {
    await this.#context().oneStatement(this.#tenantId, ({ db }) =>
      sql`
        delete from oidc_payload
        where tenant_id = ${this.#tenantId} and model = ${this.#model} and id_hash = ${hashToken(id)}`.execute(db),
    );
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    await this.#context().oneStatement(this.#tenantId, ({ db }) =>
      sql`
        delete from oidc_payload
        where tenant_id = ${this.#tenantId} and model = ${this.#model} and grant_hash = ${hashToken(grantId)}`.execute(
        db,
      ),
    );
  }

  async #findWhere(db: Db, condition: RawBuilder<unknown>): Promise<AdapterPayload | undefined> {
    const { secrets } = this.#context();
    const { rows } = await sql<StoredRow>`
      select sealed_payload as sealed, consumed_at as "consumedAt" from oidc_payload
      where tenant_id = ${this.#tenantId} and model = ${this.#model} and ${condition}`.execute(db);
    const [row] = rows;
    if (!row) return undefined;
    const payload = openPayload(secrets, row.sealed, this.#tenantId, this.#model);
    return row.consumedAt ? { ...payload, consumed: Math.floor(row.consumedAt.getTime() / 1000) } : payload;
  }

  /** What detects replays is written once: of two requests at the same time the second must not pass. */
  #onConflict(): RawBuilder<unknown> {
    if (this.#model === 'ReplayDetection') return sql`nothing`;
    return sql`update set sealed_payload = excluded.sealed_payload, app_id = excluded.app_id,
      external_user_id = excluded.external_user_id, grant_hash = excluded.grant_hash, uid_hash = excluded.uid_hash,
      user_code_hash = excluded.user_code_hash, expires_at = excluded.expires_at`;
  }

  #userCodeMessage(userCode: string): string {
    return `user code/${this.#tenantId}/${userCode}`;
  }
}

export function openPayload(secrets: Secrets, sealed: Buffer, tenantId: string, model: string): AdapterPayload {
  return JSON.parse(secrets.open(sealed, sealContext(tenantId, model))) as AdapterPayload;
}

const sealContext = (tenantId: string, model: string) => `oidc_payload:${tenantId}:${model}`;

/** A grant with every code and token that came of it. */
export async function revokeGrant(ctx: RequestContext, tenantId: string, grantId: string): Promise<void> {
  const hash = hashToken(grantId);
  await ctx.oneStatement(tenantId, ({ db }) =>
    sql`
      delete from oidc_payload
      where tenant_id = ${tenantId} and (grant_hash = ${hash} or (model = 'Grant' and id_hash = ${hash}))`.execute(db),
  );
}

const BATCH = 5000;

/** For the job: codes, tokens and sessions that are over; a day longer, so that a late replay is still recognised. */
export async function forgetExpiredPayloads(ctx: RequestContext, before: Date): Promise<void> {
  for (let deleted = BATCH; deleted === BATCH; ) {
    const { numAffectedRows } = await ctx.oneStatement(null, ({ db }) =>
      sql`
        delete from oidc_payload where ctid = any(array(
          select ctid from oidc_payload where expires_at < ${before} order by expires_at limit ${BATCH}))`.execute(db),
    );
    deleted = Number(numAffectedRows ?? 0n);
  }
}
