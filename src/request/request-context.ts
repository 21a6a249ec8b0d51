/**
 * What every entrance (GraphQL, a subscription's event, a page, a job) hands to the features: who acts, on which tenants,
 * and what to read with. It carries ids and permissions, never entities; reads go through `db`, writes through
 * `transaction`. Loaders live as long as the context, so a context is never kept from one event to the next.
 */
import type { MikroORM } from '@mikro-orm/postgresql';
import DataLoader from 'dataloader';
import type { Listener } from '../database/listener.js';
import type { Tables } from '../database/table.js';
import { type Db, inOneStatement, inTransaction, type Scope, type Tx } from '../database/transaction.js';
import type { FeedPlace } from '../events/feed-place.js';
import type { FeedTail } from '../events/feed-tail.js';
import type { Actor } from '../kernel/actor.js';
import type { Clock } from '../kernel/clock.js';
import type { Log } from '../kernel/log.js';
import type { Secrets } from '../kernel/secrets.js';

/** What the process has once and every request uses. */
export interface Ground {
  orm: MikroORM;
  tables: Tables;
  secrets: Secrets;
  clock: Clock;
  log: Log;
  /** The process's reader of the feed. */
  feed: FeedTail;
  /** Doorbells of the database. */
  listener: Listener;
}

export class RequestContext {
  readonly actor: Actor;
  /** Of a stranger, as limits count them; null: of nobody in particular. */
  readonly network: string | null;
  readonly log: Log;
  /** Reads only; runs outside any transaction. */
  readonly db: Db;
  readonly tables: Tables;
  readonly secrets: Secrets;
  readonly clock: Clock;
  /** Taken before the first statement: state loaded by this request and the feed resumed from here leave no gap. */
  readonly feedPosition: FeedPlace;
  readonly feed: FeedTail;
  readonly listener: Listener;
  // Not `#private`: Apollo hands resolvers a shallow copy of the context, which private members do not survive.
  private readonly orm: MikroORM;
  // biome-ignore lint/suspicious/noExplicitAny: one map for loaders of every key and value type
  private readonly loaders = new Map<string, DataLoader<any, any>>();

  constructor(ground: Ground, actor: Actor, log: Log = ground.log, network: string | null = null) {
    this.actor = actor;
    this.network = network;
    this.log = log;
    this.orm = ground.orm;
    this.db = ground.orm.em.getConnection().getClient() as Db;
    this.tables = ground.tables;
    this.secrets = ground.secrets;
    this.clock = ground.clock;
    this.feed = ground.feed;
    this.feedPosition = ground.feed.position;
    this.listener = ground.listener;
  }

  /** The one tenant the actor reaches; null: all. */
  get scope(): string | null {
    return this.actor.tenantId;
  }

  /** What was loaded before is forgotten: the same request reads its own writes. */
  async transaction<T>(tenantId: string | null, work: (tx: Tx) => Promise<T>): Promise<T> {
    const result = await inTransaction(this.orm, tenantId, work);
    this.loaders.clear();
    return result;
  }

  /** For a command whose only write is one statement; see `inOneStatement`. */
  async oneStatement<T>(tenantId: string | null, work: (scope: Scope) => Promise<T>): Promise<T> {
    const result = await inOneStatement(this.orm, tenantId, work);
    this.loaders.clear();
    return result;
  }

  /** The loader of this name, made on first use. `batch` answers in the order of the keys. */
  loader<K, V>(name: string, batch: (keys: readonly K[]) => Promise<V[]>): DataLoader<K, V> {
    const known = this.loaders.get(name);
    if (known) return known;
    const loader = new DataLoader<K, V>(batch);
    this.loaders.set(name, loader);
    return loader;
  }
}
