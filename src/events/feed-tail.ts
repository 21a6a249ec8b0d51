/**
 * One reader per process follows the feed and hands each event to whoever subscribed to its tenant; events of tenants that
 * nobody follows here are passed over in the database. Rung by a doorbell, polling every few milliseconds while written rows
 * are not yet readable, once a second otherwise. It never skips: a failed read is repeated from the same place.
 */
import type { Listener } from '../database/listener.js';
import type { Db } from '../database/transaction.js';
import { SECOND } from '../kernel/clock.js';
import type { Log } from '../kernel/log.js';
import { FeedHorizon } from './feed-horizon.js';
import { comparePlaces, type FeedPlace, feedStart } from './feed-place.js';
import { type FeedEvent, readTail } from './feed-reader.js';
import { FEED_CHANNEL } from './record-events.js';

const BATCH = 1000;
const POLL_HIDDEN_MILLISECONDS = 20;
const POLL_IDLE_MILLISECONDS = 1000;
/** More tenants than this and the events of all are read. */
const MAX_TENANTS_NAMED = 500;

export interface FeedSink {
  receive(event: FeedEvent): void;
  /** Subscribers behind it; default 1. */
  readers?(): number;
}

export class FeedTail {
  readonly #db: Db;
  readonly #log: Log;
  readonly #sinks = new Map<string, Set<FeedSink>>();
  readonly #horizon: FeedHorizon;
  #position: FeedPlace = feedStart;
  #caughtUpAt = performance.now();
  #onHandedOut: (event: FeedEvent) => void = () => undefined;
  #onTooSlow: () => void = () => undefined;
  #timer: NodeJS.Timeout | null = null;
  #reading: Promise<void> | null = null;
  #rung = false;
  /** Somebody joined for a tenant whose events the read under way passes over. */
  #isReadOutdated = false;
  #stopped = false;

  constructor(db: Db, listener: Listener, log: Log) {
    this.#db = db;
    this.#log = log;
    this.#horizon = new FeedHorizon(db, log);
    listener.on(FEED_CHANNEL, () => this.#ring());
  }

  /** Everything up to here has been handed out. */
  get position(): FeedPlace {
    return this.#position;
  }

  get subscribers(): number {
    let count = 0;
    for (const sinks of this.#sinks.values()) for (const sink of sinks) count += sink.readers?.() ?? 1;
    return count;
  }

  /** See `FeedHorizon.ageSeconds`. */
  get horizonAgeSeconds(): number {
    return this.#horizon.ageSeconds;
  }

  /** Since everything there was to read had been handed out; up to a second when all is well. */
  get lagSeconds(): number {
    return (performance.now() - this.#caughtUpAt) / SECOND;
  }

  /** For metrics. One listener. */
  onHandedOut(listener: (event: FeedEvent) => void): void {
    this.#onHandedOut = listener;
  }

  /** For metrics. One listener, told of each subscription that could not keep up. */
  onTooSlow(listener: () => void): void {
    this.#onTooSlow = listener;
  }

  noteTooSlow(): void {
    this.#onTooSlow();
  }

  /** Joins at the present position; the returned function leaves. */
  join(tenantId: string, sink: FeedSink): () => void {
    const sinks = this.#sinks.get(tenantId) ?? new Set();
    if (sinks.size === 0 && this.#reading) this.#isReadOutdated = true;
    this.#sinks.set(tenantId, sinks.add(sink));
    return () => {
      sinks.delete(sink);
      if (sinks.size === 0 && this.#sinks.get(tenantId) === sinks) this.#sinks.delete(tenantId);
    };
  }

  /** Begins at the horizon: history is for those who ask for it. */
  async start(): Promise<void> {
    const { horizon } = await readTail(this.#db, feedStart, 0, []);
    this.#position = horizon;
    this.#schedule(0);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    await this.#reading;
    await this.#horizon.stop();
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
    const wasOutdated = this.#isReadOutdated;
    this.#isReadOutdated = false;
    try {
      const tenantIds = wasOutdated ? null : this.#tenantsFollowed();
      const limit = tenantIds?.length === 0 ? 0 : BATCH;
      const { events, horizon, hidden } = await readTail(this.#db, this.#position, limit, tenantIds);
      if (this.#isReadOutdated && tenantIds) return this.#schedule(0);
      for (const event of events) this.#handOut(event);
      const more = events.length === BATCH;
      if (!more && comparePlaces(horizon, this.#position) > 0) this.#position = horizon;
      if (!more) this.#caughtUpAt = performance.now();
      this.#schedule(more || this.#rung ? 0 : hidden ? POLL_HIDDEN_MILLISECONDS : POLL_IDLE_MILLISECONDS);
      this.#horizon.observe(horizon, hidden);
    } catch (error) {
      this.#log.warn({ error: (error as Error).message }, 'reading the feed failed; trying again');
      this.#schedule(POLL_IDLE_MILLISECONDS);
    }
  }

  /** Null: the events of all tenants. */
  #tenantsFollowed(): string[] | null {
    return this.#sinks.size > MAX_TENANTS_NAMED ? null : [...this.#sinks.keys()];
  }

  #handOut(event: FeedEvent): void {
    this.#position = { epoch: event.epoch, xid: event.xid, seq: event.seq };
    this.#onHandedOut(event);
    for (const sink of this.#sinks.get(event.tenantId) ?? []) sink.receive(event);
  }
}
