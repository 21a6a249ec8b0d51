/**
 * Owns handing a rendered mail to SMTP: one pool of connections, the headers of an automatic mail, and the verdict whether
 * a failure is worth another try. It neither queues nor retries (`jobs/`), and decides nothing about whom to write to.
 */
import { createTransport, type NodemailerError, type SendMailOptions } from 'nodemailer';
import addressparser from 'nodemailer/lib/addressparser';
import { SECOND } from '../kernel/clock.js';
import type { MailMessage } from '../kernel/mail-message.js';
import { mailError } from './mail-errors.js';
import type { RenderedMail } from './mail-renderer.js';
import { LOGO_CONTENT_ID } from './mail-view.js';
import { displayName } from './one-line.js';

export interface MailTransport {
  /** @throws PermanentMailError, TemporaryMailError */
  send(message: MailMessage, rendered: RenderedMail): Promise<void>;
  /** Ends idle connections at once, busy ones after their mail. */
  close(): void;
}

export interface SmtpTransportOptions {
  /** `smtp://` or `smtps://`, with user and password if needed; its query may set nodemailer's connection options. */
  smtpUrl: string;
  /** `invitations@example.com`, or `Example <invitations@example.com>` to be named so beside the tenant. */
  from: string;
  /** Host name of the gateway, without a port: right part of Message-IDs and our name in EHLO. */
  publicHost: string;
  maxConnections: number;
}

/** A job's attempt has to fail while its worker still waits; nodemailer's own defaults reach up to ten minutes. */
const timeouts = {
  dnsTimeout: 10 * SECOND,
  connectionTimeout: 10 * SECOND,
  greetingTimeout: 10 * SECOND,
  socketTimeout: 20 * SECOND,
};

/** From asking to answered, waiting for a free connection included: a server that trickles never falls silent. */
const SEND_DEADLINE = 60 * SECOND;

const PRODUCT_NAME = 'Vestibule';

export function createSmtpTransport(options: SmtpTransportOptions): MailTransport {
  const pool = createTransport({
    ...timeouts,
    url: options.smtpUrl,
    pool: true,
    maxConnections: options.maxConnections,
    // The default of 100 would drop a good connection, with its TLS handshake, every hundred mails.
    maxMessages: Number.POSITIVE_INFINITY,
    name: options.publicHost,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const sender = parseSender(options.from);
  return {
    async send(message, rendered) {
      const mail = compose(message, rendered, sender, options.publicHost);
      await pool
        .sendMail({ ...mail, signal: AbortSignal.timeout(SEND_DEADLINE) })
        .catch((error: NodemailerError) => Promise.reject(mailError(error)));
    },
    close: () => pool.close(),
  };
}

interface Mailbox {
  name: string;
  address: string;
}

function parseSender(from: string): Mailbox {
  const [mailbox] = addressparser(from, { flatten: true });
  return { name: mailbox?.name || PRODUCT_NAME, address: mailbox?.address ?? '' };
}

/** Addresses are objects throughout: a string would be parsed as a list, and a comma in a name would add a recipient. */
function compose(message: MailMessage, rendered: RenderedMail, sender: Mailbox, publicHost: string): SendMailOptions {
  return {
    envelope: { from: mailbox(null, sender.address), to: [mailbox(null, message.to.address)] },
    from: mailbox(senderName(message.brand.tenantName, sender.name), sender.address),
    to: mailbox(displayName(message.to.name), message.to.address),
    ...(message.replyTo && { replyTo: mailbox(null, message.replyTo) }),
    ...rendered,
    attachments: logoOf(message),
    // The same for a repeat, so that mail servers and clients recognise it.
    messageId: `<${message.messageKey}@${publicHost}>`,
    headers: {
      // RFC 3834 section 5 and its Exchange counterpart: out-of-office replies are not wanted.
      'Auto-Submitted': 'auto-generated',
      'X-Auto-Response-Suppress': 'All',
      'Content-Language': message.language,
    },
  };
}

function logoOf({ brand: { logo } }: MailMessage) {
  return logo
    ? [
        {
          cid: LOGO_CONTENT_ID,
          content: logo.image,
          contentType: logo.contentType,
          contentDisposition: 'inline' as const,
        },
      ]
    : [];
}

function mailbox(name: string | null, address: string): Mailbox {
  return { name: name ?? '', address };
}

function senderName(tenantName: string, product: string): string {
  const tenant = displayName(tenantName);
  return tenant ? `${tenant} via ${product}` : product;
}
