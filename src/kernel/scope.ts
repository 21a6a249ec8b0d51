/**
 * What the process is doing at this moment, for its logs and traces alone: one scope for each request, job's run and event,
 * found by whoever works in it. Nothing that decides may look here; actors, tenants and rights travel as arguments.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { UserError } from './errors.js';
import type { RootSpanOptions, Span, SpanOptions, Tracing } from './tracing.js';

/** What every log line of the scope carries. */
export interface ScopeFacts {
  /** Root field, task, or method and route pattern. */
  operation: string;
  requestId?: string;
  job?: string;
  /** Id of the tenant it is about, once known. */
  tenant?: string;
  /** Id of the key that asks. */
  actor?: string;
  traceId?: string;
}

export interface Scope {
  readonly facts: ScopeFacts;
  /** Null: not traced. */
  readonly span: Span | null;
}

const scopes = new AsyncLocalStorage<Scope>();

export function openScope(facts: ScopeFacts, span: Span | null = null): Scope {
  if (span) facts.traceId = span.traceId;
  return { facts, span };
}

export function inScope<T>(scope: Scope, work: () => T): T {
  return scopes.run(scope, work);
}

export function scopeFacts(): Readonly<ScopeFacts> | undefined {
  return scopes.getStore()?.facts;
}

/** Adds what became known on the way; the tenant once named stays. Outside of a scope it does nothing. */
export function noteInScope({ tenant, ...facts }: Partial<ScopeFacts>): void {
  const scope = scopes.getStore();
  if (!scope) return;
  Object.assign(scope.facts, facts);
  if (!tenant || scope.facts.tenant) return;
  scope.facts.tenant = tenant;
  scope.span?.set({ 'vestibule.tenant.id': tenant });
}

/** For the job that goes on with this work; undefined when it is not traced. */
export function currentTraceparent(): string | undefined {
  return scopes.getStore()?.span?.traceparent;
}

/** The span of the work at hand; null when it is not traced. */
export function currentSpan(): Span | null {
  return scopes.getStore()?.span ?? null;
}

/** A step of its own in the trace, if there is one. What it throws is noted by its kind; a refusal is no failure. */
export async function inSpan<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T> {
  const scope = scopes.getStore();
  if (!scope?.span) return work();
  const span = scope.span.child(name, options);
  try {
    return await scopes.run({ facts: scope.facts, span }, work);
  } catch (error) {
    if (!(error instanceof UserError)) span.fail(errorType(error));
    throw error;
  } finally {
    span.end();
  }
}

/** Work that begins here: a job's run, an event. What it throws is noted by its kind, and remembered for `inScopeOf`. */
export async function inNewScope<T>(
  tracing: Tracing | null,
  name: string,
  options: RootSpanOptions,
  facts: ScopeFacts,
  work: () => Promise<T>,
): Promise<T> {
  const scope = openScope(facts, tracing?.start(name, options) ?? null);
  try {
    return await scopes.run(scope, work);
  } catch (error) {
    scope.span?.fail(errorType(error));
    if (typeof error === 'object' && error !== null) scopesOfErrors.set(error, scope);
    throw error;
  } finally {
    scope.span?.end();
  }
}

const scopesOfErrors = new WeakMap<object, Scope>();

/** For who logs an error outside of the scope it came from. */
export function inScopeOf<T>(error: object, work: () => T): T {
  const scope = scopesOfErrors.get(error);
  return scope ? scopes.run(scope, work) : work();
}

/** A code where there is one: messages quote addresses and rows. */
function errorType(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string') return code;
  return error instanceof Error ? error.name : typeof error;
}
