/** The parts of maildev 2 that the development mailbox uses; it ships no types. */

declare module 'maildev/lib/logger.js' {
  const logger: {
    /** 0: silent. */
    setLevel(level: 0 | 1 | 2): void;
  };
  export default logger;
}

declare module 'maildev/lib/mailserver.js' {
  import type { EventEmitter } from 'node:events';
  import type { Server } from 'node:net';

  interface SmtpServer extends EventEmitter {
    server: Server;
    listen(port: number, host: string): Server;
    close(callback: () => void): void;
  }
  const mailserver: {
    smtp: SmtpServer;
    /** Makes `smtp` without listening. Mails are kept in memory and as files in the directory. */
    create(port: number, host: string, mailDirectory: string): void;
    /** Mails received, shared by all users of the module in this process. */
    store: unknown[];
  };
  export default mailserver;
}

declare module 'maildev/lib/web.js' {
  import type { Server } from 'node:http';
  import type mailserver from 'maildev/lib/mailserver.js';

  const web: {
    server: Server;
    /** A port of 0 would mean the default; the text `0` reaches the operating system. */
    start(
      port: string,
      host: string,
      mails: typeof mailserver,
      user: undefined,
      password: undefined,
      basePath: string,
      secure: { https: false },
    ): void;
    close(callback: () => void): void;
  };
  export default web;
}
