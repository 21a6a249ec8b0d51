/** graphile-worker's log lines as ours: what it calls info is routine for an operator, so it goes to debug. */
import { Logger } from 'graphile-worker';
import type { Log } from '../kernel/log.js';

export function workerLogger(log: Log): Logger {
  return new Logger(() => (level, message, meta) => {
    const fields = { worker: meta };
    if (level === 'error') log.error(fields, message);
    else if (level === 'warning') log.warn(fields, message);
    else log.debug(fields, message);
  });
}
