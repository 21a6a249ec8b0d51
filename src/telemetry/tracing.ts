/**
 * Traces by OpenTelemetry, sent to a collector by OTLP over HTTP (JSON). The only file that knows the SDK, loaded only when
 * tracing is on. Nothing is patched or registered for the process as a whole: spans are begun by hand at the seams and found
 * by `kernel/scope.ts`. What is not in the configuration (batch sizes, resource attributes, certificates) the SDK
 * reads from its own standard variables.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import {
  type Context,
  type Span as OpenTelemetrySpan,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import { MINUTE, SECOND } from '../kernel/clock.js';
import { describeFault } from '../kernel/fault.js';
import type { Log } from '../kernel/log.js';
import {
  formatTraceparent,
  parseTraceparent,
  type RootSpanOptions,
  type Span,
  type SpanAttributes,
  type SpanOptions,
  type Tracing,
} from '../kernel/tracing.js';

/** Names of the OpenTelemetry specification for OTEL_TRACES_SAMPLER. */
export type SamplerName =
  | 'always_on'
  | 'always_off'
  | 'traceidratio'
  | 'parentbased_always_on'
  | 'parentbased_always_off'
  | 'parentbased_traceidratio';

export interface TracingOptions {
  /** Of the collector; `/v1/traces` is put behind it. */
  endpoint: string;
  headers: Record<string, string>;
  serviceName: string;
  version: string;
  sampler: SamplerName;
  /** Share of traces kept by a `traceidratio` sampler, 0 to 1. */
  ratio: number;
  log: Log;
}

export interface OpenTracing extends Tracing {
  /** Sends what is left, for two seconds at most. */
  close(): Promise<void>;
}

const CLOSE_MILLISECONDS = 2 * SECOND;
const COMPLAIN_EVERY = 1 * MINUTE;
/** `ExportResultCode.SUCCESS` of the SDK. */
const EXPORTED = 0;

export function openTracing(options: TracingOptions): OpenTracing {
  const { endpoint, headers, sampler, ratio, log } = options;
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, '')}/v1/traces`, headers });
  const provider = new BasicTracerProvider({
    resource: resourceOf(options),
    sampler: samplerOf(sampler, ratio),
    spanProcessors: [new BatchSpanProcessor(complaining(exporter, log))],
  });
  const tracer = provider.getTracer('vestibule', options.version);
  return {
    start: (name, root) => startRoot(tracer, name, root),
    close: async () => {
      const outcome = await Promise.race([provider.shutdown(), wait(CLOSE_MILLISECONDS, 'late', { ref: false })]);
      if (outcome === 'late') log.warn({}, 'the collector did not take the last traces in time');
    },
  };
}

function resourceOf({ serviceName, version }: TracingOptions) {
  return defaultResource()
    .merge(detectResources({ detectors: [envDetector] }))
    .merge(
      resourceFromAttributes({
        'service.name': serviceName,
        'service.version': version,
        'service.instance.id': randomUUID(),
      }),
    );
}

/** What it is called in the specification says what it does; `parentbased_` follows whoever asked. */
function samplerOf(name: SamplerName, ratio: number): Sampler {
  const root = {
    always_on: () => new AlwaysOnSampler(),
    always_off: () => new AlwaysOffSampler(),
    traceidratio: () => new TraceIdRatioBasedSampler(ratio),
  };
  const followed = /^parentbased_(.*)$/.exec(name)?.[1] as keyof typeof root | undefined;
  return followed ? new ParentBasedSampler({ root: root[followed]() }) : root[name as keyof typeof root]();
}

/** A failure is said here, once a minute, because a batch fails every few seconds and nothing else suffers; the SDK hears of none. */
function complaining(exporter: SpanExporter, log: Log): SpanExporter {
  let saidAt = Number.NEGATIVE_INFINITY;
  const complain = (error: unknown) => {
    if (performance.now() - saidAt < COMPLAIN_EVERY) return;
    saidAt = performance.now();
    const { name, message, code } = describeFault(error);
    log.warn({ error: { name, message, code } }, 'traces could not be sent');
  };
  return {
    export: (spans, done) =>
      exporter.export(spans, ({ code, error }) => {
        if (code !== EXPORTED) complain(error);
        done({ code: EXPORTED });
      }),
    shutdown: () => exporter.shutdown(),
  };
}

const kinds = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

function startRoot(tracer: Tracer, name: string, { parent, link, ...options }: RootSpanOptions): Span {
  const from = contextOf(parent);
  const linked = contextOf(link);
  const links = linked ? [{ context: linked }] : [];
  return startSpan(tracer, name, options, from ? trace.setSpanContext(ROOT_CONTEXT, from) : ROOT_CONTEXT, links);
}

function startSpan(
  tracer: Tracer,
  name: string,
  { kind = 'internal', attributes = {} }: SpanOptions,
  parent: Context,
  links: { context: ReturnType<OpenTelemetrySpan['spanContext']> }[] = [],
): Span {
  return new CollectedSpan(tracer, tracer.startSpan(name, { kind: kinds[kind], attributes, links }, parent));
}

function contextOf(traceparent: string | undefined) {
  const parsed = parseTraceparent(traceparent);
  if (!parsed) return null;
  const { traceId, spanId, sampled } = parsed;
  return { traceId, spanId, traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE, isRemote: true };
}

class CollectedSpan implements Span {
  readonly #tracer: Tracer;
  readonly #span: OpenTelemetrySpan;
  #ended = false;

  constructor(tracer: Tracer, span: OpenTelemetrySpan) {
    this.#tracer = tracer;
    this.#span = span;
  }

  get traceId(): string {
    return this.#span.spanContext().traceId;
  }

  get traceparent(): string {
    const { traceId, spanId, traceFlags } = this.#span.spanContext();
    return formatTraceparent({ traceId, spanId, sampled: (traceFlags & TraceFlags.SAMPLED) !== 0 });
  }

  child(name: string, options: SpanOptions): Span {
    return startSpan(this.#tracer, name, options, trace.setSpan(ROOT_CONTEXT, this.#span));
  }

  rename(name: string): void {
    this.#span.updateName(name);
  }

  set(attributes: SpanAttributes): void {
    this.#span.setAttributes(attributes);
  }

  fail(type: string): void {
    this.#span.setAttributes({ 'error.type': type }).setStatus({ code: SpanStatusCode.ERROR });
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#span.end();
  }
}
