/** The doorbell of everything a tenant's issuer is built from: its apps and its keys. */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';

export const ISSUER_CHANNEL = 'vestibule_issuer';

/** Rings when the transaction commits. */
export async function ringIssuerChanged(tx: Tx, tenantId: string): Promise<void> {
  await sql`select pg_notify(${ISSUER_CHANNEL}, ${tenantId})`.execute(tx.db);
}
