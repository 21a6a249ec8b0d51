/**
 * How many mails may be asked for: 10 in 10 minutes per tenant and address, 50 per address over all tenants, and an hourly
 * quota per tenant. Counted in PostgreSQL, so that the limit holds over all processes; copies, resends and passcodes count.
 * Who was sent too many copies gets no more of them, which holds up nobody's invitation.
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

/** A guest's mail and its copies. */
export interface MailsWanted {
  id: string;
  addressKey: string;
  copyKeys: readonly string[];
}

/** The guest's mail may not go; or it goes, without some of its copies. */
export type MailVerdict = { refusal: UserErrorEntry } | { refusal: null; withoutCopies: ReadonlySet<string> };

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
   * Checks and counts a guest's mail and its copies.
   * @param isSent false: it is asked for and goes to nobody, which the address counts like any other, and the tenant not.
   * @returns the copies that must be left out.
   * @throws UserError RATE_LIMITED with retryAfterSeconds, or QUOTA_EXCEEDED.
   */
  async admit(
    ctx: RequestContext,
    scope: Scope,
    addressKey: string,
    copyKeys: readonly string[] = [],
    isSent = true,
  ): Promise<ReadonlySet<string>> {
    const verdict = (await this.check(ctx, scope, [{ id: '', addressKey, copyKeys }])).get('');
    if (verdict?.refusal) throw new UserError([verdict.refusal]);
    const withoutCopies = verdict?.withoutCopies ?? new Set();
    const keys = [addressKey, ...copyKeys.filter((key) => !withoutCopies.has(key))];
    await this.#count(ctx, scope, keys, isSent);
    return withoutCopies;
  }

  /**
   * What may be sent now, by id, when all is sent in this order; one read.
   * @param mailsBefore to be sent before these, and counted nowhere yet.
   */
  async check(
    ctx: RequestContext,
    { db, tenantId }: Scope,
    wanted: readonly MailsWanted[],
    mailsBefore = 0,
  ): Promise<Map<string, MailVerdict>> {
    if (wanted.length === 0) return new Map();
    const now = ctx.clock.now();
    const addressKeys = [...new Set(wanted.flatMap(({ addressKey, copyKeys }) => [addressKey, ...copyKeys]))];
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
    const left = this.#mailsPerTenantPerHour - (rows[0]?.sentThisHour ?? 0) - mailsBefore;
    return judge(new Map(rows.map((row) => [row.addressKey, row])), left, wanted, now);
  }

  async #count(
    ctx: RequestContext,
    { db, tenantId }: Scope,
    addressKeys: readonly string[],
    isSent: boolean,
  ): Promise<void> {
    const mails = sql`select unnest(${addressKeys}::text[]) as key`;
    await sql`with ${countMails(tenantId, mails, ctx.clock.now(), isSent)} select 1`.execute(db);
  }
}

/**
 * Counts mails, as parts of a larger statement: `with …, ${countMails(…)} select …`.
 * @param mails a query that answers one row per mail, with the address's `key`
 * @param isSent false: nothing is added to the tenant's count, by the same work
 */
export function countMails(
  tenantId: string | null,
  mails: RawBuilder<unknown>,
  now: Date,
  isSent = true,
): RawBuilder<unknown> {
  return sql`
    counted_for_address as (
      insert into mail_request (tenant_id, address_key, requested_at)
      select ${tenantId}, mail.key, ${now} from (${mails}) mail
      returning tenant_id
    ),
    counted_for_tenant as (
      insert into tenant_mail_count (tenant_id, hour, shard, mails)
      select tenant_id, ${hourOf(now)}, ${Math.floor(Math.random() * SHARDS)}, count(*) filter (where ${isSent}) from counted_for_address group by tenant_id
      on conflict (tenant_id, hour, shard) do update set mails = tenant_mail_count.mails + excluded.mails
    )`;
}

function judge(
  counts: Map<string, AddressCount>,
  quota: number,
  wanted: readonly MailsWanted[],
  now: Date,
): Map<string, MailVerdict> {
  const verdicts = new Map<string, MailVerdict>();
  let left = quota;
  for (const { id, addressKey, copyKeys } of wanted) {
    const guest = counts.get(addressKey);
    const withoutCopies = new Set(copyKeys.filter((key) => isFull(counts.get(key))));
    const keys = [addressKey, ...copyKeys.filter((key) => !withoutCopies.has(key))];
    if (guest && isFull(guest)) {
      verdicts.set(id, { refusal: refusalUntil('RATE_LIMITED', later(guest.oldest, ADDRESS_WINDOW), now) });
    } else if (left < keys.length) {
      verdicts.set(id, { refusal: refusalUntil('QUOTA_EXCEEDED', later(hourOf(now), HOUR), now) });
    } else {
      left -= keys.length;
      for (const key of keys) counts.set(key, oneMore(key, counts.get(key), now));
      verdicts.set(id, { refusal: null, withoutCopies });
    }
  }
  return verdicts;
}

function isFull(count: AddressCount | undefined): boolean {
  return count !== undefined && (count.here >= MAILS_PER_ADDRESS || count.everywhere >= MAILS_PER_ADDRESS_EVERYWHERE);
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

/** Deletes what no limit looks at any more. */
export async function forgetOldMailRequests(ctx: RequestContext): Promise<void> {
  const now = ctx.clock.now();
  await ctx.transaction(null, async ({ db }) => {
    await sql`delete from mail_request where requested_at < ${later(now, -ADDRESS_WINDOW)}`.execute(db);
    await sql`delete from tenant_mail_count where hour < ${later(now, -2 * HOUR)}`.execute(db);
  });
}
