/**
 * One reader per process follows the feed and hands each event to whoever subscribed to its tenant. Rung by a doorbell,
 * polling every few milliseconds while written rows are not yet readable, once a second otherwise. It never skips: a
 * failed read is repeated from the same place.
 */
import type { Listener } from '../database/listener.js';
import type { Db } from '../database/transaction.js';
import type { Log } from '../kernel/log.js';
import { comparePlaces, type FeedPlace, feedStart } from './feed-place.js';
import { type FeedEvent, readTail } from './feed-reader.js';
import { FEED_CHANNEL } from './record-events.js';

const BATCH = 1000;
const POLL_HIDDEN_MILLISECONDS = 20;
const POLL_IDLE_MILLISECONDS = 1000;

export interface FeedSink {
  receive(event: FeedEvent): void;
}

export class FeedTail {
  readonly #db: Db;
  readonly #log: Log;
  readonly #sinks = new Map<string, Set<FeedSink>>();
  #position: FeedPlace = feedStart;
  #timer: NodeJS.Timeout | null = null;
  #reading: Promise<void> | null = null;
  #rung = false;
  #stopped = false;

  constructor(db: Db, listener: Listener, log: Log) {
    this.#db = db;
    this.#log = log;
    listener.on(FEED_CHANNEL, () => this.#ring());
  }

  /** Everything up to here has been handed out. */
  get position(): FeedPlace {
    return this.#position;
  }

  get subscribers(): number {
    let count = 0;
    for (const sinks of this.#sinks.values()) count += sinks.size;
    return count;
  }

  /** Joins at the present position; the returned function leaves. */
  join(tenantId: string, sink: FeedSink): () => void {
    const sinks = this.#sinks.get(tenantId) ?? new Set();
    this.#sinks.set(tenantId, sinks.add(sink));
    return () => {
      sinks.delete(sink);
      if (sinks.size === 0 && this.#sinks.get(tenantId) === sinks) this.#sinks.delete(tenantId);
    };
  }

  /** Begins at the horizon: history is for those who ask for it. */
  async start(): Promise<void> {
    const { horizon } = await readTail(this.#db, feedStart, 0);
    this.#position = horizon;
    this.#schedule(0);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    await this.#reading;
  }

  #ring(): void {
    this.#rung = true;
    if (!this.#reading) this.#schedule(0);
  }

  #schedule(milliseconds: number): void {
    if (this.#stopped) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#reading = this.#readOnce().finally(() => {
        this.#reading = null;
      });
    }, milliseconds);
  }

  async #readOnce(): Promise<void> {
    this.#rung = false;
    try {
      const { events, horizon, hidden } = await readTail(this.#db, this.#position, BATCH);
      for (const event of events) this.#handOut(event);
      const more = events.length === BATCH;
      if (!more && comparePlaces(horizon, this.#position) > 0) this.#position = horizon;
      this.#schedule(more || this.#rung ? 0 : hidden ? POLL_HIDDEN_MILLISECONDS : POLL_IDLE_MILLISECONDS);
    } catch (error) {
      this.#log.warn({ error: (error as Error).message }, 'reading the feed failed; trying again');
      this.#schedule(POLL_IDLE_MILLISECONDS);
    }
  }

  #handOut(event: FeedEvent): void {
    this.#position = { epoch: event.epoch, xid: event.xid, seq: event.seq };
    for (const sink of this.#sinks.get(event.tenantId) ?? []) sink.receive(event);
  }
}
