/**
 * A program of this project as a process of its own, with the demo's Node. It runs outside the terminal's process group, so
 * that Ctrl-C reaches the demo alone, which then ends its processes in order. What it says is kept for the case that it fails.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Part } from './stage.js';

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

export class Child implements Part {
  /** Never fulfils; rejects when the process ends before it was told to. */
  readonly failed: Promise<never>;
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lastWords: string[] = [];
  #stopping = false;

  constructor({ name, program, env }: ChildOptions) {
    this.#process = spawn(process.execPath, [fileURLToPath(program)], {
      env: { ...process.env, ...env },
      detached: true,
      // stdin stays open as long as the demo lives: the partner's provider ends with it.
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    for (const input of [this.#process.stdout, this.#process.stderr]) {
      createInterface({ input }).on('line', (line) => this.#remember(line));
    }
    this.failed = this.#failure(name);
    this.failed.catch(() => undefined);
    // However the demo ends, its processes do not stay behind.
    process.once('exit', () => this.#signal('SIGTERM'));
  }

  /** The next line on its stdout. */
  async line(): Promise<string> {
    const [line] = await Promise.race([once(createInterface({ input: this.#process.stdout }), 'line'), this.failed]);
    return line;
  }

  kill(): void {
    this.#signal('SIGKILL');
  }

  async stop(): Promise<void> {
    if (!this.#isRunning()) return;
    const ended = once(this.#process, 'exit');
    this.#signal('SIGTERM');
    const timer = setTimeout(() => this.kill(), STOP_SECONDS * 1000);
    await ended;
    clearTimeout(timer);
  }

  async #failure(name: string): Promise<never> {
    const [code, signal] = await once(this.#process, 'close');
    if (this.#stopping) return new Promise(() => undefined);
    throw new Error([`${name} ended by itself (${signal ?? code}).`, ...this.#lastWords].join('\n'));
  }

  #signal(signal: NodeJS.Signals): void {
    this.#stopping = true;
    if (this.#isRunning()) this.#process.kill(signal);
  }

  #remember(line: string): void {
    this.#lastWords.push(line);
    if (this.#lastWords.length > LAST_WORDS) this.#lastWords.shift();
  }

  #isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }
}
