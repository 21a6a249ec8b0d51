/**
 * The mailbox that bounces come to, read by IMAP. What was read is marked as seen and stays; emptying the mailbox is the
 * operator's. Who judges a report is told by whoever calls.
 */
import { SECOND } from '../kernel/clock.js';

export interface BounceMailbox {
  /** Hands over every mail not seen yet, oldest first; one whose handling fails stays unseen, and ends the reading. */
  read(handle: (raw: Uint8Array) => Promise<void>): Promise<void>;
}

/** Bytes of a mail that are read: a report says what it has to say at the beginning. */
const MAX_BYTES = 256 * 1024;
/** Of one reading; the rest is there the next time. */
const MAX_MAILS = 500;
const DEFAULT_FOLDER = 'INBOX';

const timeouts = { connectionTimeout: 10 * SECOND, greetingTimeout: 10 * SECOND, socketTimeout: 30 * SECOND };

/** @param url `imaps://user:password@host:993/folder`; `imap://` is upgraded to TLS when the server offers it. */
export function createBounceMailbox(url: string): BounceMailbox {
  const { protocol, hostname, port, username, password, pathname } = new URL(url);
  const secure = protocol === 'imaps:';
  const folder = decodeURIComponent(pathname.slice(1)) || DEFAULT_FOLDER;
  return {
    async read(handle) {
      // Not loaded at start: most installations read no mailbox.
      const { ImapFlow } = await import('imapflow');
      const client = new ImapFlow({
        ...timeouts,
        host: hostname,
        port: Number(port) || (secure ? 993 : 143),
        secure,
        auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) },
        logger: false,
      });
      // A connection that breaks rejects the command at hand as well.
      client.on('error', () => undefined);
      await client.connect();
      try {
        await client.mailboxOpen(folder);
        const unseen = (await client.search({ seen: false }, { uid: true })) || [];
        for (const uid of unseen.slice(0, MAX_MAILS)) {
          const mail = await client.fetchOne(String(uid), { source: { maxLength: MAX_BYTES } }, { uid: true });
          const source = mail ? mail.source : null;
          if (source) await handle(source);
          await client.messageFlagsAdd(String(uid), ['\\Seen'], { uid: true });
        }
      } finally {
        await client.logout().catch(() => client.close());
      }
    },
  };
}
