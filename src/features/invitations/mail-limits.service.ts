/**
 * How many mails may be asked for: 10 in 10 minutes per tenant and address, 50 per address over all tenants, and an hourly
 * quota per tenant. Counted in PostgreSQL, so that the limit holds over all processes; copies, resends and passcodes count.
 */
import { type RawBuilder, sql } from 'kysely';
import type { Scope } from '../../database/transaction.js';
import { HOUR, later, MINUTE, SECOND } from '../../kernel/clock.js';
import { UserError, type UserErrorEntry, userErrorEntry } from '../../kernel/errors.js';
import type { RequestContext } from '../../request/request-context.js';

export const MAILS_PER_ADDRESS = 10;
const MAILS_PER_ADDRESS_EVERYWHERE = 50;
const ADDRESS_WINDOW = 10 * MINUTE;
/** Spreads the counter of a busy tenant over rows, so that transactions do not queue up behind one. */
const SHARDS = 16;

export interface MailRequestCount {
  addressKey: string;
  count: number;
}

/** Mails that are sent together or not at all: an invitation and its copies. */
export interface MailsWanted {
  id: string;
  addressKeys: readonly string[];
}

export interface MailsRefused {
  error: UserErrorEntry;
  /** Who was sent too many; null: it is the tenant's quota. */
  addressKey: string | null;
}

interface AddressCount {
  addressKey: string;
  here: number;
  everywhere: number;
  oldest: Date;
}

export class MailLimits {
  readonly #mailsPerTenantPerHour: number;

  constructor(mailsPerTenantPerHour: number) {
    this.#mailsPerTenantPerHour = mailsPerTenantPerHour;
  }

  /**
   * Checks and counts mails that go out together, one for each address.
   * @throws UserError RATE_LIMITED with retryAfterSeconds, or QUOTA_EXCEEDED.
   */
  async admit(ctx: RequestContext, scope: Scope, addressKeys: readonly string[]): Promise<void> {
    const [refusal] = (await this.check(ctx, scope, [{ id: '', addressKeys }])).values();
    if (refusal) throw new UserError([refusal.error]);
    await this.#count(
      ctx,
      scope,
      addressKeys.map((addressKey) => ({ addressKey, count: 1 })),
    );
  }

  /** What must not be sent now, by id, when all is sent in this order; one read. */
  async check(
    ctx: RequestContext,
    { db, tenantId }: Scope,
    wanted: readonly MailsWanted[],
  ): Promise<Map<string, MailsRefused>> {
    const now = ctx.clock.now();
    const addressKeys = [...new Set(wanted.flatMap((mails) => mails.addressKeys))];
    if (addressKeys.length === 0) return new Map();
    const { rows } = await sql<AddressCount & { sentThisHour: number }>`
      with recent as (
        select address_key as "addressKey", count(*) filter (where tenant_id = ${tenantId})::int as here,
          count(*)::int as everywhere, min(requested_at) as oldest
        from mail_request
        where address_key = any(${addressKeys}) and requested_at > ${later(now, -ADDRESS_WINDOW)}
        group by address_key
      ),
      quota as (
        select coalesce(sum(mails), 0)::int as "sentThisHour" from tenant_mail_count
        where tenant_id = ${tenantId} and hour = ${hourOf(now)}
      )
      select * from quota left join recent on true`.execute(db);
    const left = this.#mailsPerTenantPerHour - (rows[0]?.sentThisHour ?? 0);
    return refuseBeyond(new Map(rows.map((row) => [row.addressKey, row])), left, wanted, now);
  }

  async #count(ctx: RequestContext, { db, tenantId }: Scope, requests: readonly MailRequestCount[]): Promise<void> {
    if (requests.length > 0) await sql`with ${countMails(tenantId, requests, ctx.clock.now())} select 1`.execute(db);
  }
}

/** Counts mails, as parts of a larger statement: `with …, ${countMails(…)} select …`. */
export function countMails(
  tenantId: string | null,
  requests: readonly MailRequestCount[],
  now: Date,
): RawBuilder<unknown> {
  return sql`
    counted_for_tenant as (
      insert into tenant_mail_count (tenant_id, hour, shard, mails)
      values (${tenantId}, ${hourOf(now)}, ${Math.floor(Math.random() * SHARDS)}, ${sum(requests)})
      on conflict (tenant_id, hour, shard) do update set mails = tenant_mail_count.mails + excluded.mails
    ),
    counted_for_address as (
      insert into mail_request (tenant_id, address_key, requested_at)
      select ${tenantId}, request.key, ${now}
      from unnest(${requests.map((request) => request.addressKey)}::text[], ${requests.map((request) => request.count)}::int[])
        as request (key, times), generate_series(1, request.times)
    )`;
}

function refuseBeyond(
  counts: Map<string, AddressCount>,
  quota: number,
  wanted: readonly MailsWanted[],
  now: Date,
): Map<string, MailsRefused> {
  const refusals = new Map<string, MailsRefused>();
  let left = quota;
  for (const { id, addressKeys } of wanted) {
    const full = addressKeys.map((key) => counts.get(key)).find((count) => count && isFull(count));
    if (full) {
      const error = refusalUntil('RATE_LIMITED', later(full.oldest, ADDRESS_WINDOW), now);
      refusals.set(id, { error, addressKey: full.addressKey });
    } else if (left < addressKeys.length) {
      refusals.set(id, { error: refusalUntil('QUOTA_EXCEEDED', later(hourOf(now), HOUR), now), addressKey: null });
    } else {
      left -= addressKeys.length;
      for (const key of addressKeys) counts.set(key, oneMore(key, counts.get(key), now));
    }
  }
  return refusals;
}

function isFull({ here, everywhere }: AddressCount): boolean {
  return here >= MAILS_PER_ADDRESS || everywhere >= MAILS_PER_ADDRESS_EVERYWHERE;
}

function oneMore(addressKey: string, known: AddressCount | undefined, now: Date): AddressCount {
  const { here, everywhere, oldest } = known ?? { here: 0, everywhere: 0, oldest: now };
  return { addressKey, here: here + 1, everywhere: everywhere + 1, oldest };
}

function refusalUntil(code: 'RATE_LIMITED' | 'QUOTA_EXCEEDED', until: Date, now: Date): UserErrorEntry {
  return userErrorEntry(code, {
    retryAfterSeconds: Math.max(1, Math.ceil((until.getTime() - now.getTime()) / SECOND)),
  });
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
