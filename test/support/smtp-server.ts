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
  stop(): Promise<void>;
}

export async function startSmtpServer(options: SMTPServerOptions = {}): Promise<TestSmtpServer> {
  const received: ReceivedMail[] = [];
  const sockets: Socket[] = [];
  const server = new SMTPServer({
    logger: false,
    disabledCommands: ['STARTTLS'],
    authOptional: true,
    onData(stream, session, callback) {
      const { mailFrom, rcptTo } = session.envelope;
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
  const dropConnections = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `smtp://127.0.0.1:${port}`,
    received,
    connections: () => sockets.length,
    dropConnections,
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
