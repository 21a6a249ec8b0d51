/** Retention of the feed: old events go in batches, and the place up to which they went is kept, so that a cursor from before is told so. */
import { sql } from 'kysely';
import type { RequestContext } from '../request/request-context.js';

const BATCH = 5000;

export async function pruneEvents(ctx: RequestContext, before: Date): Promise<void> {
  while ((await pruneBatch(ctx, before)) === BATCH) ctx.log.debug({}, 'deleted a batch of old events');
}

/** In the order of the feed, never past an event that stays: what is gone is one stretch from the beginning. */
function pruneBatch(ctx: RequestContext, before: Date): Promise<number> {
  return ctx.transaction(null, async ({ db }) => {
    const { rows } = await sql<{ deleted: number }>`
      with oldest as (
        select seq, epoch, xid, at from event order by epoch, xid, seq limit ${BATCH}
      ),
      old as (
        select * from oldest o where o.at < ${before}
          and not exists (select from oldest kept where kept.at >= ${before} and (kept.epoch, kept.xid, kept.seq) < (o.epoch, o.xid, o.seq))
      ),
      gone as (delete from event using old where event.seq = old.seq),
      last as (select epoch, xid, seq from old order by epoch desc, xid desc, seq desc limit 1),
      noted as (update feed_state set pruned_epoch = last.epoch, pruned_xid = last.xid, pruned_seq = last.seq from last)
      select count(*)::int as deleted from old`.execute(db);
    return rows[0]?.deleted ?? 0;
  });
}
