/** What time does to invitations: PENDING past its end is EXPIRED on read at once; here it becomes a row and a fact. */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { recordEvents } from '../../events/record-events.js';
import { systemActor } from '../../kernel/actor.js';
import type { RequestContext } from '../../request/request-context.js';

const clockwork = systemActor('Expiry');
const BATCH = 500;

export async function expireInvitations(tx: Tx, now: Date, invitationIds: readonly string[]): Promise<void> {
  if (invitationIds.length === 0) return;
  const { rows } = await sql<{ id: string; expires_at: Date }>`
    update invitation set status = 'EXPIRED', expired_at = expires_at
    where id = any(${invitationIds}) and status = 'PENDING' and expires_at <= ${now}
    returning id, expires_at`.execute(tx.db);
  await recordEvents(
    tx,
    rows.map((row) => ({ type: 'EXPIRED', at: row.expires_at, actor: clockwork, invitationId: row.id })),
  );
}

/** One batch over all tenants; answers whether there may be more. Rows another process is working on are skipped. */
export async function sweepExpiredInvitations(ctx: RequestContext): Promise<boolean> {
  const now = ctx.clock.now();
  return ctx.transaction(null, async (tx) => {
    const { rows } = await sql<{ id: string }>`
      select id from invitation where status = 'PENDING' and expires_at <= ${now}
      order by expires_at limit ${BATCH} for update skip locked`.execute(tx.db);
    await expireInvitations(
      tx,
      now,
      rows.map((row) => row.id),
    );
    return rows.length === BATCH;
  });
}
