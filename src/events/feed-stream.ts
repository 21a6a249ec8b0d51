/**
 * One subscriber's way through the feed: replay what was missed, then live, without gap or repeat. It joins the tail first
 * and replays up to the tail's position at that moment; what arrives meanwhile waits in the queue. A queue that overflows
 * ends with FeedLagged and the cursor to resume from, never in silence.
 */
import type { Db } from '../database/transaction.js';
import { comparePlaces, type FeedPlace } from './feed-place.js';
import { type FeedEvent, type FeedFilter, passesFilter, readMissed, readPrunedPlace } from './feed-reader.js';
import type { FeedTail } from './feed-tail.js';

export type FeedItem =
  | { kind: 'event'; event: FeedEvent }
  | { kind: 'checkpoint'; place: FeedPlace }
  | { kind: 'lagged'; place: FeedPlace };

export interface FeedStreamOptions {
  db: Db;
  tail: FeedTail;
  tenantId: string;
  filter: FeedFilter | null;
  /** Null: live only. */
  after: FeedPlace | null;
}

const REPLAY_PAGE = 500;
const MAX_QUEUE = 1000;
/** While replaying, live events wait; a long replay of a busy tenant needs more room than a live reader. */
const MAX_QUEUE_WHILE_REPLAYING = 50_000;
const CHECKPOINT_MILLISECONDS = 5_000;

/** Ends on FeedLagged or `return()`. An explicit iterator: an async generator's `return` would wait for the next event. */
export function openFeedStream(options: FeedStreamOptions): AsyncIterableIterator<FeedItem> {
  return new FeedStream(options);
}

class FeedStream implements AsyncIterableIterator<FeedItem> {
  readonly #options: FeedStreamOptions;
  readonly #queue: FeedEvent[] = [];
  readonly #leave: () => void;
  /** Up to where this subscriber has been served. */
  #served: FeedPlace;
  /** Replay goes up to here; null once live. */
  #replayUpTo: FeedPlace | null;
  /** A cursor that another, faster process gave: what this one's tail has not handed out up to here was served there. */
  #servedElsewhere: FeedPlace | null;
  #missed: FeedEvent[] = [];
  #wake: (() => void) | null = null;
  #overflowed = false;
  #owesCheckpoint: boolean;
  #checkedRetention = false;
  #done = false;

  constructor(options: FeedStreamOptions) {
    this.#options = options;
    const now = options.tail.position;
    this.#served = options.after ?? now;
    const isAhead = options.after !== null && comparePlaces(options.after, now) > 0;
    this.#replayUpTo = isAhead ? null : options.after && now;
    this.#servedElsewhere = isAhead ? options.after : null;
    this.#owesCheckpoint = true;
    this.#leave = options.tail.join(options.tenantId, { receive: (event) => this.#receive(event) });
  }

  async next(): Promise<IteratorResult<FeedItem>> {
    while (!this.#done) {
      const item = await this.#nextItem();
      if (item) return { done: false, value: item };
    }
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<FeedItem>> {
    this.#end();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<FeedItem>> {
    this.#end();
    throw error;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<FeedItem> {
    return this;
  }

  /** One step; undefined when there is nothing to say yet and the next step should follow. */
  async #nextItem(): Promise<FeedItem | undefined> {
    if (!this.#checkedRetention) return this.#checkRetention();
    if (this.#replayUpTo) return this.#replay(this.#replayUpTo);
    if (this.#overflowed) return this.#lag(this.#served);
    const event = this.#queue.shift();
    if (event) return this.#serve(event);
    if (this.#owesCheckpoint) return this.#checkpoint();
    await this.#waitForEvent();
    return undefined;
  }

  async #checkRetention(): Promise<FeedItem | undefined> {
    this.#checkedRetention = true;
    if (!this.#options.after) return undefined;
    const pruned = await readPrunedPlace(this.#options.db);
    const fromStart = this.#served.epoch === 0;
    return !fromStart && comparePlaces(this.#served, pruned) < 0 ? this.#lag(pruned) : undefined;
  }

  async #replay(upTo: FeedPlace): Promise<FeedItem | undefined> {
    if (this.#missed.length === 0) {
      const { db, tenantId, filter } = this.#options;
      this.#missed = await readMissed(db, tenantId, filter, this.#served, upTo, REPLAY_PAGE);
    }
    const event = this.#missed.shift();
    if (event) return this.#serve(event);
    this.#replayUpTo = null;
    if (comparePlaces(upTo, this.#served) > 0) this.#served = upTo;
    return undefined;
  }

  #serve(event: FeedEvent): FeedItem {
    this.#served = { epoch: event.epoch, xid: event.xid, seq: event.seq };
    return { kind: 'event', event };
  }

  #lag(place: FeedPlace): FeedItem {
    this.#end();
    return { kind: 'lagged', place };
  }

  /** Caught up: the cursor moves even when the filter lets nothing through. */
  #checkpoint(): FeedItem {
    this.#owesCheckpoint = false;
    const position = this.#options.tail.position;
    if (comparePlaces(position, this.#served) > 0) this.#served = position;
    return { kind: 'checkpoint', place: this.#served };
  }

  #receive(event: FeedEvent): void {
    if (this.#overflowed || this.#wasServedElsewhere(event) || !passesFilter(event, this.#options.filter)) return;
    if (this.#queue.length >= (this.#replayUpTo ? MAX_QUEUE_WHILE_REPLAYING : MAX_QUEUE)) {
      this.#overflow();
      return;
    }
    this.#queue.push(event);
    this.#wake?.();
  }

  #wasServedElsewhere(event: FeedEvent): boolean {
    if (!this.#servedElsewhere) return false;
    const wasServed = comparePlaces(event, this.#servedElsewhere) <= 0;
    if (!wasServed) this.#servedElsewhere = null;
    return wasServed;
  }

  /** What is queued is dropped: the cursor given with FeedLagged brings it back. */
  #overflow(): void {
    this.#overflowed = true;
    this.#queue.length = 0;
    this.#wake?.();
  }

  #waitForEvent(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#owesCheckpoint = true;
        settle();
      }, CHECKPOINT_MILLISECONDS);
      const settle = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
      this.#wake = settle;
    });
  }

  #end(): void {
    if (this.#done) return;
    this.#done = true;
    this.#leave();
    this.#wake?.();
  }
}
