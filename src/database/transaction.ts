/**
 * The one way to write. Each command gets a fresh EntityManager and one transaction; a thrown refusal leaves nothing
 * behind, because no entity of an outer EntityManager is in reach. Services never flush and never use another connection:
 * a statement elsewhere would escape the transaction.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Kysely } from 'kysely';
import pg from 'pg';
import { inSpan, noteInScope } from '../kernel/scope.js';

/** What `sql` statements run on; untyped, because statements name their own result. */
// biome-ignore lint/suspicious/noExplicitAny: tables are not typed here, each statement declares its row
export type Db = Kysely<any>;

export interface Tx {
  em: EntityManager;
  db: Db;
  /** Whose data is written; null only for operations of the platform. */
  tenantId: string | null;
  /** Puts what was changed of entities so far in the tables, for statements of this transaction that read it there. */
  writeChanges(): Promise<void>;
}

const MAX_ATTEMPTS = 4;
const RETRY_BASE_MILLISECONDS = 15;
/** serialization_failure and deadlock_detected (PostgreSQL appendix A): the same work succeeds when repeated. */
const retryable = new Set(['40001', '40P01']);

/** What a command of a single writing statement needs of a transaction. */
export type Scope = Pick<Tx, 'db' | 'tenantId'>;

/** `work` may run several times; it must not do anything that a rollback does not undo. */
export function inTransaction<T>(orm: MikroORM, tenantId: string | null, work: (tx: Tx) => Promise<T>): Promise<T> {
  return inDatabaseSpan('transaction', tenantId, () => withRetries(() => attemptTransaction(orm, tenantId, work)));
}

/**
 * For a command whose only write is one statement: PostgreSQL makes it a transaction by itself, and the round trips of
 * BEGIN and COMMIT are spared. A second write in `work` would stand alone.
 */
export function inOneStatement<T>(
  orm: MikroORM,
  tenantId: string | null,
  work: (scope: Scope) => Promise<T>,
): Promise<T> {
  return inDatabaseSpan('statement', tenantId, () =>
    withRetries(() => work({ db: orm.em.getConnection().getClient() as Db, tenantId })),
  );
}

function inDatabaseSpan<T>(name: string, tenantId: string | null, work: () => Promise<T>): Promise<T> {
  if (tenantId) noteInScope({ tenant: tenantId });
  return inSpan(name, { kind: 'client', attributes: { 'db.system.name': 'postgresql' } }, work);
}

async function withRetries<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === MAX_ATTEMPTS || !retryable.has(sqlState(error) ?? '')) throw error;
      await wait(Math.random() * RETRY_BASE_MILLISECONDS * 2 ** attempt);
    }
  }
}

function attemptTransaction<T>(orm: MikroORM, tenantId: string | null, work: (tx: Tx) => Promise<T>): Promise<T> {
  const em = orm.em.fork({ useContext: false });
  em.setFilterParams('tenant', { tenantId });
  const txOf = (inner: EntityManager): Tx => ({
    em: inner,
    db: inner.getKysely() as Db,
    tenantId,
    writeChanges: () => inner.flush(),
  });
  return em.transactional((inner) => work(txOf(inner as EntityManager)), { clear: true });
}

/** SQLSTATE of a database error, through MikroORM's wrappers; undefined when it is something else. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** The database answered, and wrote nothing; after a lost connection nobody knows. */
export function isRefusedByDatabase(error: unknown): boolean {
  return error instanceof pg.DatabaseError;
}

/** unique_violation */
export function isUniqueViolation(error: unknown): boolean {
  return sqlState(error) === '23505';
}
