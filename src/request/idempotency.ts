/**
 * The same key and input gives the same answer; another input with it is refused. A claim is a unique insert in the
 * command's own transaction, so that concurrent duplicates wait for the first and a failed command leaves no claim.
 * Answers hold ids only: secrets shown once are not shown again.
 */
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Tx } from '../database/transaction.js';
import { refuse } from '../kernel/errors.js';
import type { RequestContext } from './request-context.js';

export interface IdempotentRequest {
  operation: string;
  key: string;
  input: object;
}

const MAX_KEY_LENGTH = 200;

/**
 * `result` is what this request will answer if it succeeds: ids are made before they are stored, so a claim is one insert.
 * @returns the stored answer of an earlier request with this key, or null when this one has just claimed it.
 */
export async function claimIdempotencyKey<T extends object>(
  ctx: RequestContext,
  tx: Tx,
  request: IdempotentRequest,
  result: T,
): Promise<T | null> {
  if (request.key.length === 0 || request.key.length > MAX_KEY_LENGTH) {
    throw refuse('INVALID', { field: ['idempotencyKey'], message: `A key has 1 to ${MAX_KEY_LENGTH} characters.` });
  }
  const digest = digestOf(request.input);
  const { rows } = await sql`
    insert into idempotency_record (tenant_id, actor_id, operation, key, input_hash, result, created_at)
    values (${tx.tenantId ?? ''}, ${ctx.actor.id ?? ''}, ${request.operation}, ${request.key}, ${ctx.secrets.sign('idempotency', digest)},
      ${JSON.stringify(result)}::jsonb, ${ctx.clock.now()})
    on conflict (tenant_id, actor_id, operation, key) do nothing returning key`.execute(tx.db);
  return rows.length > 0 ? null : replay<T>(ctx, tx, request, digest);
}

async function replay<T>(ctx: RequestContext, tx: Tx, request: IdempotentRequest, digest: string): Promise<T> {
  const { rows } = await sql<{ input_hash: Buffer; result: T }>`
    select input_hash, result from idempotency_record
    where tenant_id = ${tx.tenantId ?? ''} and actor_id = ${ctx.actor.id ?? ''}
      and operation = ${request.operation} and key = ${request.key}`.execute(tx.db);
  const record = rows[0];
  const isSameInput = record && ctx.secrets.verify('idempotency', digest, record.input_hash);
  if (!isSameInput) throw refuse('IDEMPOTENCY_KEY_REUSED', { field: ['idempotencyKey'] });
  return record.result;
}

/** Signed before it is stored, so that the table tells nothing about inputs that can be guessed, such as addresses. */
function digestOf(input: object): string {
  return createHash('sha256').update(canonicalJson(input)).digest('hex');
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner && typeof inner === 'object' && !Array.isArray(inner) && !(inner instanceof Date)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
