/**
 * Subscriptions that are the same for several sockets: executed once per event, made to text once, sent to each. Who belongs
 * together is decided by the key; who may subscribe was decided before, for each alone. graphql-ws holds every subscription's
 * beginning and end; in between the group writes its `next` messages, of which only the subscription's id is the socket's own.
 */
import { setImmediate as othersTurn, setTimeout as wait } from 'node:timers/promises';
import type { Log } from '../../kernel/log.js';
import type { ShareableStream } from '../../kernel/shareable-stream.js';

/** What a group needs of a socket; ws has it. */
export interface GroupSocket {
  readonly readyState: number;
  readonly OPEN: number;
  readonly bufferedAmount: number;
  send(text: string): void;
}

export interface Member {
  socket: GroupSocket;
  /** The subscription's id on its socket. */
  id: string;
  /** Its own stream, which was handed over. */
  stream: ShareableStream<unknown>;
  /** The shared stream has ended. @param fault why, unless it had nothing more to say */
  onEnd(fault?: Error): void;
  /** It read too slowly; the group has forgotten it and tells it nothing more. */
  onLag(notice: unknown): void;
}

/** What the kernel has not taken yet for a socket that reads slowly or not at all; beyond that it is let go. */
const MAX_BUFFERED_BYTES = 1024 * 1024;
/** So many are sent to before everything else in the process has its turn. */
const SENDS_PER_TURN = 250;
const RETRY_MILLISECONDS = 1000;
const EXECUTED_AHEAD = 4;

export class SharedSubscriptions {
  readonly #groups = new Map<string, Group>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * In the tick in which the member's stream was handed over.
   * @param publish one item as the JSON text of a `next` payload
   * @returns what leaves the group again
   */
  join(key: string, member: Member, publish: (item: unknown) => Promise<string>): () => void {
    const group = this.#groups.get(key) ?? this.#open(key, member.stream, publish);
    return group.add(member);
  }

  #open(key: string, stream: ShareableStream<unknown>, publish: (item: unknown) => Promise<string>): Group {
    const close = () => void (this.#groups.get(key) === group && this.#groups.delete(key));
    const group: Group = new Group({ stream, publish, close, log: this.#log });
    this.#groups.set(key, group);
    return group;
  }
}

interface GroupParts {
  stream: ShareableStream<unknown>;
  publish(item: unknown): Promise<string>;
  /** Nobody may join any more. */
  close(): void;
  log: Log;
}

interface Seat {
  member: Member;
  /** The message up to its payload. */
  head: string;
  /** What was sent last; null: nothing yet. */
  last: unknown;
}

class Group {
  readonly #parts: GroupParts;
  readonly #shared: AsyncIterableIterator<unknown>;
  readonly #seats = new Set<Seat>();
  /** They were told alone what the group has still to tell the others; each sits down at the first item that is new to it. */
  readonly #newcomers = new Set<Seat>();
  #isOver = false;

  constructor(parts: GroupParts) {
    this.#parts = parts;
    this.#shared = parts.stream.openShared(() => this.#size);
    void this.#run();
  }

  get #size(): number {
    return this.#seats.size + this.#newcomers.size;
  }

  add(member: Member): () => void {
    const seat: Seat = { member, head: `{"id":${JSON.stringify(member.id)},"type":"next","payload":`, last: null };
    this.#newcomers.add(seat);
    return () => this.#remove(seat);
  }

  #remove(seat: Seat): void {
    this.#seats.delete(seat);
    this.#newcomers.delete(seat);
    if (this.#size === 0) this.#end();
  }

  #end(fault?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#parts.close();
    void this.#shared.return?.();
    for (const { member } of [...this.#seats, ...this.#newcomers]) member.onEnd(fault);
    this.#seats.clear();
    this.#newcomers.clear();
  }

  /** Items are told in their order; the next few are executed meanwhile, as their answers wait for the database. */
  async #run(): Promise<void> {
    const underWay: Promise<void>[] = [];
    let lastTold: Promise<void> = Promise.resolve();
    while (!this.#isOver) {
      const { done, value } = await this.#nextItem();
      if (done) break;
      lastTold = this.#tellAfter(lastTold, value, this.#parts.publish(value));
      underWay.push(lastTold);
      if (underWay.length >= EXECUTED_AHEAD) await underWay.shift();
    }
    await lastTold;
    this.#end();
  }

  async #tellAfter(lastTold: Promise<void>, item: unknown, executed: Promise<string>): Promise<void> {
    try {
      const [payload] = await Promise.all([executed, lastTold]);
      await this.#tell(item, payload);
    } catch (error) {
      this.#end(error as Error);
    }
  }

  async #nextItem(): Promise<IteratorResult<unknown>> {
    for (;;) {
      try {
        return await this.#shared.next();
      } catch (error) {
        const { message } = error as Error;
        this.#parts.log.warn({ error: message }, 'reading a shared subscription failed; trying again');
        await wait(RETRY_MILLISECONDS);
      }
    }
  }

  async #tell(item: unknown, payload: string): Promise<void> {
    this.#seatNewcomers(item);
    let sent = 0;
    for (const seat of this.#seats) {
      this.#send(seat, item, payload);
      if (++sent % SENDS_PER_TURN === 0) await othersTurn();
    }
    await othersTurn();
  }

  #seatNewcomers(item: unknown): void {
    for (const seat of this.#newcomers) {
      if (seat.member.stream.wasTold(item)) continue;
      this.#newcomers.delete(seat);
      this.#seats.add(seat);
    }
  }

  #send(seat: Seat, item: unknown, payload: string): void {
    const { socket } = seat.member;
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.#letGo(seat);
      return;
    }
    seat.last = item;
    socket.send(`${seat.head}${payload}}`);
  }

  #letGo(seat: Seat): void {
    this.#remove(seat);
    seat.member.onLag(seat.member.stream.laggedAfter(seat.last));
  }
}
