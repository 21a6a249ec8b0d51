/**
 * Retention of the feed: old events go in batches, each a short transaction, and the place up to which they went is kept, so
 * that a cursor from before is told so.
 */
import { sql } from 'kysely';
import type { RequestContext } from '../request/request-context.js';

const BATCH = 5000;

/** @param signal ends it after the batch under way; the next run goes on from there */
export async function pruneEvents(ctx: RequestContext, before: Date, signal?: AbortSignal): Promise<void> {
  while (!signal?.aborted && (await pruneBatch(ctx, before)) === BATCH) {
    ctx.log.debug({}, 'deleted a batch of old events');
  }
}

/**
 * In the order of the feed, never past an event that stays: what is gone is one stretch from the beginning. It is entered
 * behind what went before, because the index still holds the places of deleted rows until vacuum has passed.
 */
function pruneBatch(ctx: RequestContext, before: Date): Promise<number> {
  const pruned = sql`(select pruned_epoch, pruned_xid, pruned_seq from feed_state)`;
  return ctx.transaction(null, async ({ db }) => {
    const { rows } = await sql<{ deleted: number }>`
      with oldest as materialized (
        select e.epoch, e.xid, e.seq, e.at from event e where (e.epoch, e.xid, e.seq) > ${pruned}
        order by e.epoch, e.xid, e.seq limit ${BATCH}
      ),
      old as (
        select o.epoch, o.xid, o.seq from oldest o
        where (o.epoch, o.xid, o.seq) < all (
          select k.epoch, k.xid, k.seq from oldest k where k.at >= ${before} order by k.epoch, k.xid, k.seq limit 1
        )
      ),
      last as (select epoch, xid, seq from old order by epoch desc, xid desc, seq desc limit 1),
      gone as (
        delete from event e using last
        where (e.epoch, e.xid, e.seq) > ${pruned} and (e.epoch, e.xid, e.seq) <= (last.epoch, last.xid, last.seq)
      ),
      noted as (update feed_state set pruned_epoch = last.epoch, pruned_xid = last.xid, pruned_seq = last.seq from last)
      select count(*)::int as deleted from old`.execute(db);
    return rows[0]?.deleted ?? 0;
  });
}
