/**
 * Reading the feed from the table. A row may be read once no transaction that could still write an earlier place is open:
 * below the snapshot's xmin, or of an earlier epoch. Within that horizon the order never changes.
 */
import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../database/transaction.js';
import type { ActorKind } from '../kernel/actor.js';
import type { UserErrorCode } from '../kernel/errors.js';
import type { RedemptionEventType } from './catalogue.js';
import type { FeedPlace } from './feed-place.js';

export interface FeedEvent extends FeedPlace {
  tenantId: string;
  type: RedemptionEventType;
  at: Date;
  actorKind: ActorKind | null;
  actorName: string | null;
  reason: UserErrorCode | null;
  detail: string | null;
  invitationId: string;
  externalUserId: string | null;
  bulkInviteId: string | null;
  appIds: string[];
}

export interface FeedFilter {
  types: RedemptionEventType[] | null;
  bulkInviteId: string | null;
  invitationIds: string[] | null;
  appId: string | null;
}

export const feedColumns: RawBuilder<unknown> = sql`
  e.epoch, e.xid, e.seq, e.tenant_id as "tenantId", e.type, e.at, e.actor_kind as "actorKind", e.actor_name as "actorName",
  e.reason, e.detail, e.invitation_id as "invitationId", e.external_user_id as "externalUserId",
  e.bulk_invite_id as "bulkInviteId", e.app_ids as "appIds"`;

export const belowHorizon: RawBuilder<unknown> = sql`
  (e.epoch < (select epoch from feed_state) or e.xid < pg_snapshot_xmin(pg_current_snapshot()))`;

export function place({ epoch, xid, seq }: FeedPlace): RawBuilder<unknown> {
  return sql`(${epoch}::int, ${xid}::xid8, ${seq}::bigint)`;
}

export function filterCondition(filter: FeedFilter | null): RawBuilder<unknown> {
  const conditions = [
    filter?.types && sql`and e.type = any(${filter.types})`,
    filter?.bulkInviteId && sql`and e.bulk_invite_id = ${filter.bulkInviteId}`,
    filter?.invitationIds && sql`and e.invitation_id = any(${filter.invitationIds})`,
    filter?.appId && sql`and e.app_ids @> array[${filter.appId}]`,
  ].filter((condition): condition is RawBuilder<unknown> => Boolean(condition));
  return conditions.length > 0 ? sql.join(conditions, sql` `) : sql``;
}

export function passesFilter(event: FeedEvent, filter: FeedFilter | null): boolean {
  if (!filter) return true;
  return (
    (!filter.types || filter.types.includes(event.type)) &&
    (!filter.bulkInviteId || event.bulkInviteId === filter.bulkInviteId) &&
    (!filter.invitationIds || filter.invitationIds.includes(event.invitationId)) &&
    (!filter.appId || event.appIds.includes(filter.appId))
  );
}

export interface FeedBatch {
  events: FeedEvent[];
  /** Everything before it has been read once `events` is shorter than the limit. */
  horizon: FeedPlace;
  /** Rows stand at or above the horizon: written, but not yet safe to read. */
  hidden: boolean;
}

/**
 * The next events after a place, one round trip.
 * @param tenantIds whose events; null: all. The horizon is everybody's.
 */
export async function readTail(
  db: Db,
  after: FeedPlace,
  limit: number,
  tenantIds: readonly string[] | null,
): Promise<FeedBatch> {
  const ofTenants = tenantIds ? sql`and e.tenant_id = any(${tenantIds})` : sql``;
  const { rows } = await sql<FeedEvent & { horizonEpoch: number; horizonXid: string; hidden: boolean }>`
    with now as materialized (
      select epoch, pg_snapshot_xmin(pg_current_snapshot()) as xmin from feed_state
    ),
    horizon as materialized (
      select epoch, xmin, coalesce((
        select (n.epoch, n.xid) >= (now.epoch, now.xmin) from event n order by n.epoch desc, n.xid desc, n.seq desc limit 1
      ), false) as hidden from now
    )
    select h.epoch as "horizonEpoch", h.xmin as "horizonXid", h.hidden, tail.*
    from horizon h left join lateral (
      select ${feedColumns} from event e
      where (e.epoch, e.xid, e.seq) > ${place(after)} and (e.epoch, e.xid) < (h.epoch, h.xmin) ${ofTenants}
      order by e.epoch, e.xid, e.seq limit ${limit}
    ) tail on true`.execute(db);
  const first = rows[0];
  if (!first) throw new Error('feed_state has no row');
  return {
    events: rows.filter((row) => row.seq !== null),
    horizon: { epoch: first.horizonEpoch, xid: first.horizonXid, seq: '0' },
    hidden: first.hidden,
  };
}

export interface MissedPage {
  events: FeedEvent[];
  /** The place up to which retention has deleted events, of the same moment: what was deleted is not taken for read. */
  pruned: FeedPlace;
}

/** A tenant's events in (after, upTo], in order: what a resuming subscriber missed. One round trip. */
export async function readMissed(
  db: Db,
  tenantId: string,
  filter: FeedFilter | null,
  after: FeedPlace,
  upTo: FeedPlace,
  limit: number,
): Promise<MissedPage> {
  const { rows } = await sql<FeedEvent & { prunedEpoch: number; prunedXid: string; prunedSeq: string }>`
    select s.pruned_epoch as "prunedEpoch", s.pruned_xid as "prunedXid", s.pruned_seq as "prunedSeq", missed.*
    from feed_state s left join lateral (
      select ${feedColumns} from event e
      where e.tenant_id = ${tenantId} and (e.epoch, e.xid, e.seq) > ${place(after)} and (e.epoch, e.xid, e.seq) <= ${place(upTo)}
        ${filterCondition(filter)}
      order by e.epoch, e.xid, e.seq limit ${limit}
    ) missed on true`.execute(db);
  const first = rows[0];
  if (!first) throw new Error('feed_state has no row');
  return {
    events: rows.filter((row) => row.seq !== null),
    pruned: { epoch: first.prunedEpoch, xid: first.prunedXid, seq: first.prunedSeq },
  };
}
