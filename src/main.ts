/** Process entry: configuration, start, signals, exit codes. No logic. */
import { pino } from 'pino';
import { startApp } from './app.js';
import { ConfigError, loadConfig } from './config/config.js';

const FAILED = 1;
const MISCONFIGURED = 78; // EX_CONFIG of sysexits.h

try {
  // biome-ignore lint/style/noProcessEnv: the one place where the environment is handed to the configuration
  const config = loadConfig(process.env);
  const log = pino({ level: config.logLevel });
  const starting = startApp({ config, log });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // Once: a second signal ends the process at once, as the system does by default.
    process.once(signal, () => {
      log.info({ signal }, 'stopping');
      // In-flight work gets this long; PostgreSQL takes back what was not committed.
      setTimeout(() => process.exit(FAILED), config.shutdown.drainSeconds * 1000).unref();
      const stopped = starting.then((app) => app.stop());
      stopped.then(
        () => process.exit(0),
        () => process.exit(FAILED),
      );
    });
  }
  const { publicUrl, mailboxUrl, bootstrapKeyPath } = await starting;
  log.info({ url: publicUrl.href, mailbox: mailboxUrl, bootstrapKey: bootstrapKeyPath }, 'vestibule is ready');
} catch (error) {
  const text = error instanceof ConfigError ? error.message : `Vestibule could not start: ${(error as Error).message}`;
  process.stderr.write(`${text}\n`);
  process.exit(error instanceof ConfigError ? MISCONFIGURED : FAILED);
}
