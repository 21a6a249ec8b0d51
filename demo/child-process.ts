/**
 * A program of this project as a process of its own, with the demo's Node. It runs outside the terminal's process group, so
 * that Ctrl-C reaches the demo alone, which then ends its processes in order. What it says is kept for the case that it fails.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface ChildOptions {
  /** Shown when it fails. */
  name: string;
  /** URL of the compiled program. */
  program: URL;
  /** Besides the demo's own environment. */
  env: Record<string, string>;
}

const LAST_WORDS = 20;
const STOP_SECONDS = 15;

export class Child {
  /** Never fulfils; rejects when the process ends before it was told to. */
  readonly failed: Promise<never>;
  readonly #process: ChildProcess;
  readonly #lastWords: string[] = [];
  #stopping = false;

  constructor({ name, program, env }: ChildOptions) {
    this.#process = spawn(process.execPath, [program.pathname], {
      env: { ...process.env, ...env },
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#remember(line));
    }
    this.failed = this.#failure(name);
    this.failed.catch(() => undefined);
    // However the demo ends, its processes do not stay behind.
    process.once('exit', () => this.kill('SIGTERM'));
  }

  /** The first line on its stdout. */
  async firstLine(): Promise<string> {
    const [chunk] = (await Promise.race([
      once(this.#process.stdout as NodeJS.ReadableStream, 'data'),
      this.failed,
    ])) as [Buffer];
    return chunk.toString();
  }

  kill(signal: NodeJS.Signals): void {
    this.#stopping = true;
    if (this.#isRunning()) this.#process.kill(signal);
  }

  async stop(): Promise<void> {
    if (!this.#isRunning()) return;
    const ended = once(this.#process, 'exit');
    this.kill('SIGTERM');
    const timer = setTimeout(() => this.kill('SIGKILL'), STOP_SECONDS * 1000);
    await ended;
    clearTimeout(timer);
  }

  async #failure(name: string): Promise<never> {
    const [code, signal] = await once(this.#process, 'close');
    if (this.#stopping) return new Promise(() => undefined);
    throw new Error([`${name} ended by itself (${signal ?? code}).`, ...this.#lastWords].join('\n'));
  }

  #remember(line: string): void {
    this.#lastWords.push(line);
    if (this.#lastWords.length > LAST_WORDS) this.#lastWords.shift();
  }

  #isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null && this.#process.pid !== undefined;
  }
}
