/**
 * What this process remembers of the credentials presented to it: bounded, short, one read for callers at the same time.
 * Nothing here is true for longer than a doorbell takes; `clear` forgets everything, reads under way included.
 */
import type { Actor } from '../../kernel/actor.js';
import { type Clock, SECOND } from '../../kernel/clock.js';

interface Entry {
  actor: Promise<Actor | null>;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

/** A safety net only: the doorbell is what makes a change felt. */
const KNOWN_MILLISECONDS = 30 * SECOND;
const UNKNOWN_MILLISECONDS = 5 * SECOND;
const MAX_ENTRIES = 10_000;

export class CredentialCache {
  readonly #clock: Clock;
  /** In the order of last use. */
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(key: string, read: () => Promise<Actor | null>): Promise<Actor | null> {
    const known = this.#entries.get(key);
    this.#entries.delete(key);
    const entry = known && known.expiresAt > this.#now() ? known : this.#begin(key, read);
    this.#entries.set(key, entry);
    this.#evict();
    return entry.actor;
  }

  clear(): void {
    this.#entries.clear();
  }

  #begin(key: string, read: () => Promise<Actor | null>): Entry {
    const entry: Entry = { actor: read(), expiresAt: this.#now() + KNOWN_MILLISECONDS };
    entry.actor.then(
      (actor) => {
        if (!actor) entry.expiresAt = this.#now() + UNKNOWN_MILLISECONDS;
      },
      () => {
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
      },
    );
    return entry;
  }

  #evict(): void {
    if (this.#entries.size <= MAX_ENTRIES) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  #now(): number {
    return this.#clock.now().getTime();
  }
}
