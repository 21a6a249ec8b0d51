/**
 * What a trace is told, without knowing who collects it. Tracing is off unless it is configured, and then there is no span
 * at all: whoever has one passes it on by `scope.ts`. Neighbour: `telemetry/tracing.ts` speaks OpenTelemetry.
 */

/** By the names of OpenTelemetry's semantic conventions. Never an address, a name, a token or a URL: routes, fields and ids only. */
export type SpanAttributes = Record<string, string | number | boolean>;

export interface SpanOptions {
  /** Default `internal`. */
  kind?: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  attributes?: SpanAttributes;
}

export interface RootSpanOptions extends SpanOptions {
  /** A traceparent header; one that cannot be read begins a trace of its own. */
  parent?: string | undefined;
  /** What this came from, without being part of its trace. */
  link?: string | undefined;
}

export interface Span {
  readonly traceId: string;
  /** For whoever goes on with this work elsewhere: W3C Trace Context, section 3.2. */
  readonly traceparent: string;
  child(name: string, options: SpanOptions): Span;
  rename(name: string): void;
  set(attributes: SpanAttributes): void;
  /** @param type what went wrong as a code or an error's name, never its message. */
  fail(type: string): void;
  /** A second time does nothing. */
  end(): void;
}

export interface Tracing {
  /** The first span in this process of a request, a job's run or an event. */
  start(name: string, options: RootSpanOptions): Span;
}

export interface TraceContext {
  traceId: string;
  spanId: string;
  sampled: boolean;
}

const traceparentPattern = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const SAMPLED = 0x01;

/** W3C Trace Context, sections 3.2 and 4.3: later versions may say more behind what version 00 says. Null: none, or malformed. */
export function parseTraceparent(header: unknown): TraceContext | null {
  const match = typeof header === 'string' ? traceparentPattern.exec(header) : null;
  if (!match || (match[1] === '00' && match[5] !== undefined)) return null;
  const [, , traceId = '', spanId = '', flags = ''] = match;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED };
}

export function formatTraceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}
