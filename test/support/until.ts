/** Waits for something to become true, asking often: a waiter instead of a sleep. */
import { setTimeout as wait } from 'node:timers/promises';

export async function until<T>(
  ask: () => T | Promise<T>,
  what: string,
  timeoutMilliseconds = 15_000,
): Promise<NonNullable<T>> {
  const end = Date.now() + timeoutMilliseconds;
  for (;;) {
    const answer = await ask();
    if (answer) return answer as NonNullable<T>;
    if (Date.now() > end) throw new Error(`Waited ${timeoutMilliseconds} ms in vain for ${what}.`);
    await wait(10);
  }
}
