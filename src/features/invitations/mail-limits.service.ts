/**
 * How many mails may be asked for: 10 in 10 minutes per tenant and address, 50 per address over all tenants, and an hourly
 * quota per tenant. Counted in PostgreSQL, so that the limit holds over all processes; copies, resends and passcodes count.
 */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { HOUR, later, MINUTE } from '../../kernel/clock.js';
import { refuse, type UserErrorEntry, userErrorEntry } from '../../kernel/errors.js';
import type { RequestContext } from '../../request/request-context.js';

export const MAILS_PER_ADDRESS = 10;
export const MAILS_PER_ADDRESS_EVERYWHERE = 50;
const ADDRESS_WINDOW = 10 * MINUTE;
/** Spreads the counter of a busy tenant over rows, so that transactions do not queue up behind one. */
const SHARDS = 16;

export interface MailRequestCount {
  addressKey: string;
  count: number;
}

export class MailLimits {
  readonly #mailsPerTenantPerHour: number;

  constructor(mailsPerTenantPerHour: number) {
    this.#mailsPerTenantPerHour = mailsPerTenantPerHour;
  }

  /**
   * Checks and counts mails to one address.
   * @throws UserError RATE_LIMITED with retryAfterSeconds, or QUOTA_EXCEEDED.
   */
  async admit(ctx: RequestContext, tx: Tx, request: MailRequestCount): Promise<void> {
    const refusals = await this.check(ctx, tx, [request]);
    const refusal = refusals.get(request.addressKey);
    if (refusal) throw refuse(refusal.code, refusal.retryAfterSeconds === null ? {} : { retryAfterSeconds: refusal.retryAfterSeconds });
    await this.count(ctx, tx, [request]);
  }

  /** What must not be sent now, by address. */
  async check(ctx: RequestContext, tx: Tx, requests: readonly MailRequestCount[]): Promise<Map<string, UserErrorEntry>> {
    const now = ctx.clock.now();
    const { rows } = await sql<{ address_key: string; here: number; everywhere: number; oldest: Date }>`
      select address_key, count(*) filter (where tenant_id = ${tx.tenantId})::int as here, count(*)::int as everywhere,
        min(requested_at) as oldest
      from mail_request
      where address_key = any(${requests.map((request) => request.addressKey)}) and requested_at > ${later(now, -ADDRESS_WINDOW)}
      group by address_key`.execute(tx.db);
    const recent = new Map(rows.map((row) => [row.address_key, row]));
    const refusals = new Map<string, UserErrorEntry>();
    for (const { addressKey, count } of requests) {
      const sent = recent.get(addressKey);
      if (!sent || (sent.here + count <= MAILS_PER_ADDRESS && sent.everywhere + count <= MAILS_PER_ADDRESS_EVERYWHERE)) continue;
      refusals.set(addressKey, rateLimited(sent.oldest, now));
    }
    if (refusals.size < requests.length) await this.#checkQuota(tx, requests, refusals, now);
    return refusals;
  }

  async count(ctx: RequestContext, tx: Tx, requests: readonly MailRequestCount[]): Promise<void> {
    const now = ctx.clock.now();
    const total = sum(requests);
    if (total === 0) return;
    await sql`
      with counted as (
        insert into tenant_mail_count (tenant_id, hour, shard, mails)
        values (${tx.tenantId}, ${hourOf(now)}, ${Math.floor(Math.random() * SHARDS)}, ${total})
        on conflict (tenant_id, hour, shard) do update set mails = tenant_mail_count.mails + excluded.mails
      )
      insert into mail_request (tenant_id, address_key, requested_at)
      select ${tx.tenantId}, request.key, ${now}
      from unnest(${requests.map((request) => request.addressKey)}::text[], ${requests.map((request) => request.count)}::int[])
        as request (key, times), generate_series(1, request.times)`.execute(tx.db);
  }

  async #checkQuota(tx: Tx, requests: readonly MailRequestCount[], refusals: Map<string, UserErrorEntry>, now: Date): Promise<void> {
    const { rows } = await sql<{ mails: number }>`
      select coalesce(sum(mails), 0)::int as mails from tenant_mail_count
      where tenant_id = ${tx.tenantId} and hour = ${hourOf(now)}`.execute(tx.db);
    let left = this.#mailsPerTenantPerHour - (rows[0]?.mails ?? 0);
    const retryAfterSeconds = Math.ceil((hourOf(now).getTime() + HOUR - now.getTime()) / 1000);
    for (const { addressKey, count } of requests) {
      if (refusals.has(addressKey)) continue;
      left -= count;
      if (left < 0) refusals.set(addressKey, userErrorEntry('QUOTA_EXCEEDED', { retryAfterSeconds }));
    }
  }
}

function rateLimited(oldest: Date, now: Date): UserErrorEntry {
  const retryAfterSeconds = Math.max(1, Math.ceil((oldest.getTime() + ADDRESS_WINDOW - now.getTime()) / 1000));
  return userErrorEntry('RATE_LIMITED', { retryAfterSeconds });
}

function hourOf(now: Date): Date {
  return new Date(Math.floor(now.getTime() / HOUR) * HOUR);
}

function sum(requests: readonly MailRequestCount[]): number {
  return requests.reduce((total, request) => total + request.count, 0);
}

/** Deletes what no limit looks at any more. */
export async function forgetOldMailRequests(ctx: RequestContext): Promise<void> {
  const now = ctx.clock.now();
  await ctx.transaction(null, async ({ db }) => {
    await sql`delete from mail_request where requested_at < ${later(now, -ADDRESS_WINDOW)}`.execute(db);
    await sql`delete from tenant_mail_count where hour < ${later(now, -2 * HOUR)}`.execute(db);
  });
}
