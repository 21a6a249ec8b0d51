import { setTimeout as wait } from 'node:timers/promises';
import type { Log } from './kernel/log.js';

/** Started parts, stopped in reverse order; one that fails does not keep the others from stopping. */
export class Running {
  readonly #log: Log;
  readonly #stops: { part: string; stop: () => unknown }[] = [];
  #stopping = false;

  constructor(log: Log) {
    this.#log = log;
  }

  add(part: string, stop: () => unknown): void {
    this.#stops.push({ part, stop });
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  async stop(noticeMilliseconds = 0): Promise<void> {
    this.#stopping = true;
    await wait(noticeMilliseconds);
    for (const { part, stop } of this.#stops.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        this.#log.error({ part, error: (error as Error).message }, 'a part did not stop in order');
      }
    }
  }
}
