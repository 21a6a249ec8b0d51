/** A batch that nobody else works off or ends meanwhile. */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import type { RequestContext } from '../../request/request-context.js';
import { BulkInvite } from './bulk-invite.entity.js';
import type { BulkInviteRecord } from './bulk-invites.queries.js';

/**
 * One at a time, over all processes. Not the row's own lock: that would give the transaction its place in the feed before
 * the invitations it changes are locked. The row is read by a statement after it, which sees what the last holder wrote.
 */
export async function lockBulkInvite(ctx: RequestContext, tx: Tx, id: string): Promise<BulkInviteRecord | null> {
  await sql`select pg_advisory_xact_lock(hashtext('bulk_invite'), hashtext(${id}))`.execute(tx.db);
  const { rows } = await sql<BulkInviteRecord>`
    select ${ctx.tables.columns(BulkInvite, 'b')} from bulk_invite b where b.id = ${id} and b.tenant_id = ${tx.tenantId}`.execute(
    tx.db,
  );
  return rows[0] ?? null;
}
