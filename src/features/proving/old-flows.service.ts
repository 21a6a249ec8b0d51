/** What is over and nobody looks at any more. */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import { DAY, later } from '../../kernel/clock.js';

const SWEEP_BATCH = 5000;

/** Deletes flows that are over, with their codes, and counts that no limit looks at any more. */
export async function deleteOldFlows(db: Db, now: Date): Promise<void> {
  let deleted: number;
  do {
    const result = await sql`
      delete from redemption_flow where id in (
        select id from redemption_flow where expires_at <= ${now} order by expires_at limit ${SWEEP_BATCH}
      )`.execute(db);
    deleted = Number(result.numAffectedRows ?? 0);
  } while (deleted === SWEEP_BATCH);
  await sql`delete from passcode_failures where window_started_at <= ${later(now, -DAY)}`.execute(db);
}
