/** The doorbell of everything a tenant's issuer is built from: its apps and its keys. */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import type { RequestContext } from '../../request/request-context.js';

export const ISSUER_CHANNEL = 'vestibule_issuer';

/**
 * A transaction that changes what a tenant's issuer is built from. This process knows when it returns, so that whoever is
 * told of the change can use it; the bell is for the other processes.
 */
export async function changeIssuer<T>(ctx: RequestContext, tenantId: string, work: (tx: Tx) => Promise<T>): Promise<T> {
  const result = await ctx.transaction(tenantId, async (tx) => {
    const done = await work(tx);
    await ringIssuerChanged(tx, tenantId);
    return done;
  });
  ctx.listener.ringHere(ISSUER_CHANNEL, tenantId);
  return result;
}

/** Rings when the transaction commits. */
export async function ringIssuerChanged(tx: Tx, tenantId: string): Promise<void> {
  await sql`select pg_notify(${ISSUER_CHANNEL}, ${tenantId})`.execute(tx.db);
}
