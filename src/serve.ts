/** The running process: configuration, start, signals, exit codes. No logic. */
import { pino } from 'pino';
import { type App, startApp } from './app.js';
import { ConfigError, loadConfig } from './config/config.js';
import type { Log } from './kernel/log.js';

const FAILED = 1;
const MISCONFIGURED = 78; // EX_CONFIG of sysexits.h
/** Enough for a connection in use to carry one more request, on a busy machine too, and be told that it was the last. */
const STOP_NOTICE_MILLISECONDS = 1000;
/** Of the drain time, for telling others to go on with what was not finished. */
const HAND_OVER_MILLISECONDS = 500;

try {
  // biome-ignore lint/style/noProcessEnv: the one place where the environment is handed to the configuration
  const config = loadConfig(process.env);
  const log = pino({ level: config.logLevel });
  const starting = startApp({ config, log });
  stopOnSignals(starting, log, config.shutdown.drainSeconds);
  const { publicUrl, mailboxUrl, bootstrapKeyPath } = await starting;
  log.info({ url: publicUrl.href, mailbox: mailboxUrl, bootstrapKey: bootstrapKeyPath }, 'vestibule is ready');
} catch (error) {
  const text = error instanceof ConfigError ? error.message : `Vestibule could not start: ${(error as Error).message}`;
  process.stderr.write(`${text}\n`);
  process.exit(error instanceof ConfigError ? MISCONFIGURED : FAILED);
}

/** The first signal stops in order, also during the start; a second one, or the end of the drain time, ends at once. */
function stopOnSignals(starting: Promise<App>, log: Log, drainSeconds: number): void {
  let stopping = false;
  const stop = (signal: string) => {
    if (stopping) process.exit(FAILED);
    stopping = true;
    log.info({ signal }, 'stopping');
    setTimeout(() => process.exit(FAILED), drainSeconds * 1000).unref();
    setTimeout(() => handOver(starting, log), drainSeconds * 1000 - HAND_OVER_MILLISECONDS).unref();
    starting
      .then((app) => app.stop(STOP_NOTICE_MILLISECONDS))
      .then(
        () => process.exit(0),
        () => process.exit(FAILED),
      );
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
}

function handOver(starting: Promise<App>, log: Log): void {
  log.warn({}, 'the time to stop is over; jobs still under way are left to others');
  starting
    .then((app) => app.handOver())
    .then(
      () => process.exit(FAILED),
      () => process.exit(FAILED),
    );
}
