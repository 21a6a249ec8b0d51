/** What the process counts, for Prometheus. No tenant or address ever becomes a label. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export interface MetricSources {
  feedSubscribers(): number;
  openSockets(): number;
}

export interface Metrics {
  registry: Registry;
  observeOperation(operation: { name: string; kind: string; failed: boolean; seconds: number }): void;
  observeMail(outcome: 'sent' | 'failed' | 'postponed'): void;
}

const SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export function createMetrics({ feedSubscribers, openSockets }: MetricSources): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'vestibule_' });
  const operations = new Histogram({
    name: 'vestibule_graphql_operation_seconds',
    help: 'Duration of GraphQL operations by root field.',
    labelNames: ['kind', 'field', 'result'] as const,
    buckets: SECONDS_BUCKETS,
    registers: [registry],
  });
  const mails = new Counter({
    name: 'vestibule_mails_total',
    help: 'Mails handed to the mail server, by outcome of the attempt.',
    labelNames: ['outcome'] as const,
    registers: [registry],
  });
  gauge(registry, 'vestibule_feed_subscribers', 'Subscriptions that follow the feed.', feedSubscribers);
  gauge(registry, 'vestibule_sockets', 'Open GraphQL sockets.', openSockets);
  return {
    registry,
    observeOperation: ({ name, kind, failed, seconds }) =>
      operations.observe({ kind, field: name, result: failed ? 'error' : 'ok' }, seconds),
    observeMail: (outcome) => mails.inc({ outcome }),
  };
}

function gauge(registry: Registry, name: string, help: string, value: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(value());
    },
  });
}
