/** Servers under measurement, each a process of its own, so that none shares its event loop with the load. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

export interface Running {
  child: ChildProcess;
  stop(): Promise<void>;
}

export function startProcess(script: string, env: Record<string, string>): Running {
  const child = spawn(process.execPath, [join(import.meta.dirname, '..', script)], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return {
    child,
    async stop() {
      if (child.exitCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

/** Milliseconds until `url` answers 200. */
export async function untilReady(url: string, { child }: Running, timeoutMilliseconds = 30_000): Promise<number> {
  const began = performance.now();
  for (;;) {
    if (child.exitCode !== null) throw new Error(`The process ended with ${child.exitCode} before it was ready.`);
    const ok = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    const passed = performance.now() - began;
    if (ok) return passed;
    if (passed > timeoutMilliseconds) throw new Error(`${url} was not ready within ${timeoutMilliseconds} ms.`);
    await wait(5);
  }
}
