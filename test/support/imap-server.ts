/** A real IMAP server on loopback with one mailbox, whose mails are there from the start or are put in by a test. */
import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { AddressInfo, Server } from 'node:net';

interface Hoodiecrow {
  server: Server;
  listen(port: number, host: string): void;
  appendMessage(folder: string, flags: string[], date: boolean, raw: string): void;
  folderCache: Record<string, { messages: { flags: string[] }[] }>;
  close(done: () => void): void;
}

export interface TestImapServer {
  url: string;
  put(raw: string): void;
  /** Of each mail in the mailbox, in the order they came: whether it was read. */
  seen(): boolean[];
  stop(): Promise<void>;
}

const USER = 'bounces@gateway.example';
const PASSWORD = 'the password: with/odd characters';

export async function startImapServer(): Promise<TestImapServer> {
  const hoodiecrow = createRequire(import.meta.url)('hoodiecrow-imap') as (options: object) => Hoodiecrow;
  const imap = hoodiecrow({
    plugins: ['ID', 'UNSELECT', 'UIDPLUS', 'LITERALPLUS'],
    storage: { INBOX: { messages: [] } },
    users: { [USER]: { password: PASSWORD } },
  });
  imap.listen(0, '127.0.0.1');
  if (!imap.server.listening) await once(imap.server, 'listening');
  const { port } = imap.server.address() as AddressInfo;
  const login = `${encodeURIComponent(USER)}:${encodeURIComponent(PASSWORD)}`;
  return {
    url: `imap://${login}@127.0.0.1:${port}/INBOX`,
    put: (raw) => imap.appendMessage('INBOX', [], false, raw),
    seen: () => imap.folderCache.INBOX?.messages.map(({ flags }) => flags.includes('\\Seen')) ?? [],
    stop: () => new Promise((resolve) => imap.close(resolve)),
  };
}
