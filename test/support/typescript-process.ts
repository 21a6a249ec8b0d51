/** A process of its own that runs a few lines against our sources, for rules about several processes and about being killed. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';

/**
 * It leads a process group of its own.
 * @param script top-level await is allowed; imports are written as `await import(source('config/config.ts'))`.
 */
export function spawnTypeScript(script: string, ...args: string[]): ChildProcessWithoutNullStreams {
  const resolution = join(import.meta.dirname, 'typescript-resolution.mjs');
  const source = `const source = (path) => ${JSON.stringify(join(import.meta.dirname, '../../src/'))} + path;`;
  const flags = ['--no-warnings', '--import', resolution, '--input-type=module'];
  return spawn(process.execPath, [...flags, '-e', source + script, ...args], { detached: true });
}
