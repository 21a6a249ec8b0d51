/** A piece of network on loopback that can be cut, or fall silent, between anybody and a server. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  port: number;
  /** Every connection is reset, and new ones are refused, until it is mended. */
  cut(): void;
  /** Nothing arrives any more on either side, and nobody is told, until it is mended. */
  stall(): void;
  mend(): void;
  stop(): Promise<void>;
}

/** @param target the port behind it, asked for every connection; null refuses. */
export async function startTcpProxy(target: () => number | null): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let state: 'open' | 'cut' | 'stalled' = 'open';
  const server = createServer((client) => {
    const port = state === 'cut' ? null : target();
    if (port === null) {
      client.resetAndDestroy();
      return;
    }
    join(client, connect({ port, host: '127.0.0.1' }), sockets);
    if (state === 'stalled') for (const socket of sockets) socket.pause();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      state = 'cut';
      for (const socket of sockets) socket.resetAndDestroy();
    },
    stall() {
      state = 'stalled';
      for (const socket of sockets) socket.pause();
    },
    mend() {
      state = 'open';
      for (const socket of sockets) socket.resume();
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** One end's reset or close is the other's. Written by hand, because `pipe` would resume what was stalled. */
function join(client: Socket, upstream: Socket, sockets: Set<Socket>): void {
  for (const [from, to] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    sockets.add(from);
    from.setNoDelay(true);
    from.on('data', (data) => void to.write(data));
    from.on('end', () => to.end());
    from.on('error', () => to.resetAndDestroy());
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
  }
}
