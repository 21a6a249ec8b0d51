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
  const app = await startApp({ config, log });
  log.info(
    { url: app.publicUrl.href, mailbox: app.mailboxUrl, bootstrapKey: app.bootstrapKeyPath },
    'vestibule is ready',
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop(signal));

  const stop = (signal: string) => {
    log.info({ signal }, 'stopping');
    // In-flight work gets this long; PostgreSQL takes back what was not committed.
    setTimeout(() => process.exit(FAILED), config.shutdown.drainSeconds * 1000).unref();
    app.stop().then(() => process.exit(0));
  };
} catch (error) {
  process.stderr.write(
    `${error instanceof ConfigError ? error.message : `Vestibule could not start: ${(error as Error).message}`}\n`,
  );
  process.exit(error instanceof ConfigError ? MISCONFIGURED : FAILED);
}
