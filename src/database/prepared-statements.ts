/**
 * Statements with parameters are prepared once per connection: planning the set-based ones costs more than running them.
 * A statement's name is a hash of its text, so nobody has to think of one. What MikroORM writes with inlined literals has
 * no parameters and stays as it is. Needs sessions of its own, as LISTEN does: no transaction-mode pooler.
 */
import { createHash } from 'node:crypto';
import type pg from 'pg';

/** Texts prepared by this process; more than the product has, so that a mistake cannot fill the server's memory. */
const MAX_STATEMENTS = 500;

export class PreparedStatements {
  readonly #names = new Map<string, string>();

  /** Prepares on every connection the pool opens. */
  use(pool: Pick<pg.Pool, 'on'>): void {
    pool.on('connect', (client) => {
      const query = client.query.bind(client) as (...args: unknown[]) => unknown;
      const prepared = (text: unknown, values: unknown, ...rest: unknown[]): unknown => {
        const name =
          typeof text === 'string' && Array.isArray(values) && values.length > 0 ? this.#nameOf(text) : undefined;
        return name ? query({ name, text, values }, ...rest) : query(text, values, ...rest);
      };
      Object.assign(client, { query: prepared });
    });
  }

  #nameOf(text: string): string | undefined {
    const known = this.#names.get(text);
    if (known || this.#names.size >= MAX_STATEMENTS) return known;
    const name = createHash('sha256').update(text).digest('base64url').slice(0, 32);
    this.#names.set(text, name);
    return name;
  }
}
