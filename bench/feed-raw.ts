/** The raw limit of the feed: ws, a loop over its sockets and one LISTEN; no GraphQL, no order, nothing to resume from. */
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { setImmediate as othersTurn } from 'node:timers/promises';
import pg from 'pg';
import { WebSocketServer } from 'ws';

const server = createServer((request, response) => {
  void text(request).then(async (body) => {
    if (request.url === '/burst') await sendMany(JSON.parse(body) as { message: string; count: number });
    response.end('{}');
  });
});
const sockets = new WebSocketServer({ server, path: '/graphql', handleProtocols: () => 'graphql-transport-ws' });

/** Each the next event's text; the loop lets the kernel take what was written. */
async function sendMany({ message, count }: { message: string; count: number }): Promise<void> {
  for (let sent = 0; sent < count; sent++) {
    for (const socket of sockets.clients) socket.send(message);
    await othersTurn();
  }
}

const listener = new pg.Client({ connectionString: process.env.DATABASE_URL });
await listener.connect();
await listener.query('listen raw_feed');
listener.on('notification', ({ payload }) => {
  for (const socket of sockets.clients) socket.send(payload ?? '');
});

server.listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
