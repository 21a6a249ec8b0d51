/**
 * A connection that dies in a transaction goes back to the pool at once. Kysely gives one back only after `begin`, `commit` or
 * `rollback` succeeded, which on a dead one they never do: every outage would cost the pool some places, for ever.
 */
import type pg from 'pg';

/** For every connection the pool opens. */
export function dropDeadConnections(pool: Pick<pg.Pool, 'on'>): void {
  pool.on('connect', (client) => {
    // The pool listens while nobody uses the connection; whoever uses it is told by the statement that fails.
    client.on('error', () => undefined);
    client.once('end', () => drop(client));
  });
}

function drop(client: pg.PoolClient): void {
  const { release } = client;
  // Whoever used it may give it back later, and the pool takes nothing twice.
  client.release = () => undefined;
  try {
    release(true);
  } catch {
    // It lay in the pool, which has seen its end.
  }
}
