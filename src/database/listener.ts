/**
 * One LISTEN connection per process. A doorbell says "look again", never what to see, so a lost one costs time only: after
 * a reconnect every channel rings once. Needs a direct connection: a transaction-mode pooler does not keep LISTEN.
 */
import pg from 'pg';
import { SECOND } from '../kernel/clock.js';
import type { Log } from '../kernel/log.js';

type Ring = (payload: string) => void;

const RECONNECT_MILLISECONDS = 500;
const CONNECT_TIMEOUT_MILLISECONDS = 5 * SECOND;

/** Milliseconds. */
export interface ListenerTimes {
  /** Between two looks whether the connection lives: who only listens is not told when the network swallows it. */
  pulse: number;
  /** After which no answer is none. */
  answer: number;
}

const defaultTimes: ListenerTimes = { pulse: 10 * SECOND, answer: 5 * SECOND };

export class Listener {
  readonly #url: string;
  readonly #log: Log;
  readonly #times: ListenerTimes;
  readonly #rings = new Map<string, Set<Ring>>();
  #pulse: NodeJS.Timeout | null = null;
  #client: pg.Client | null = null;
  #reconnect: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(url: string, log: Log, times = defaultTimes) {
    this.#url = url;
    this.#log = log;
    this.#times = times;
  }

  /**
   * A channel's first ring is added before `start`. The ring gets the payload, or '' when only "look again" is known.
   * @returns what takes it off again
   */
  on(channel: string, ring: Ring): () => void {
    const rings = this.#rings.get(channel) ?? new Set();
    this.#rings.set(channel, rings.add(ring));
    return () => void rings.delete(ring);
  }

  /** In this process alone, for a change of its own that is committed: nobody waits for the bell to come around. */
  ringHere(channel: string, payload: string): void {
    this.#ring(channel, payload);
  }

  get connected(): boolean {
    return this.#client !== null;
  }

  async start(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#url,
      application_name: 'vestibule listener',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MILLISECONDS,
      query_timeout: this.#times.answer,
      keepAlive: true,
    });
    client.on('error', (error) => this.#lost(client, error));
    client.on('end', () => this.#lost(client));
    client.on('notification', ({ channel, payload }) => this.#ring(channel, payload ?? ''));
    await client.connect();
    try {
      for (const channel of this.#rings.keys()) await client.query(`listen ${client.escapeIdentifier(channel)}`);
    } catch (error) {
      leave(client);
      throw error;
    }
    if (this.#stopped) await client.end();
    else this.#follow(client);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#reconnect) clearTimeout(this.#reconnect);
    if (this.#pulse) clearInterval(this.#pulse);
    const client = this.#client;
    this.#client = null;
    await client?.end();
  }

  #ring(channel: string, payload: string): void {
    for (const ring of this.#rings.get(channel) ?? []) ring(payload);
  }

  #follow(client: pg.Client): void {
    this.#client = client;
    this.#pulse = setInterval(() => {
      client.query('select').catch((error: Error) => {
        this.#lost(client, error);
        leave(client);
      });
    }, this.#times.pulse);
    this.#pulse.unref();
  }

  #lost(client: pg.Client, error?: Error): void {
    if (this.#stopped || this.#client !== client) return;
    this.#client = null;
    if (this.#pulse) clearInterval(this.#pulse);
    this.#log.warn({ error: error?.message }, 'the listening connection was lost; reconnecting');
    this.#again();
  }

  #again(): void {
    this.#reconnect = setTimeout(() => {
      this.start().then(
        () => {
          for (const channel of this.#rings.keys()) this.#ring(channel, '');
        },
        () => this.#stopped || this.#again(),
      );
    }, RECONNECT_MILLISECONDS);
  }
}

/** Without waiting for a farewell that may never come. */
function leave(client: pg.Client): void {
  client.end().catch(() => undefined);
}
