/**
 * A mailbox for development: an SMTP server that keeps every mail, and a web inbox to read them (JSON at `/email`). It
 * listens on loopback only and passes nothing on. maildev is a development dependency and loaded only here.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Log } from '../kernel/log.js';

export interface DevelopmentMailboxOptions {
  /** 0: a free port chosen by the operating system. */
  smtpPort: number;
  /** 0: a free port chosen by the operating system. */
  webPort: number;
  log: Log;
}

export interface DevelopmentMailbox {
  smtpUrl: string;
  webUrl: string;
  /** Throws the mails away. */
  stop(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';

/** @throws Error when maildev is not installed or a port is taken. One mailbox per process: maildev's store is global. */
export async function startDevelopmentMailbox(options: DevelopmentMailboxOptions): Promise<DevelopmentMailbox> {
  const { mailserver, web } = await loadMaildev();
  const mailDirectory = await mkdtemp(join(tmpdir(), 'vestibule-mailbox-'));
  mailserver.create(options.smtpPort, LOOPBACK, mailDirectory);
  const { smtp } = mailserver;
  // Its own handler throws, so a client that hangs up would end the process.
  smtp.removeAllListeners('error');
  smtp.on('error', (error: Error) => options.log.debug({ err: error }, 'development mailbox: SMTP error'));

  const stop = async () => {
    if (web.server?.listening) await promisify(web.close)();
    if (smtp.server.listening) await promisify(smtp.close.bind(smtp))();
    mailserver.store.length = 0;
    await rm(mailDirectory, { recursive: true, force: true });
  };
  try {
    smtp.listen(options.smtpPort, LOOPBACK);
    await once(smtp.server, 'listening');
    web.start(String(options.webPort), LOOPBACK, mailserver, undefined, undefined, '/', { https: false });
    await once(web.server, 'listening');
  } catch (error) {
    await stop();
    throw error;
  }
  return { smtpUrl: `smtp://${hostAndPort(smtp.server)}`, webUrl: `http://${hostAndPort(web.server)}`, stop };
}

/**
 * Its parts and not its main file: that one takes over SIGTERM and SIGINT and ends the process before ours has drained.
 */
async function loadMaildev() {
  try {
    const { default: logger } = await import('maildev/lib/logger.js');
    logger.setLevel(0);
    const { default: mailserver } = await import('maildev/lib/mailserver.js');
    const { default: web } = await import('maildev/lib/web.js');
    return { mailserver, web };
  } catch (cause) {
    throw new Error('The development mailbox needs the package maildev. Install it, or set SMTP_URL.', { cause });
  }
}

function hostAndPort(server: Server): string {
  return `${LOOPBACK}:${(server.address() as AddressInfo).port}`;
}
