/**
 * Passwords as the database holds them: argon2id (RFC 9106) with the parameters OWASP asks for at least, computed on the
 * thread pool. Each takes 19 MiB while it runs, so few run at once and few wait: a flood of sign-ins costs whoever
 * floods, not the process.
 */
import { hash, type Options, parseOptions, verify } from '@node-rs/argon2';
import { refuse } from '../../kernel/errors.js';
import { randomToken } from '../../kernel/secrets.js';

export interface HasherLimits {
  /** @default 2 */
  concurrent?: number;
  /** @default 32 */
  waiting?: number;
}

/** memoryCost in KiB. Changed here, passwords are hashed again when they are next used. */
export const passwordParameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1, outputLen: 32 } satisfies Options;

/** Seconds. */
const BUSY_RETRY = 5;

export interface Verdict {
  fits: boolean;
  /** It was hashed with other parameters than today's. */
  isOutdated: boolean;
}

export class PasswordHasher {
  readonly #limits: Required<HasherLimits>;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #nobodys: Promise<string> | null = null;

  constructor({ concurrent = 2, waiting = 32 }: HasherLimits = {}) {
    this.#limits = { concurrent, waiting };
  }

  /** @throws UserError RATE_LIMITED when too many wait already. */
  hash(password: string): Promise<string> {
    return this.#inTurn(() => hash(password, passwordParameters));
  }

  /**
   * @param encoded null: there is no such password; it takes as long, and fits never.
   * @throws UserError RATE_LIMITED when too many wait already.
   */
  verify(encoded: string | null, password: string): Promise<Verdict> {
    return this.#inTurn(async () => {
      const nobodys = await this.#hashOfNobody();
      const fits = await verify(encoded ?? nobodys, password);
      return { fits: fits && encoded !== null, isOutdated: encoded !== null && isOutdated(encoded) };
    });
  }

  #hashOfNobody(): Promise<string> {
    this.#nobodys ??= hash(randomToken(), passwordParameters);
    return this.#nobodys;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    await this.#admit();
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }

  async #admit(): Promise<void> {
    if (this.#running < this.#limits.concurrent) {
      this.#running++;
      return;
    }
    if (this.#waiting.length >= this.#limits.waiting) throw refuse('RATE_LIMITED', { retryAfterSeconds: BUSY_RETRY });
    // Whoever ends hands its place over.
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

function isOutdated(encoded: string): boolean {
  const used = parseOptions(encoded);
  return Object.entries(passwordParameters).some(([name, value]) => used[name as keyof typeof used] !== value);
}
