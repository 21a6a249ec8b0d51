/** The gateway as a process of its own, with an environment as operators give it, to be killed, stopped and started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

export const KEY = 'a-key-of-the-resilience-tests-that-is-long-enough';

const settings = {
  PORT: '0',
  SECRET_KEYS: 'a-secret-of-the-resilience-tests-that-is-long-enough',
  BOOTSTRAP_API_KEY: KEY,
  MAIL_FROM: 'no-reply@vestibule.example',
};

export interface GatewayProcess {
  child: ChildProcess;
  url: string;
  /** What it logged and printed so far. */
  output: string[];
  /** Waits for a line that holds `text`. */
  line(text: string): Promise<string>;
  /** @param key null: without a credential. */
  post(body: object, key?: string | null): Promise<{ status: number; text: string }>;
  /** The data of a document that must succeed, userErrors included. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they asked for
  ask(query: string, variables?: object, key?: string | null): Promise<any>;
  isReady(): Promise<boolean>;
  /** When it has: the exit code; null when a signal ended it. */
  ended: Promise<number | null>;
  /** @returns the exit code; null when a signal ended it. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** A process that does not answer is not ready. */
const READY_MILLISECONDS = 5000;

/** For the hooks that start processes: a busy machine takes many seconds. */
export const START_TIMEOUT_MILLISECONDS = 60_000;

const entries = { main: '../../src/main.ts', quick: 'quick-gateway.ts', chaos: '../chaos/chaos-gateway.ts' };

/** `quick` is for those that are killed, `chaos` for those that are told the time; `main` is the one that operators start. */
export function spawnGateway(entry: keyof typeof entries, env: Record<string, string>) {
  const loader = join(import.meta.dirname, 'typescript-with-decorators.mjs');
  const child = spawn(
    process.execPath,
    ['--no-warnings', '--import', loader, join(import.meta.dirname, entries[entry])],
    { env: { PATH: process.env.PATH, ...settings, ...env }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
  );
  const output: string[] = [];
  const lines = [child.stdout, child.stderr].map((input) => createInterface({ input: input as Readable }));
  for (const reader of lines) reader.on('line', (line) => output.push(line));
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  const line = async (text: string): Promise<string> => {
    for (let read = 0; ; read++) {
      while (output[read] === undefined) {
        const more = Promise.race(lines.map((reader) => once(reader, 'line')));
        const isOver = await Promise.race([more.then(() => false), ended.then(() => output[read] === undefined)]);
        if (isOver) throw new Error(`The gateway ended before it said "${text}":\n${output.join('\n')}`);
      }
      if (output[read]?.includes(text)) return output[read] as string;
    }
  };
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal);
    return ended;
  };
  return { child, output, line, end, ended };
}

export async function startGatewayProcess(
  entry: keyof typeof entries,
  env: Record<string, string>,
): Promise<GatewayProcess> {
  const spawned = spawnGateway(entry, env);
  const { url } = JSON.parse(await spawned.line('vestibule is ready')) as { url: string };
  const post = async (body: object, key: string | null = KEY) => {
    const response = await fetch(`${url}graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key === null ? {} : { authorization: `Bearer ${key}` }) },
      body: JSON.stringify(body),
    });
    return { status: response.status, text: await response.text() };
  };
  return {
    ...spawned,
    url,
    post,
    async ask(query, variables = {}, key = KEY) {
      const { data, errors } = JSON.parse((await post({ query, variables }, key)).text);
      const refused = Object.values(data ?? {}).flatMap((payload) => (payload as Payload | null)?.userErrors ?? []);
      if (errors || refused.length > 0)
        throw new Error([JSON.stringify(errors ?? refused), ...spawned.output.slice(-10)].join('\n'));
      return data;
    },
    isReady: async () => (await fetch(`${url}health/ready`, { signal: AbortSignal.timeout(READY_MILLISECONDS) })).ok,
  };
}

interface Payload {
  userErrors?: object[];
}
