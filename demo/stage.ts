/** Everything the demo has started: stopped in reverse order however the demo ends, and watched for breaking down before. */
export class Stage {
  readonly #stops: (() => unknown)[] = [];
  readonly #kills: (() => void)[] = [];
  readonly #failure = Promise.withResolvers<never>();

  constructor() {
    this.#failure.promise.catch(() => undefined);
  }

  /** Never fulfils; rejects with the first breakdown. */
  get failed(): Promise<never> {
    return this.#failure.promise;
  }

  add(stop: () => unknown, { failed, kill }: { failed?: Promise<never>; kill?: () => void } = {}): void {
    this.#stops.push(stop);
    if (kill) this.#kills.push(kill);
    if (failed) this.watch(failed);
  }

  watch(failed: Promise<never>): void {
    failed.catch(this.#failure.reject);
  }

  /** One thing that does not stop keeps no other from stopping. @returns what went wrong. */
  async clear(): Promise<Error[]> {
    const problems: Error[] = [];
    // One by one, because what was being started when the demo was interrupted may still come.
    for (let stop = this.#stops.pop(); stop; stop = this.#stops.pop()) {
      try {
        await stop();
      } catch (error) {
        problems.push(error as Error);
      }
    }
    return problems;
  }

  /** For who cannot wait. `clear` goes on, and finds the processes gone. */
  kill(): void {
    for (const kill of this.#kills) kill();
  }
}
