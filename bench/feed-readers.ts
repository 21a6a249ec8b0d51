/**
 * Many sockets that read: a process of its own, told by its parent what to do. It reads frames itself (RFC 6455 section 5.2),
 * because a client library would cost more than the server that is measured.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

export interface ReaderOptions {
  port: number;
  sockets: number;
  /** Sent once connected; the sockets count as ready at the first message that holds `ready`. Null: ready at once. */
  subscription: { authorization: string; query: string; ready: string } | null;
}

export type Order =
  | { do: 'open'; options: ReaderOptions }
  /** Answered when every socket has had so many events more. */
  | { do: 'count'; eventsPerSocket: number }
  /** From now on the time of each arrival is kept, by event. */
  | { do: 'watch' }
  | { do: 'arrivals' };

export type Report =
  | { did: 'open' }
  | { did: 'count'; bytesPerEvent: number; sample: string; at: number }
  | { did: 'watch' }
  /** Sequence number of the event: epoch milliseconds at which each socket had it. */
  | { did: 'arrivals'; arrivals: Record<string, number[]> };

const EVENT = Buffer.from('"evt_');
const TEXT = 1;
const PING = 9;

let remaining = 0;
let counted = 0;
let bytes = 0;
let sample = '';
let arrivals: Map<string, number[]> | null = null;

class Reader {
  readonly ready = Promise.withResolvers<void>();
  readonly #options: ReaderOptions;
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  #isUpgraded = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#socket = connect(options.port, '127.0.0.1');
    this.#socket.on('connect', () => this.#socket.write(upgradeRequest(options.port)));
    this.#socket.on('data', (chunk) => this.#read(chunk));
    this.#socket.on('error', (error) => this.ready.reject(error));
    this.#socket.on('close', () => this.ready.reject(new Error('A socket was closed.')));
  }

  #read(chunk: Buffer): void {
    let data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    if (!this.#isUpgraded) {
      const end = data.indexOf('\r\n\r\n');
      if (end < 0) {
        this.#rest = data;
        return;
      }
      this.#isUpgraded = true;
      data = data.subarray(end + 4);
      this.#introduce();
    }
    this.#rest = data.subarray(this.#readFrames(data));
  }

  /** @returns up to where the frames are whole */
  #readFrames(data: Buffer): number {
    let at = 0;
    while (data.length >= at + 4) {
      const short = (data[at + 1] as number) & 127;
      const head = short < 126 ? 2 : 4;
      const length = short < 126 ? short : data.readUInt16BE(at + 2);
      if (data.length < at + head + length) break;
      this.#hear((data[at] as number) & 15, data.subarray(at + head, at + head + length));
      at += head + length;
    }
    return at;
  }

  #hear(opcode: number, payload: Buffer): void {
    if (opcode === PING) this.#socket.write(frame(10, payload));
    if (opcode !== TEXT) return;
    const id = payload.indexOf(EVENT);
    if (id < 0) {
      this.#hearOther(payload.toString());
      return;
    }
    bytes += payload.length;
    counted++;
    if (arrivals) {
      const seq = payload.toString('latin1', id + EVENT.length, payload.indexOf('"', id + EVENT.length));
      const times = arrivals.get(seq);
      const now = performance.timeOrigin + performance.now();
      if (times) times.push(now);
      else arrivals.set(seq, [now]);
    }
    if (--remaining === 0) {
      sample = payload.toString();
      report({ did: 'count', bytesPerEvent: bytes / counted, sample, at: performance.timeOrigin + performance.now() });
    }
  }

  #introduce(): void {
    const { subscription } = this.#options;
    if (!subscription) this.ready.resolve();
    else this.#send({ type: 'connection_init', payload: { authorization: subscription.authorization } });
  }

  #hearOther(text: string): void {
    const { subscription } = this.#options;
    if (!subscription) return;
    const { type } = JSON.parse(text) as { type: string };
    const payload = { query: subscription.query };
    if (type === 'connection_ack') this.#send({ id: randomBytes(8).toString('hex'), type: 'subscribe', payload });
    else if (text.includes(subscription.ready)) this.ready.resolve();
    else if (type !== 'next') this.ready.reject(new Error(text));
  }

  #send(message: object): void {
    this.#socket.write(frame(TEXT, Buffer.from(JSON.stringify(message))));
  }
}

function upgradeRequest(port: number): string {
  return [
    'GET /graphql HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    'Sec-WebSocket-Protocol: graphql-transport-ws',
    '\r\n',
  ].join('\r\n');
}

/** Of a client, so with a mask: all zeros, which leaves the payload as it is. */
function frame(opcode: number, payload: Buffer): Buffer {
  const head =
    payload.length < 126
      ? Buffer.from([0x80 | opcode, 0x80 | payload.length])
      : Buffer.from([0x80 | opcode, 0x80 | 126, payload.length >> 8, payload.length & 255]);
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}

const report = (told: Report) => process.send?.(told);
let sockets = 0;

/** A hundred at a time, so that no backlog overflows. */
async function open(options: ReaderOptions): Promise<void> {
  for (; sockets < options.sockets; sockets += 100) {
    const some = Array.from({ length: Math.min(100, options.sockets - sockets) }, () => new Reader(options));
    await Promise.all(some.map(({ ready }) => ready.promise));
  }
  sockets = options.sockets;
  report({ did: 'open' });
}

process.on('message', (order: Order) => {
  if (order.do === 'open') void open(order.options);
  if (order.do === 'count') {
    remaining = order.eventsPerSocket * sockets;
    [counted, bytes] = [0, 0];
  }
  if (order.do === 'watch') {
    arrivals = new Map();
    report({ did: 'watch' });
  }
  if (order.do === 'arrivals') {
    report({ did: 'arrivals', arrivals: Object.fromEntries(arrivals ?? []) });
    arrivals = null;
  }
});
process.on('disconnect', () => process.exit(0));
