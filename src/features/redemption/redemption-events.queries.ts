/** History of the feed: the same facts, order and cursors as the subscription, newest first by page. */
import { type RawBuilder, sql } from 'kysely';
import { decodeFeedCursor, encodeFeedCursor } from '../../events/feed-place.js';
import {
  belowHorizon,
  type FeedEvent,
  type FeedFilter,
  feedColumns,
  filterCondition,
  place,
} from '../../events/feed-reader.js';
import { type Connection, type PageArgs, readPageArgs } from '../../request/connection.js';
import type { RequestContext } from '../../request/request-context.js';
import type { RedemptionEvent, RedemptionEventFilter } from './redemption-events.type.js';

/** Whose events: a tenant's, below the horizon that the feed keeps to; or one invitation's, as written. */
export type HistoryOf = { tenantId: string; invitationId: string | null };

export function toFeedFilter(filter: RedemptionEventFilter | null | undefined): FeedFilter | null {
  if (!filter) return null;
  return {
    types: filter.types ?? null,
    bulkInviteId: filter.bulkInviteId ?? null,
    invitationIds: filter.invitationIds ?? null,
    appId: filter.appId ?? null,
  };
}

export function publishEvent(ctx: RequestContext, event: FeedEvent): RedemptionEvent {
  return {
    kind: 'event',
    id: `evt_${event.seq}`,
    cursor: encodeFeedCursor(ctx.secrets, event.tenantId, event),
    type: event.type,
    at: event.at,
    actor: event.actorKind && { kind: event.actorKind, displayName: event.actorName ?? '' },
    reason: event.reason,
    detail: event.detail,
    invitationId: event.invitationId,
    externalUserId: event.externalUserId,
  };
}

export async function readHistory(
  ctx: RequestContext,
  { tenantId, invitationId }: HistoryOf,
  filter: FeedFilter | null,
  args: PageArgs,
): Promise<Connection<RedemptionEvent>> {
  const page = historyPage(ctx, tenantId, args);
  const batch = (ids: readonly string[]) => readPages(ctx, ids, invitationId !== null, filter, page);
  const name = `events ${invitationId === null} ${JSON.stringify([filter, page])}`;
  const found = await ctx.loader<string, FeedEvent[]>(name, batch).load(invitationId ?? tenantId);
  const shown = found.slice(0, page.size);
  if (page.backwards) shown.reverse();
  const edges = shown.map((event) => publishEvent(ctx, event)).map((node) => ({ cursor: node.cursor, node }));
  const more = found.length > page.size;
  return {
    edges,
    nodes: edges.map((edge) => edge.node),
    pageInfo: {
      hasNextPage: page.backwards ? page.place !== null : more,
      hasPreviousPage: page.backwards ? more : page.place !== null,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
    totalCount: () => countEvents(ctx, invitationId ?? tenantId, invitationId !== null, filter),
  };
}

interface HistoryPage {
  size: number;
  backwards: boolean;
  place: ReturnType<typeof decodeFeedCursor> | null;
}

function historyPage(ctx: RequestContext, tenantId: string, args: PageArgs): HistoryPage {
  const { size, backwards, cursor } = readPageArgs(args);
  return { size, backwards, place: cursor === null ? null : decodeFeedCursor(ctx.secrets, tenantId, cursor) };
}

async function readPages(
  ctx: RequestContext,
  ids: readonly string[],
  byInvitation: boolean,
  filter: FeedFilter | null,
  page: HistoryPage,
): Promise<FeedEvent[][]> {
  const direction = page.backwards ? sql`asc` : sql`desc`;
  const beyond = page.backwards ? sql`>` : sql`<`;
  const position = page.place ? sql`and (e.epoch, e.xid, e.seq) ${beyond} ${place(page.place)}` : sql``;
  const { rows } = await sql<FeedEvent & { parentId: string }>`
    select parent.id as "parentId", page.* from unnest(${ids}::text[]) as parent (id)
    cross join lateral (
      select ${feedColumns} from event e where ${scopeOf(byInvitation)} ${filterCondition(filter)} ${position}
      order by e.epoch ${direction}, e.xid ${direction}, e.seq ${direction} limit ${page.size + 1}
    ) page`.execute(ctx.db);
  const byParent = Map.groupBy(rows, (row) => row.parentId);
  return ids.map((id) => byParent.get(id) ?? []);
}

async function countEvents(
  ctx: RequestContext,
  id: string,
  byInvitation: boolean,
  filter: FeedFilter | null,
): Promise<number> {
  const { rows } = await sql<{ total: number }>`
    select count(*)::int as total from (select ${id}::text as id) parent, event e
    where ${scopeOf(byInvitation)} ${filterCondition(filter)}`.execute(ctx.db);
  return rows[0]?.total ?? 0;
}

/** A writer reads its own write in an invitation's events; the tenant's history keeps to the horizon of the feed. */
function scopeOf(byInvitation: boolean): RawBuilder<unknown> {
  return byInvitation ? sql`e.invitation_id = parent.id` : sql`e.tenant_id = parent.id and ${belowHorizon}`;
}
