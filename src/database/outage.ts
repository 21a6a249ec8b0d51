/** Whether the database was out of reach or unable to work, so that the same work may well succeed later; pure. */
import { sqlState } from './transaction.js';

/** Connection, resources, operator intervention, system error, read-only after a failover, conflicts (PostgreSQL appendix A). */
const passingClasses = new Set(['08', '53', '57', '58', '25', '40']);

/** What the driver says without a code when the server goes away or does not answer. */
const connectionLost = /connection terminated|connection ended|timeout exceeded when trying to connect|not queryable/i;

export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = sqlState(error);
  if (code === undefined) return connectionLost.test(error.message);
  return /^E[A-Z]+$/.test(code) || passingClasses.has(code.slice(0, 2));
}
