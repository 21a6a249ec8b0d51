/** What the gateway says to PostgreSQL, recorded on connections that are opened from now on; `jest.restoreAllMocks` ends it. */
import { createRequire } from 'node:module';
import { jest } from '@jest/globals';
import type pg from 'pg';

export interface Statement {
  client: pg.Client;
  text: string;
}

export function recordStatements(): Statement[] {
  // MikroORM's driver, which may be another copy than ours.
  const { Client } = createRequire(createRequire(import.meta.url).resolve('@mikro-orm/postgresql'))('pg') as typeof pg;
  const query = Client.prototype.query as (...args: unknown[]) => unknown;
  const statements: Statement[] = [];
  jest.spyOn(Client.prototype, 'query').mockImplementation(function (this: pg.Client, ...args: unknown[]) {
    const [statement] = args as [string | { text?: string }];
    statements.push({ client: this, text: typeof statement === 'string' ? statement : (statement.text ?? '') });
    return query.apply(this, args);
  } as unknown as typeof Client.prototype.query);
  return statements;
}

/** How many statements each committed transaction was, in the order of the commits. */
export function countPerTransaction(statements: readonly Statement[]): number[] {
  const counted: number[] = [];
  const open = new Map<pg.Client, number>();
  for (const { client, text } of statements) {
    open.set(client, /^begin/i.test(text) ? 1 : (open.get(client) ?? 0) + 1);
    if (/^commit/i.test(text)) counted.push(open.get(client) ?? 0);
  }
  return counted;
}
