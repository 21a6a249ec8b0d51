/** The shape of a structured logger (pino's), so that no part but the composition root knows which one it is. */
import { scopeFacts } from './scope.js';

export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Log;
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silentLog };

/** Each line says in which request or job it was written, also where nobody handed a logger down. */
export function withScope(log: Log): Log {
  return {
    debug: (fields, message) => log.debug({ ...scopeFacts(), ...fields }, message),
    info: (fields, message) => log.info({ ...scopeFacts(), ...fields }, message),
    warn: (fields, message) => log.warn({ ...scopeFacts(), ...fields }, message),
    error: (fields, message) => log.error({ ...scopeFacts(), ...fields }, message),
    child: (fields) => withScope(log.child(fields)),
  };
}
