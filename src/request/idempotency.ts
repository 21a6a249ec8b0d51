/**
 * The same key and input gives the same answer; another input with it is refused. A claim is a unique insert in the
 * command's own transaction, so that concurrent duplicates wait for the first and a failed command leaves no claim.
 * Answers hold ids only: secrets shown once are not shown again.
 *
 * A command whose input is known only once it has arrived, over many transactions, holds its key meanwhile: the record is
 * there, its input is not. It ends by settling the key with the input, or by releasing it.
 */
import { createHash } from 'node:crypto';
import { type RawBuilder, sql } from 'kysely';
import type { Scope, Tx } from '../database/transaction.js';
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
  const isNew = await claim(ctx, tx, request, signed(ctx, request.input), result);
  return isNew ? null : replayIdempotently<T>(ctx, tx, request);
}

/** @returns what was answered to this key. @throws UserError IDEMPOTENCY_KEY_REUSED when it was for another input. */
export async function replayIdempotently<T>(ctx: RequestContext, scope: Scope, request: IdempotentRequest): Promise<T> {
  const record = await findRecord<T>(ctx, scope, request);
  const isSameInput = record && ctx.secrets.verify('idempotency', digestOf(request.input), record.inputHash);
  if (!isSameInput) throw refuse('IDEMPOTENCY_KEY_REUSED', { field: ['idempotencyKey'] });
  return record.result;
}

/** A key, and the command it was given to. */
export type KeyOfOperation = Omit<IdempotentRequest, 'input'>;

/** @returns null when this request holds the key from now on, else the result of who has it, and whether that is certain. */
export async function holdIdempotencyKey<T extends object>(
  ctx: RequestContext,
  tx: Tx,
  key: KeyOfOperation,
  result: T,
): Promise<{ result: T; isSettled: boolean } | null> {
  if (await claim(ctx, tx, key, NOT_KNOWN_YET, result)) return null;
  const record = await findRecord<T>(ctx, tx, key);
  // Released between the two statements: whoever had it is gone, and the caller may take the next turn.
  if (!record) return holdIdempotencyKey(ctx, tx, key, result);
  return { result: record.result, isSettled: record.inputHash.length > 0 };
}

export async function settleIdempotencyKey(ctx: RequestContext, tx: Tx, request: IdempotentRequest): Promise<void> {
  await sql`
    update idempotency_record set input_hash = ${signed(ctx, request.input)}
    where ${isRecordOf(ctx.actor.id, tx, request.operation)} and key = ${request.key}`.execute(tx.db);
}

/** By what it was held for, because whoever cleans up after somebody else does not know the key. */
export async function releaseIdempotencyKey(
  tx: Tx,
  held: { actorId: string | null; operation: string; result: object },
): Promise<void> {
  await sql`
    delete from idempotency_record
    where ${isRecordOf(held.actorId, tx, held.operation)} and input_hash = ${NOT_KNOWN_YET}
      and result = ${JSON.stringify(held.result)}::jsonb`.execute(tx.db);
}

const NOT_KNOWN_YET = Buffer.alloc(0);

/** @returns whether the key was free. */
async function claim(
  ctx: RequestContext,
  tx: Tx,
  { operation, key }: KeyOfOperation,
  inputHash: Buffer,
  result: object,
): Promise<boolean> {
  if (key.length === 0 || key.length > MAX_KEY_LENGTH) {
    throw refuse('INVALID', { field: ['idempotencyKey'], message: `A key has 1 to ${MAX_KEY_LENGTH} characters.` });
  }
  const { rows } = await sql`
    insert into idempotency_record (tenant_id, actor_id, operation, key, input_hash, result, created_at)
    values (${tx.tenantId ?? ''}, ${ctx.actor.id ?? ''}, ${operation}, ${key}, ${inputHash},
      ${JSON.stringify(result)}::jsonb, ${ctx.clock.now()})
    on conflict (tenant_id, actor_id, operation, key) do nothing returning key`.execute(tx.db);
  return rows.length > 0;
}

async function findRecord<T>(
  ctx: RequestContext,
  scope: Scope,
  { operation, key }: KeyOfOperation,
): Promise<{ inputHash: Buffer; result: T } | undefined> {
  const { rows } = await sql<{ inputHash: Buffer; result: T }>`
    select input_hash as "inputHash", result from idempotency_record
    where ${isRecordOf(ctx.actor.id, scope, operation)} and key = ${key}`.execute(scope.db);
  return rows[0];
}

function isRecordOf(actorId: string | null, { tenantId }: Scope, operation: string): RawBuilder<unknown> {
  return sql`tenant_id = ${tenantId ?? ''} and actor_id = ${actorId ?? ''} and operation = ${operation}`;
}

function signed(ctx: RequestContext, input: object): Buffer {
  return ctx.secrets.sign('idempotency', digestOf(input));
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
