/**
 * Owns handing a rendered mail to SMTP: one pool of connections, the envelope, and the verdict whether a failure is worth
 * another try. It neither queues nor retries (`jobs/`), and decides nothing about whom to write to. What a mail looks like
 * is `mail-composer.ts`, how many go at once `mail-pace.ts`.
 */
import { createTransport, type NodemailerError } from 'nodemailer';
import addressparser from 'nodemailer/lib/addressparser';
import { SECOND } from '../kernel/clock.js';
import { type Log, silentLog } from '../kernel/log.js';
import type { MailMessage } from '../kernel/mail-message.js';
import { inSpan } from '../kernel/scope.js';
import type { SpanOptions } from '../kernel/tracing.js';
import { composeMail, type Mailbox } from './mail-composer.js';
import { mailError } from './mail-errors.js';
import { MailPace, type PaceTimes } from './mail-pace.js';
import type { RenderedMail } from './mail-renderer.js';
import { returnAddress } from './return-path.js';

export interface MailTransport {
  /** Waits while the server takes no mail. @throws Error when the signal says so, or it is given up on. */
  ready(signal?: AbortSignal): Promise<void>;
  /** @throws PermanentMailError, TemporaryMailError, MailPaused */
  send(message: MailMessage, rendered: RenderedMail): Promise<void>;
  /** Lets go who waits in `ready`. */
  giveUp(): void;
  /** Ends idle connections at once, busy ones after their mail. */
  close(): void;
}

export interface SmtpTransportOptions {
  /** `smtp://` or `smtps://`, with user and password if needed; its query may set nodemailer's connection options. */
  smtpUrl: string;
  /** `invitations@example.com`, or `Example <invitations@example.com>` to be named so beside the tenant. */
  from: string;
  /** Envelope sender, where bounces go; a `*` in it stands for the mail's key. Null: the address of `from`. */
  returnPath?: string | null;
  /** Host name of the gateway, without a port: right part of Message-IDs and our name in EHLO. */
  publicHost: string;
  maxConnections: number;
  log?: Log;
  pace?: PaceTimes;
}

/** A job's attempt has to fail while its worker still waits; nodemailer's own defaults reach up to ten minutes. */
const timeouts = {
  dnsTimeout: 10 * SECOND,
  connectionTimeout: 10 * SECOND,
  greetingTimeout: 10 * SECOND,
  socketTimeout: 20 * SECOND,
};

/** From asking to answered: a server that trickles never falls silent. */
const SEND_DEADLINE = 60 * SECOND;

/** How often a mail is sent again within an attempt because its connection had been closed meanwhile, as idle ones are. */
const MAX_REQUEUES = 1;

const PRODUCT_NAME = 'Vestibule';

export function createSmtpTransport(options: SmtpTransportOptions): MailTransport {
  const pool = createTransport({
    ...timeouts,
    url: options.smtpUrl,
    pool: true,
    maxConnections: options.maxConnections,
    maxRequeues: MAX_REQUEUES,
    // The default of 100 would drop a good connection, with its TLS handshake, every hundred mails.
    maxMessages: Number.POSITIVE_INFINITY,
    name: options.publicHost,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const pace = new MailPace(options.maxConnections, options.log ?? silentLog, options.pace);
  const sender = parseSender(options.from);
  const span = spanOf(options.smtpUrl);
  const send = async (message: MailMessage, rendered: RenderedMail) => {
    const messageId = `<${message.messageKey}@${options.publicHost}>`;
    const raw = composeMail(message, rendered, sender, messageId);
    await pool
      .sendMail({
        envelope: envelope(message, returnAddress(options.returnPath ?? sender.address, message.messageKey)),
        // What comes back of a refused mail is its head alone, without the link; being late is no news (RFC 3461).
        dsn: { id: message.messageKey, return: 'headers', notify: 'failure', recipient: message.to.address },
        raw,
        // Otherwise one would be made up, for nobody.
        messageId,
        signal: AbortSignal.timeout(SEND_DEADLINE),
      })
      .catch((error: NodemailerError) => Promise.reject(mailError(error)));
  };
  return {
    ready: (signal) => pace.open(signal),
    send: (message, rendered) => pace.run(() => inSpan('send mail', span, () => send(message, rendered))),
    giveUp: () => pace.stop(),
    close: () => {
      pace.stop();
      pool.close();
    },
  };
}

/** The server without user and password. */
function spanOf(smtpUrl: string): SpanOptions {
  const { hostname, port } = new URL(smtpUrl);
  const server = { 'server.address': hostname, ...(port && { 'server.port': Number(port) }) };
  return { kind: 'client', attributes: { 'network.protocol.name': 'smtp', ...server } };
}

/** Addresses are objects: a string would be parsed as a list. */
function envelope({ to }: MailMessage, returnPath: string) {
  return { from: { name: '', address: returnPath }, to: [{ name: '', address: to.address }] };
}

function parseSender(from: string): Mailbox {
  const [mailbox] = addressparser(from, { flatten: true });
  return { name: mailbox?.name || PRODUCT_NAME, address: mailbox?.address ?? '' };
}
