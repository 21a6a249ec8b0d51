/**
 * A stream of which everybody who asked for the same can be served together: each is first told alone what it missed, and
 * goes on with the others from the moment when nothing of that is left.
 */
export interface ShareableStream<T> extends AsyncIterableIterator<T> {
  /**
   * Asked between two calls of `next`. True when nothing is left to tell this reader alone: the stream has ended then, and the
   * shared one goes on exactly here, provided it is opened, or was open, in the same tick.
   */
  handOver(): boolean;
  /**
   * What all get from here on. It has no reader to wait for and never gives up: when it is behind, it reads on from there.
   * @param readers how many there are at any time, for metrics
   */
  openShared(readers: () => number): AsyncIterableIterator<T>;
  /** Whether this reader was told of a shared item already, alone. */
  wasTold(item: T): boolean;
  /** What a reader is told that cannot keep up; `last`: the last shared item it was sent, null before the first. */
  laggedAfter(last: T | null): T;
}

export function isShareable(stream: object): stream is ShareableStream<unknown> {
  return 'openShared' in stream;
}
