import { createHash, type Hash } from 'node:crypto';

/** The file's bytes on their way to the parser: counted, hashed, and cut short by a signal. */
export class FileBytes implements AsyncIterable<Buffer> {
  readonly #source: AsyncIterable<Buffer>;
  readonly #signal: AbortSignal | undefined;
  readonly #hash: Hash = createHash('sha256');
  #read = 0;

  constructor(source: AsyncIterable<Buffer>, signal?: AbortSignal) {
    this.#source = source;
    this.#signal = signal;
  }

  get read(): number {
    return this.#read;
  }

  /** Of all bytes, so only at the end. */
  sha256(): string {
    return this.#hash.digest('hex');
  }

  async readAll(): Promise<void> {
    for await (const _ of this);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void> {
    const pieces = this.#source[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await orAborted(() => pieces.next(), this.#signal);
        if (done) return;
        this.#read += value.length;
        this.#hash.update(value);
        yield value;
      }
    } finally {
      // After an abort it waits for bytes that nobody may ever send, and would not return before them.
      if (!this.#signal?.aborted) await pieces.return?.();
    }
  }
}

/** Not `Promise.race` with one promise for all: what waits for it would be remembered until the file's end. */
function orAborted<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work();
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort));
  });
}
