/** Numbers for dashboards: one grouped scan by index each, for any number of tenants or bulk invites at once. */
import { type RawBuilder, sql } from 'kysely';
import { DAY, HOUR } from '../../kernel/clock.js';
import { RequestError } from '../../kernel/errors.js';
import type { RequestContext } from '../../request/request-context.js';
import type { InvitationCounts, RedemptionFunnel, TimelinePoint } from './invitation-statistics.type.js';
import type { InvitationSelection } from './invitations.queries.js';

/** Whose invitations are counted: a tenant's or a bulk invite's; `parent.id` is its id. */
const countedBy = {
  tenant: sql`i.tenant_id = parent.id`,
  bulkInvite: sql`i.bulk_invite_id = parent.id`,
} as const;

export type CountedBy = keyof typeof countedBy;

export function invitationCounts(
  ctx: RequestContext,
  by: CountedBy,
  id: string,
  selection: InvitationSelection,
): Promise<InvitationCounts> {
  const now = ctx.clock.now();
  return statistics<InvitationCounts>(
    ctx,
    'counts',
    by,
    id,
    selection,
    sql`
    count(*)::int as total,
    count(*) filter (where i.status = 'PENDING' and i.expires_at > ${now})::int as pending,
    count(*) filter (where i.status = 'REDEEMED')::int as redeemed,
    count(*) filter (where i.status = 'DECLINED')::int as declined,
    count(*) filter (where i.status = 'REVOKED')::int as revoked,
    count(*) filter (where i.status = 'EXPIRED' or (i.status = 'PENDING' and i.expires_at <= ${now}))::int as expired,
    count(*) filter (where i.delivery = 'SUPPRESSED')::int as suppressed,
    count(*) filter (where i.delivery = 'QUEUED')::int as queued,
    count(*) filter (where i.delivery = 'SENT')::int as sent,
    count(*) filter (where i.delivery = 'BOUNCED')::int as bounced,
    count(*) filter (where i.delivery = 'FAILED')::int as failed`,
  );
}

export function redemptionFunnel(
  ctx: RequestContext,
  by: CountedBy,
  id: string,
  selection: InvitationSelection,
): Promise<RedemptionFunnel> {
  return statistics<RedemptionFunnel>(
    ctx,
    'funnel',
    by,
    id,
    selection,
    sql`
    count(*)::int as invited,
    count(i.sent_at)::int as sent,
    count(i.started_at)::int as started,
    count(i.proven_at)::int as proven,
    count(i.consented_at)::int as consented,
    count(i.redeemed_at)::int as redeemed,
    percentile_cont(0.5) within group (order by extract(epoch from i.redeemed_at - i.created_at))
      filter (where i.redeemed_at is not null) as "medianSecondsToRedeem"`,
  );
}

function statistics<T>(
  ctx: RequestContext,
  name: string,
  by: CountedBy,
  id: string,
  selection: InvitationSelection,
  columns: RawBuilder<unknown>,
): Promise<T> {
  const batch = async (ids: readonly string[]): Promise<T[]> => {
    const { rows } = await sql<T & { parentId: string }>`
      select parent.id as "parentId", counted.* from unnest(${ids}::text[]) as parent (id)
      cross join lateral (
        select ${columns} from invitation i where ${countedBy[by]} ${selection.conditions}
      ) counted`.execute(ctx.db);
    const byParent = new Map(rows.map((row) => [row.parentId, row]));
    return ids.map((parent) => byParent.get(parent) as T);
  };
  return ctx.loader<string, T>(`${name} ${by} ${selection.name}`, batch).load(id);
}

export const timeBuckets = ['HOUR', 'DAY', 'WEEK'] as const;
export type TimeBucket = (typeof timeBuckets)[number];

const MAX_POINTS = 1000;
const bucketMilliseconds: Record<TimeBucket, number> = { HOUR, DAY, WEEK: 7 * DAY };

/** Buckets in UTC from the one that holds `from` to the one before `to`; weeks begin on Monday. Empty ones are zeros. */
export async function redemptionTimeline(
  ctx: RequestContext,
  tenantId: string,
  { from, to, bucket }: { from: Date; to: Date; bucket: TimeBucket },
  selection: InvitationSelection,
): Promise<TimelinePoint[]> {
  if (to <= from || (to.getTime() - from.getTime()) / bucketMilliseconds[bucket] > MAX_POINTS) {
    throw new RequestError('BAD_USER_INPUT', {
      message: `Give a time span of at most ${MAX_POINTS} buckets, from before to.`,
    });
  }
  const unit = sql.lit(bucket.toLowerCase());
  // Buckets are cut in UTC, as timestamps without a zone: PostgreSQL 15 has no generate_series for a given zone.
  const { rows } = await sql<TimelinePoint>`
    with fact as (
      select date_trunc(${unit}, happened.at at time zone 'UTC') as bucket, happened.what
      from invitation i cross join lateral (values
        ('invited', i.created_at), ('sent', i.sent_at), ('started', i.started_at), ('redeemed', i.redeemed_at),
        ('failed', case when i.delivery in ('FAILED', 'BOUNCED') then coalesce(i.last_sent_at, i.created_at) end)
      ) happened (what, at)
      where i.tenant_id = ${tenantId} and i.created_at < ${to} ${selection.conditions}
        and happened.at >= ${from} and happened.at < ${to}
    )
    select point.bucket at time zone 'UTC' as at,
      count(*) filter (where what = 'invited')::int as invited, count(*) filter (where what = 'sent')::int as sent,
      count(*) filter (where what = 'started')::int as started, count(*) filter (where what = 'redeemed')::int as redeemed,
      count(*) filter (where what = 'failed')::int as failed
    from generate_series(date_trunc(${unit}, ${from}::timestamptz at time zone 'UTC'),
      (${to}::timestamptz - interval '1 millisecond') at time zone 'UTC', ${`1 ${bucket.toLowerCase()}`}::interval) as point (bucket)
    left join fact on fact.bucket = point.bucket
    group by point.bucket order by point.bucket`.execute(ctx.db);
  return rows;
}
