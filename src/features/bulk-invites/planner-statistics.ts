/**
 * PostgreSQL plans by statistics that autovacuum refreshes a minute late. The first large batch of a young database fills
 * tables that still count as empty, and the checks of foreign keys, whose plans are kept, then read them whole: 10,000 rows
 * took three times as long.
 */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';

/** From here on an index is the cheaper plan, so that a plan made now stays good while the tables grow. */
export const ROWS_WORTH_ANALYZING = 1000;

/** Costs one look-up when the planner knows the tables already. */
export async function refreshStatistics(db: Db): Promise<void> {
  const { rows } = await sql`
    select from pg_class
    where oid in ('external_user'::regclass, 'invitation'::regclass, 'event'::regclass, 'bulk_invite_row'::regclass)
      and reltuples < ${ROWS_WORTH_ANALYZING}`.execute(db);
  if (rows.length > 0) await sql`analyze external_user, invitation, event, bulk_invite_row`.execute(db);
}
