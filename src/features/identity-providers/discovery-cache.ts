/**
 * Remembers what was made for a key for a while: callers at the same time share one making, a failure is forgotten at
 * once. Per process and rebuildable; nothing another process would need.
 */
import type { Clock } from '../../kernel/clock.js';

interface Entry<T> {
  value: Promise<T>;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

export class DiscoveryCache<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #clock: Clock;
  readonly #lifetime: number;
  readonly #most: number;

  /** @param lifetime milliseconds @param most entries; the oldest goes */
  constructor(clock: Clock, lifetime: number, most = 1000) {
    this.#clock = clock;
    this.#lifetime = lifetime;
    this.#most = most;
  }

  get(key: string, make: () => Promise<T>): Promise<T> {
    this.#dropExpired();
    const cached = this.#entries.get(key);
    if (cached) return cached.value;
    const entry = { value: make(), expiresAt: this.#clock.now().getTime() + this.#lifetime };
    this.#entries.set(key, entry);
    if (this.#entries.size > this.#most) this.#entries.delete(this.#entries.keys().next().value as string);
    entry.value.catch(() => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    });
    return entry.value;
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }

  #dropExpired(): void {
    const now = this.#clock.now().getTime();
    for (const [key, entry] of this.#entries) if (entry.expiresAt <= now) this.#entries.delete(key);
  }
}
