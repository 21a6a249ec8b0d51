/**
 * Message in, mail out: renderer, transport and, in development, the mailbox, as one part. It is opened last, because its
 * parts take longest to load and nobody who sends a request waits for them; jobs that come before wait.
 */
import type { Log } from '../kernel/log.js';
import type { MailMessage } from '../kernel/mail-message.js';
import { startDevelopmentMailbox } from './development-mailbox.js';
import type { PaceTimes } from './mail-pace.js';
import { MailRenderer } from './mail-renderer.js';
import { createSmtpTransport } from './mail-transport.js';

export interface MailerOptions {
  templatesDirectory: string;
  /** Null: the development mailbox on the two ports. */
  smtpUrl: string | null;
  from: { name: string; address: string };
  /** Envelope sender; null: the address of `from`. */
  returnPath: string | null;
  publicHost: string;
  maxConnections: number;
  mailboxSmtpPort: number;
  mailboxWebPort: number;
  log: Log;
  pace?: PaceTimes;
}

interface OpenMailer {
  ready(signal?: AbortSignal): Promise<void>;
  giveUp(): void;
  deliver(message: MailMessage): Promise<void>;
  close(): Promise<void>;
}

export class Mailer {
  readonly #opened = Promise.withResolvers<OpenMailer>();
  #open: OpenMailer | null = null;

  constructor() {
    // Told by `open`; without jobs nobody else would take notice.
    this.#opened.promise.catch(() => undefined);
  }

  /** Waits while the mail server takes no mail. @throws Error when the gateway stops, or why mail could not be opened. */
  async ready(signal?: AbortSignal): Promise<void> {
    await (await this.#opened.promise).ready(signal);
  }

  /** @throws PermanentMailError, TemporaryMailError, MailPaused, or why it could not be opened. */
  async deliver(message: MailMessage): Promise<void> {
    await (await this.#opened.promise).deliver(message);
  }

  /** @returns where the development mailbox shows mail; null when there is none. */
  async open(options: MailerOptions): Promise<string | null> {
    const { smtpUrl, from, publicHost, maxConnections, log } = options;
    const renderer = await MailRenderer.load(options.templatesDirectory);
    const ports = { smtpPort: options.mailboxSmtpPort, webPort: options.mailboxWebPort };
    const mailbox = smtpUrl === null ? await startDevelopmentMailbox({ ...ports, log }) : null;
    const transport = createSmtpTransport({
      smtpUrl: smtpUrl ?? mailbox?.smtpUrl ?? '',
      from: from.name ? `${from.name} <${from.address}>` : from.address,
      returnPath: options.returnPath,
      publicHost,
      maxConnections,
      log,
      ...(options.pace && { pace: options.pace }),
    });
    this.#open = {
      ready: (signal) => transport.ready(signal),
      giveUp: () => transport.giveUp(),
      deliver: (message) => transport.send(message, renderer.render(message)),
      close: async () => {
        transport.close();
        await mailbox?.stop();
      },
    };
    this.#opened.resolve(this.#open);
    return mailbox?.webUrl ?? null;
  }

  /** Before the worker stops: jobs that still wait, for it to be opened or for the server, end, and come again later. */
  giveUp(): void {
    this.#open?.giveUp();
    this.#opened.reject(new Error('The gateway stopped before mail was opened.'));
  }

  /** After the worker has stopped, whose last mails it carries. */
  async close(): Promise<void> {
    await this.#open?.close();
  }
}
