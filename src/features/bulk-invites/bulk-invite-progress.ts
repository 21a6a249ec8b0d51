/**
 * Following one bulk invite: its row at once, after each chunk, and when it has finished; then the stream ends. A chunk
 * rings a doorbell in its own transaction, nothing polls. A reader slower than the job skips states, never the last one.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Listener } from '../../database/listener.js';
import type { Row } from '../../database/table.js';
import type { RequestContext } from '../../request/request-context.js';
import { BulkInvite, isFinished } from './bulk-invite.entity.js';

/** Payload: the id of the bulk invite that moved on. */
export const BULK_INVITE_CHANNEL = 'vestibule_bulk';

/** Four a second. */
const MIN_INTERVAL_MILLISECONDS = 250;

/** Before `listener.start()`: only channels known by then are listened to. */
export function listenForBulkInvites(listener: Listener): void {
  listener.on(BULK_INVITE_CHANNEL, () => undefined);
}

/** An explicit iterator: an async generator's `return` would wait for the next ring. */
export function openBulkInviteProgress(ctx: RequestContext, id: string): AsyncIterableIterator<Row<BulkInvite>> {
  return new BulkInviteProgress(ctx, id);
}

class BulkInviteProgress implements AsyncIterableIterator<Row<BulkInvite>> {
  readonly #ctx: RequestContext;
  readonly #id: string;
  readonly #leave: () => void;
  readonly #ended = new AbortController();
  #rung = true;
  #wake: (() => void) | null = null;
  /** Milliseconds, monotonic. */
  #nextAt = 0;

  constructor(ctx: RequestContext, id: string) {
    this.#ctx = ctx;
    this.#id = id;
    this.#leave = ctx.listener.on(BULK_INVITE_CHANNEL, (rungFor) => this.#ring(rungFor));
  }

  async next(): Promise<IteratorResult<Row<BulkInvite>>> {
    try {
      await this.#untilDue();
      const value = this.#ended.signal.aborted ? null : await this.#read();
      if (!value || isFinished(value.status)) this.#end();
      return value ? { done: false, value } : { done: true, value: undefined };
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  async return(): Promise<IteratorResult<Row<BulkInvite>>> {
    this.#end();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<Row<BulkInvite>>> {
    this.#end();
    throw error;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Row<BulkInvite>> {
    return this;
  }

  async #untilDue(): Promise<void> {
    const { signal } = this.#ended;
    if (!this.#rung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const wait = this.#nextAt - performance.now();
    if (wait > 0 && !signal.aborted) await pause(wait, undefined, { signal }).catch(() => undefined);
  }

  /** Past the loaders, which remember: the context lives as long as the subscription. */
  async #read(): Promise<Row<BulkInvite> | null> {
    this.#rung = false;
    this.#nextAt = performance.now() + MIN_INTERVAL_MILLISECONDS;
    const { rows } = await sql<Row<BulkInvite>>`
      select ${this.#ctx.tables.columns(BulkInvite, 'b')} from bulk_invite b where b.id = ${this.#id}`.execute(
      this.#ctx.db,
    );
    return rows[0] ?? null;
  }

  #ring(id: string): void {
    if (id !== this.#id && id !== '') return;
    this.#rung = true;
    this.#wake?.();
  }

  #end(): void {
    this.#leave();
    this.#ended.abort();
    this.#wake?.();
  }
}
