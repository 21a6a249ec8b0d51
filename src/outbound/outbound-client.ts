/**
 * The one client for requests the gateway makes to hosts that others name: identity providers, logos, webhooks. It owns
 * what makes such a request safe: https, an allowed address that is then the one connected to, no redirects, no cookies,
 * a limit on time and size. It does not know protocols; callers interpret the response. Neighbours: `address-policy.ts`
 * decides about an address, `features/identity-providers` is the main caller.
 */
import { type LookupAddress, type LookupAllOptions, lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, type RequestInit, fetch as undiciFetch } from 'undici';
import { SECOND } from '../kernel/clock.js';
import type { Log } from '../kernel/log.js';
import { currentSpan, inSpan } from '../kernel/scope.js';
import { isAllowedAddress } from './address-policy.js';
import { OutboundError } from './outbound-error.js';

/** The part of WHATWG `fetch`'s options that means something here. */
export interface OutboundInit {
  method?: string;
  headers?: Record<string, string>;
  body?: RequestInit['body'] | undefined;
  signal?: AbortSignal;
}

/** Called like WHATWG `fetch`; the response arrives whole. @throws OutboundError, or the reason of `init.signal`. */
export type OutboundFetch = (url: string | URL, init?: OutboundInit) => Promise<Response>;

export interface OutboundClient {
  fetch: OutboundFetch;
  /** Ends open connections; requests in flight fail. */
  close(): Promise<void>;
}

/** `dns.lookup` with `all: true`. */
export type ResolveHost = (
  host: string,
  options: LookupAllOptions,
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export interface OutboundClientOptions {
  /** Permits http and private, loopback, shared and reserved addresses; never link-local or metadata addresses. */
  allowPrivateProviders: boolean;
  log: Log;
  /** For everything from the name's resolution to the last byte. @default 10 seconds */
  timeoutMilliseconds?: number;
  /** Of the decoded body. @default 1 MiB */
  maxBytes?: number;
  /** @default the system's resolver */
  resolveHost?: ResolveHost;
}

export function createOutboundClient(options: OutboundClientOptions): OutboundClient {
  const { allowPrivateProviders, log, timeoutMilliseconds = 10 * SECOND, maxBytes = 1024 * 1024 } = options;
  const isAllowed = (address: string) => isAllowedAddress(address, allowPrivateProviders);
  const agent = new Agent({ connect: { lookup: checkedLookup(options.resolveHost ?? resolveBySystem, isAllowed) } });

  return {
    async fetch(target, init = {}) {
      const url = URL.parse(String(target));
      const deadline = AbortSignal.timeout(timeoutMilliseconds);
      try {
        checkUrl(url, allowPrivateProviders, isAllowed);
        const signal = init.signal ? AbortSignal.any([init.signal, deadline]) : deadline;
        return await tracedRequest(url, { ...init, signal }, agent, maxBytes);
      } catch (error) {
        if (init.signal?.aborted && !deadline.aborted) throw error;
        const failure = toOutboundError(error, deadline);
        log.warn({ host: url?.host, reason: failure.reason }, 'outgoing request failed');
        throw failure;
      }
    },
    close: () => agent.destroy(),
  };
}

const resolveBySystem: ResolveHost = (host, options, done) => systemLookup(host, options, done);

function checkUrl(url: URL | null, allowHttp: boolean, isAllowed: (address: string) => boolean): asserts url is URL {
  const isAllowedScheme = url?.protocol === 'https:' || (allowHttp && url?.protocol === 'http:');
  if (!isAllowedScheme || url.username || url.password) throw new OutboundError('URL_REFUSED');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  // A literal address is connected to without a lookup, so it is checked here.
  if (isIP(host) && !isAllowed(host)) throw new OutboundError('ADDRESS_REFUSED');
}

/**
 * Runs inside the connection's own name resolution: what is checked is what is connected to, so a name that resolves to
 * something else a moment later (DNS rebinding) gains nothing. One bad address among several refuses them all.
 */
function checkedLookup(resolveHost: ResolveHost, isAllowed: (address: string) => boolean): LookupFunction {
  return (host, options, done) => {
    resolveHost(host, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error || !first) return done(error ?? new OutboundError('UNREACHABLE'), []);
      if (!addresses.every(({ address }) => isAllowed(address))) return done(new OutboundError('ADDRESS_REFUSED'), []);
      if (options.all) return done(null, addresses);
      done(null, first.address, first.family);
    });
  };
}

/** The trace stays here: no header tells a foreign host of it, and it is not told of the path, which may hold a secret. */
function tracedRequest(url: URL, init: OutboundInit, agent: Agent, maxBytes: number): Promise<Response> {
  const method = init.method ?? 'GET';
  const attributes = { 'http.request.method': method, 'server.address': url.hostname };
  return inSpan(method, { kind: 'client', attributes }, async () => {
    const response = await request(url, init, agent, maxBytes);
    currentSpan()?.set({ 'http.response.status_code': response.status });
    return response;
  });
}

async function request(url: URL, init: OutboundInit, agent: Agent, maxBytes: number): Promise<Response> {
  const response = await undiciFetch(url, {
    ...init,
    body: init.body ?? null,
    redirect: 'manual',
    credentials: 'omit',
    dispatcher: agent,
  });
  if (response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    throw new OutboundError('REDIRECTED');
  }
  const body = await readLimited(response.body, maxBytes);
  return new Response(body, { status: response.status, headers: [...response.headers] });
}

/** Null for a response without a body, which a `Response` of status 204 must not have. */
async function readLimited(
  body: AsyncIterable<Uint8Array> | null,
  maxBytes: number,
): Promise<Buffer<ArrayBuffer> | null> {
  if (!body) return null;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new OutboundError('TOO_LARGE');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** undici wraps what happened while connecting in a TypeError "fetch failed". */
function toOutboundError(error: unknown, deadline: AbortSignal): OutboundError {
  if (error instanceof OutboundError) return error;
  if (deadline.aborted) return new OutboundError('TIMED_OUT', { cause: error });
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof OutboundError ? cause : new OutboundError('UNREACHABLE', { cause: error });
}
