/** A real SMTP server on loopback that keeps what it got, and refuses or breaks off where a test asks it to. */
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

export interface ReceivedMail {
  envelope: { from: string; to: string[]; smtpUtf8: boolean };
  raw: string;
  mail: Email;
}

export interface TestSmtpServer {
  url: string;
  received: ReceivedMail[];
  /** Connections taken since the start. */
  connections: () => number;
  dropConnections(): void;
  /** Connections are refused, those open are cut. */
  goDown(): Promise<void>;
  /** On the same port again. */
  comeBack(): Promise<void>;
  stop(): Promise<void>;
}

export interface TestSmtpServerOptions extends SMTPServerOptions {
  /** Whether it hangs up in the middle of the message that comes now. */
  hangsUp?: () => boolean;
  /** When a message has come whole and is kept, before the server says so. */
  onKept?: () => void;
}

export async function startSmtpServer({
  hangsUp,
  onKept,
  ...options
}: TestSmtpServerOptions = {}): Promise<TestSmtpServer> {
  const received: ReceivedMail[] = [];
  const sockets: Socket[] = [];
  const dropConnections = () => {
    for (const socket of sockets) socket.destroy();
  };
  const server = new SMTPServer({
    logger: false,
    disabledCommands: ['STARTTLS'],
    authOptional: true,
    onData(stream, session, callback) {
      const { mailFrom, rcptTo } = session.envelope;
      if (hangsUp?.()) {
        stream.resume();
        return dropConnections();
      }
      buffer(stream)
        .then(async (raw) => {
          received.push({
            envelope: {
              from: mailFrom ? mailFrom.address : '',
              to: rcptTo.map((recipient) => recipient.address),
              smtpUtf8: mailFrom !== false && mailFrom.args !== false && Boolean(mailFrom.args.SMTPUTF8),
            },
            raw: raw.toString(),
            mail: await PostalMime.parse(raw),
          });
          onKept?.();
          callback();
        })
        .catch(callback);
    },
    ...options,
  });
  server.on('error', () => {});
  server.server.on('connection', (socket) => sockets.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const { port } = server.server.address() as AddressInfo;
  return {
    url: `smtp://127.0.0.1:${port}`,
    received,
    connections: () => sockets.length,
    dropConnections,
    async goDown() {
      const closed = once(server.server, 'close');
      server.server.close();
      dropConnections();
      await closed;
    },
    async comeBack() {
      server.server.listen(port, '127.0.0.1');
      await once(server.server, 'listening');
    },
    stop: () => {
      dropConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An SMTP refusal with its reply code, e.g. 550. */
export function refusal(responseCode: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode });
}
