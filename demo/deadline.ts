/** Nothing in the demo waits for ever: a wait that takes too long ends with what it was for. */
import { setTimeout as pause } from 'node:timers/promises';

const POLL_MILLISECONDS = 50;

/** @throws Error after so many seconds; whatever `work` does goes on, its outcome is ignored then. */
export async function within<T>(seconds: number, what: string, work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const tooLate = pause(seconds * 1000, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`Waited ${seconds} s in vain for ${what}.`);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    timer.abort();
    tooLate.catch(() => undefined);
  }
}

/** Asks again until there is an answer. */
export async function until<T>(seconds: number, what: string, ask: () => Promise<T | null | undefined>): Promise<T> {
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    const answer = await within(seconds, what, ask());
    if (answer !== null && answer !== undefined) return answer;
    await pause(POLL_MILLISECONDS);
  }
  throw new Error(`Waited ${seconds} s in vain for ${what}.`);
}
