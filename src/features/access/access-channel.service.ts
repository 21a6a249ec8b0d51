/** The doorbell of every change of rights: what a process remembers about credentials is forgotten when it rings. */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';

export const ACCESS_CHANNEL = 'vestibule_access';

/** Rings when the transaction commits. */
export async function ringAccessChanged(tx: Tx): Promise<void> {
  await sql`select pg_notify(${ACCESS_CHANNEL}, '')`.execute(tx.db);
}
