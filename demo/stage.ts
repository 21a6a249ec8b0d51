/** Everything the demo has started: stopped in reverse order however the demo ends, and watched for breaking down before. */
export interface Part {
  stop(): unknown;
  /** Ends it at once. */
  kill?(): void;
  /** Never fulfils; rejects when it breaks down. */
  failed?: Promise<never>;
}

export class Stage {
  readonly #parts: Part[] = [];
  readonly #kills: (() => void)[] = [];
  readonly #problems: Error[] = [];
  readonly #failure = Promise.withResolvers<never>();

  constructor() {
    this.#failure.promise.catch(() => undefined);
  }

  /** Never fulfils; rejects with the first breakdown. */
  get failed(): Promise<never> {
    return this.#failure.promise;
  }

  add(part: Part): void {
    this.#parts.push(part);
    if (part.kill) this.#kills.push(() => part.kill?.());
    if (!part.failed) return;
    this.watch(part.failed);
    part.failed.catch((error) => this.#problems.push(error));
  }

  /** What depends on parts and breaks down with them. */
  watch(failed: Promise<never>): void {
    failed.catch(this.#failure.reject);
  }

  /** A part that does not stop keeps no other from stopping. @returns what broke down, before or while stopping. */
  async clear(): Promise<Error[]> {
    // One by one, because what was being started when the demo was interrupted may still come.
    for (let part = this.#parts.pop(); part; part = this.#parts.pop()) {
      try {
        await part.stop();
      } catch (error) {
        this.#problems.push(error as Error);
      }
    }
    return this.#problems;
  }

  /** For who cannot wait. `clear` goes on, and finds the processes gone. */
  kill(): void {
    for (const kill of this.#kills) kill();
  }
}
