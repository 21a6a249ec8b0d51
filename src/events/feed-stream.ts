/**
 * A way through the feed: replay what was missed, then live, without gap or repeat. It joins the tail first and replays up
 * to the tail's position at that moment; what arrives meanwhile waits in the queue. A queue that overflows is dropped: what
 * was in it is read from the table. Only a reader who had caught up and then stopped reading ends with FeedLagged and the
 * cursor to resume from, never in silence.
 */
import type { Db } from '../database/transaction.js';
import type { ShareableStream } from '../kernel/shareable-stream.js';
import { comparePlaces, type FeedPlace } from './feed-place.js';
import { type FeedEvent, type FeedFilter, passesFilter, readMissed } from './feed-reader.js';
import type { FeedTail } from './feed-tail.js';

export type FeedItem =
  | { kind: 'event'; event: FeedEvent }
  | { kind: 'checkpoint'; tenantId: string; place: FeedPlace }
  | { kind: 'lagged'; tenantId: string; place: FeedPlace };

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
const CHECKPOINT_MILLISECONDS = 5_000;

/** For one subscriber. Ends on FeedLagged or `return()`. */
export function openFeedStream(options: FeedStreamOptions): ShareableStream<FeedItem> {
  return new FeedStream(options, null);
}

/** Not an async generator: its `return` would wait for the next event. */
class FeedStream implements ShareableStream<FeedItem> {
  readonly #options: FeedStreamOptions;
  readonly #isShared: boolean;
  readonly #queue: FeedEvent[] = [];
  readonly #leave: () => void;
  /** Up to where this reader has been served. */
  #served: FeedPlace;
  /** Replay goes up to here; null once live. */
  #replayUpTo: FeedPlace | null;
  /** A cursor that another, faster process gave: what this one's tail has not handed out up to here was served there. */
  #servedElsewhere: FeedPlace | null;
  /** The page being replayed; null: read the next. */
  #missed: FeedEvent[] | null = null;
  #isLastPage = false;
  #wake: (() => void) | null = null;
  #overflowed = false;
  /** It has been live: from then on falling behind is its own doing. */
  #wasLive = false;
  #owesCheckpoint: boolean;
  #done = false;

  /** @param readers of a shared stream; null for one subscriber's own. */
  constructor(options: FeedStreamOptions, readers: (() => number) | null) {
    this.#options = options;
    this.#isShared = readers !== null;
    const now = options.tail.position;
    this.#served = options.after ?? now;
    const isAhead = options.after !== null && comparePlaces(options.after, now) > 0;
    this.#replayUpTo = isAhead ? null : options.after && now;
    this.#servedElsewhere = isAhead ? options.after : null;
    // Those who go on together have had theirs.
    this.#owesCheckpoint = !this.#isShared;
    this.#leave = options.tail.join(options.tenantId, {
      receive: (event) => this.#receive(event),
      readers: readers ?? (() => 1),
    });
  }

  handOver(): boolean {
    if (this.#done || this.#isBehind || this.#servedElsewhere || this.#owesCheckpoint) return false;
    this.#moveUpToTail();
    this.#end();
    return true;
  }

  openShared(readers: () => number): AsyncIterableIterator<FeedItem> {
    return new FeedStream({ ...this.#options, after: null }, readers);
  }

  wasTold(item: FeedItem): boolean {
    return comparePlaces(placeOf(item), this.#served) <= 0;
  }

  laggedAfter(last: FeedItem | null): FeedItem {
    return this.#tooSlow(last ? placeOf(last) : this.#served);
  }

  get #isBehind(): boolean {
    return this.#queue.length > 0 || this.#overflowed || this.#replayUpTo !== null;
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

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** One step; undefined when there is nothing to say yet and the next step should follow. */
  async #nextItem(): Promise<FeedItem | undefined> {
    if (this.#replayUpTo) return this.#replay(this.#replayUpTo);
    if (this.#owesCheckpoint) return this.#checkpoint();
    if (this.#overflowed) return this.#fellBehind();
    const event = this.#queue.shift();
    if (event) return this.#serve(event);
    await this.#waitForEvent();
    return undefined;
  }

  async #replay(upTo: FeedPlace): Promise<FeedItem | undefined> {
    if (!this.#missed) {
      const { db, tenantId, filter } = this.#options;
      const { events, pruned } = await readMissed(db, tenantId, filter, this.#served, upTo, REPLAY_PAGE);
      if (this.#done) return undefined;
      if (this.#misses(pruned)) return this.#lag(pruned);
      this.#missed = events;
      this.#isLastPage = events.length < REPLAY_PAGE;
    }
    const event = this.#missed.shift();
    if (event) return this.#serve(event);
    this.#missed = null;
    if (!this.#isLastPage) return undefined;
    this.#replayUpTo = null;
    if (comparePlaces(upTo, this.#served) > 0) this.#served = upTo;
    return undefined;
  }

  /** Retention has deleted events that this reader has not had. Who has had none yet begins with what is kept. */
  #misses(pruned: FeedPlace): boolean {
    return this.#served.epoch !== 0 && comparePlaces(this.#served, pruned) < 0;
  }

  #fellBehind(): FeedItem | undefined {
    if (this.#wasLive && !this.#isShared) return this.#tooSlow(this.#served);
    this.#overflowed = false;
    this.#replayUpTo = this.#options.tail.position;
    return undefined;
  }

  #serve(event: FeedEvent): FeedItem {
    this.#served = { epoch: event.epoch, xid: event.xid, seq: event.seq };
    return { kind: 'event', event };
  }

  #tooSlow(place: FeedPlace): FeedItem {
    this.#options.tail.noteTooSlow();
    return this.#lag(place);
  }

  #lag(place: FeedPlace): FeedItem {
    this.#end();
    return { kind: 'lagged', tenantId: this.#options.tenantId, place };
  }

  /** What was missed has been told; in silence the cursor moves even when the filter lets nothing through. */
  #checkpoint(): FeedItem {
    this.#owesCheckpoint = false;
    if (!this.#isBehind) {
      this.#wasLive = true;
      this.#moveUpToTail();
    }
    return { kind: 'checkpoint', tenantId: this.#options.tenantId, place: this.#served };
  }

  /** Only when not behind: everything up to the tail's position has then been served or filtered out. */
  #moveUpToTail(): void {
    const { position } = this.#options.tail;
    if (comparePlaces(position, this.#served) < 0) return;
    this.#served = position;
    this.#servedElsewhere = null;
  }

  #receive(event: FeedEvent): void {
    if (this.#overflowed || this.#wasServedElsewhere(event) || !passesFilter(event, this.#options.filter)) return;
    if (this.#queue.length >= MAX_QUEUE) {
      this.#overflowed = true;
      this.#queue.length = 0;
    } else {
      this.#queue.push(event);
    }
    this.#wake?.();
  }

  #wasServedElsewhere(event: FeedEvent): boolean {
    if (!this.#servedElsewhere) return false;
    const wasServed = comparePlaces(event, this.#servedElsewhere) <= 0;
    if (!wasServed) this.#servedElsewhere = null;
    return wasServed;
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

function placeOf(item: FeedItem): FeedPlace {
  return item.kind === 'event' ? item.event : item.place;
}
