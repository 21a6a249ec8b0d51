/**
 * A batch that arrives as a stream of any length. It is RECEIVING from before the first byte: its rows go in by buffers, each
 * a short transaction of its own, and nothing is held open while the client sends. Whole, it is QUEUED like any other batch;
 * cut off, it is FAILED, its key free and its rows taken out again. Owned here: that life. Not owned: its end before
 * it is whole (`end-uploads.ts`), bytes on the wire (`api/bulk-invites-http.ts`), reading CSV (`invite-csv.ts`), cancelling.
 */
import { type RawBuilder, sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { SECOND } from '../../kernel/clock.js';
import { refuse, UserError, type UserErrorEntry } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import { holdIdempotencyKey, replayIdempotently, settleIdempotencyKey } from '../../request/idempotency.js';
import { reachTenant } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { BULK_INVITE_CHANNEL } from './bulk-invite-progress.js';
import { queueBulkInviteRun } from './bulk-invites.service.js';
import {
  cutOff,
  endUploads,
  isReceiving,
  isSilent,
  releaseUploadKey,
  SILENT_SECONDS,
  UPLOAD_OPERATION,
} from './end-uploads.js';
import { FileBytes } from './file-bytes.js';
import { type InviteCsv, openInviteCsv } from './invite-csv.js';
import { RowDocument, stageDocument } from './stage-rows.js';
import { type BatchRequest, checkBatch, storeBatch } from './store-batch.js';

export interface NewUpload extends BatchRequest {
  idempotencyKey: string | null;
}

export interface Upload {
  readonly bulkInviteId: string;
  /**
   * To be called once.
   * @param file unpacked; what it throws as a UserError ends the upload as that.
   * @param signal ends it with its reason.
   * @returns once the batch is QUEUED, or was by an earlier upload of the same file under the same key.
   * @throws UserError CSV_UNREADABLE, REQUIRED, UPLOAD_INCOMPLETE, CANCELLED, IDEMPOTENCY_KEY_REUSED.
   */
  receive(file: AsyncIterable<Buffer>, signal?: AbortSignal): Promise<void>;
}

/** At least so many rows in one transaction: it takes some 20 ms, and an open one holds back the feed of every tenant. */
const BUFFER_ROWS = 2000;
/** As rows may be long, and the buffers of all uploads lie in memory. */
const BUFFER_BYTES = 2 * 1024 * 1024;

/** An upload shows that it lives although nobody sends enough for a buffer. */
const SIGN_OF_LIFE_MILLISECONDS = 10 * SECOND;

/**
 * Refuses what can be refused before the file is read, and makes the batch.
 * @throws UserError NOT_FOUND, INVALID, CONFLICT while the key's first upload is still arriving, and what `checkBatch` says.
 */
export async function beginUpload(ctx: RequestContext, { idempotencyKey, ...request }: NewUpload): Promise<Upload> {
  const tenantId = await reachTenant(ctx, request.tenantId);
  await checkBatch(ctx, request);
  const bulkInviteId = newId('BulkInvite');
  const earlierId = await ctx.transaction(tenantId, async (tx) => {
    const earlier = idempotencyKey === null ? null : await holdKey(ctx, tx, idempotencyKey, bulkInviteId);
    if (earlier === null)
      await storeBatch(ctx, tx, bulkInviteId, request, {
        source: 'CSV',
        status: 'RECEIVING',
        totalRows: 0,
        warnings: [],
      });
    return earlier;
  });
  const receiving = { ctx, request, key: idempotencyKey, bulkInviteId: earlierId ?? bulkInviteId };
  return earlierId === null ? new FirstUpload(receiving) : new RepeatedUpload(receiving);
}

/** @returns the batch that was made under this key before; null when the key is held for the new one. */
async function holdKey(ctx: RequestContext, tx: Tx, key: string, bulkInviteId: string): Promise<string | null> {
  const hold = () => holdIdempotencyKey(ctx, tx, { operation: UPLOAD_OPERATION, key }, { bulkInviteId });
  const earlier = await hold();
  if (!earlier) return null;
  const { bulkInviteId: earlierId } = earlier.result;
  if (earlier.isSettled) return earlierId;
  await endUploads(ctx, tx, sql`id = ${earlierId} and ${isSilent}`, cutOff());
  if (await isReceiving(tx, earlierId)) throw stillArriving();
  await releaseUploadKey(tx, earlierId, ctx.actor.id);
  await hold();
  return null;
}

interface Receiving {
  ctx: RequestContext;
  request: BatchRequest;
  key: string | null;
  bulkInviteId: string;
}

/** Reads the file only to see that it is the same. */
class RepeatedUpload implements Upload {
  readonly #receiving: Receiving;

  constructor(receiving: Receiving) {
    this.#receiving = receiving;
  }

  get bulkInviteId(): string {
    return this.#receiving.bulkInviteId;
  }

  async receive(file: AsyncIterable<Buffer>, signal?: AbortSignal): Promise<void> {
    const { ctx, request, key } = this.#receiving;
    const bytes = new FileBytes(file, signal);
    await bytes.readAll();
    const input = { ...request, sha256: bytes.sha256() };
    const scope = { db: ctx.db, tenantId: request.tenantId };
    await replayIdempotently(ctx, scope, { operation: UPLOAD_OPERATION, key: key as string, input });
  }
}

class FirstUpload implements Upload {
  readonly bulkInviteId: string;
  readonly #ctx: RequestContext;
  readonly #request: BatchRequest;
  readonly #key: string | null;
  /** Nothing more can be taken. */
  readonly #ended = new AbortController();
  #rows = 0;

  constructor({ ctx, request, key, bulkInviteId }: Receiving) {
    this.bulkInviteId = bulkInviteId;
    this.#ctx = ctx;
    this.#request = request;
    this.#key = key;
  }

  async receive(file: AsyncIterable<Buffer>, signal?: AbortSignal): Promise<void> {
    const startedAt = performance.now();
    const signals = signal ? [signal, this.#ended.signal] : [this.#ended.signal];
    const bytes = new FileBytes(file, AbortSignal.any(signals));
    const life = setInterval(() => void this.#showLife(), SIGN_OF_LIFE_MILLISECONDS);
    let outcome = 'QUEUED';
    try {
      const csv = await openInviteCsv(bytes);
      await this.#stage(csv);
      await this.#finish(csv.warnings, bytes.sha256());
    } catch (error) {
      const refusal = error instanceof UserError ? atFile(error) : null;
      outcome = refusal?.code ?? 'FAULT';
      await this.#fail(refusal?.entries ?? cutOff());
      throw refusal ?? error;
    } finally {
      clearInterval(life);
      const seconds = Math.round(performance.now() - startedAt) / SECOND;
      const { bulkInviteId: bulkInvite } = this;
      this.#ctx.log.info({ bulkInvite, outcome, rows: this.#rows, bytes: bytes.read, seconds }, 'upload ended');
    }
  }

  /** One buffer is written while the next one is read. */
  async #stage(csv: InviteCsv): Promise<void> {
    let [reading, spare] = [new RowDocument(), new RowDocument()];
    let storing = Promise.resolve();
    const store = async () => {
      await storing;
      storing = this.#store(reading);
      // The next piece may be long in coming.
      storing.catch((error: Error) => this.#ended.abort(error));
      [reading, spare] = [spare, reading];
      reading.clear();
    };
    try {
      for await (const rows of csv.pieces) {
        for (const row of rows) reading.add(row);
        if (reading.rows >= BUFFER_ROWS || reading.size >= BUFFER_BYTES) await store();
      }
      if (reading.rows > 0) await store();
    } finally {
      await storing;
    }
    if (this.#rows === 0)
      throw refuse('REQUIRED', { field: ['file'], message: 'There are no rows. Give at least one.' });
  }

  async #store(document: RowDocument): Promise<void> {
    this.#rows += document.rows;
    await this.#ctx.transaction(this.#request.tenantId, async (tx) => {
      await this.#moveOn(tx, sql`total_rows = total_rows + ${document.rows}, received_at = now()`);
      await stageDocument(tx, this.bulkInviteId, document);
    });
  }

  #finish(warnings: string[], sha256: string): Promise<void> {
    const { tenantId } = this.#request;
    return this.#ctx.transaction(tenantId, async (tx) => {
      await this.#moveOn(tx, sql`status = 'QUEUED', warnings = ${warnings}, received_at = null`);
      if (this.#key !== null) {
        const input = { ...this.#request, sha256 };
        await settleIdempotencyKey(this.#ctx, tx, { operation: UPLOAD_OPERATION, key: this.#key, input });
      }
      await queueBulkInviteRun(tx, tenantId, this.bulkInviteId);
    });
  }

  /** @throws UserError when the batch is no longer RECEIVING. */
  async #moveOn(tx: Tx, changes: RawBuilder<unknown>): Promise<void> {
    const { rows } = await sql`
      with moved as (
        update bulk_invite set ${changes}
        where id = ${this.bulkInviteId} and tenant_id = ${tx.tenantId} and status = 'RECEIVING' returning id
      )
      select pg_notify(${BULK_INVITE_CHANNEL}, id) from moved`.execute(tx.db);
    if (rows.length === 0) throw await this.#refusal(tx);
  }

  /** A failure says nothing: the next buffer will meet it, or the next sign of life succeeds. */
  async #showLife(): Promise<void> {
    try {
      await this.#ctx.transaction(this.#request.tenantId, (tx) => this.#moveOn(tx, sql`received_at = now()`));
    } catch (error) {
      if (error instanceof UserError) this.#ended.abort(error);
    }
  }

  async #refusal(tx: Tx): Promise<UserError> {
    const { rows } = await sql`
      select from bulk_invite where id = ${this.bulkInviteId} and status = 'CANCELLED'`.execute(tx.db);
    if (rows.length > 0) return refuse('CANCELLED', { message: 'The batch was cancelled while it was uploaded.' });
    const message = 'The upload was silent for too long. Send the file again.';
    return refuse('UPLOAD_INCOMPLETE', { field: ['file'], message });
  }

  /** What cannot be written now, because the database is away, is left to the sweeper. */
  async #fail(entries: UserErrorEntry[]): Promise<void> {
    try {
      await this.#ctx.transaction(this.#request.tenantId, async (tx) => {
        await endUploads(this.#ctx, tx, sql`id = ${this.bulkInviteId}`, entries);
        await releaseUploadKey(tx, this.bulkInviteId, this.#ctx.actor.id);
      });
    } catch (fault) {
      this.#ctx.log.warn(
        { bulkInvite: this.bulkInviteId, error: (fault as Error).message },
        'an upload that failed could not be ended; the sweeper will',
      );
    }
  }
}

function stillArriving(): UserError {
  return refuse('CONFLICT', {
    field: ['idempotencyKey'],
    message: 'An upload with this key is still arriving. Wait for its answer, or for a minute if it was cut off.',
    retryAfterSeconds: SILENT_SECONDS,
  });
}

/** Whoever reads a file does not know what its caller calls it. */
function atFile({ entries, detail }: UserError): UserError {
  return new UserError(
    entries.map((entry) => (entry.code === 'CSV_UNREADABLE' ? { ...entry, field: ['file'] } : entry)),
    detail,
  );
}
