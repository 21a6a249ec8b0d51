/** A fault as the log may hold it: what kind and where, never the values of a statement, which PostgreSQL quotes. */

export interface Fault {
  name: string;
  message: string;
  /** SQLSTATE of the database, or the code of another library. */
  code?: string;
  constraint?: string;
  /** Places only, without the message that opens a stack. */
  stack?: string[];
}

const sqlState = /^[0-9A-Z]{5}$/;

export function describeFault(cause: unknown): Fault {
  if (!(cause instanceof Error)) return { name: 'unknown', message: typeof cause };
  const { code, constraint } = cause as { code?: unknown; constraint?: unknown };
  const [line = ''] = cause.message.split('\n');
  const frames = cause.stack?.split('\n').filter((frame) => /^\s+at /.test(frame));
  return {
    name: cause.name,
    message: isDatabaseError(cause) ? line.replace(/".*/, '').trim() : line,
    ...(typeof code === 'string' && { code }),
    ...(typeof constraint === 'string' && { constraint }),
    ...(frames && { stack: frames.map((frame) => frame.trim()) }),
  };
}

/** Of PostgreSQL; its `detail` shows the values of a row. */
export function isDatabaseError(error: Error & { code?: unknown }): boolean {
  return typeof error.code === 'string' && sqlState.test(error.code);
}
