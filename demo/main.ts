/**
 * `npm run demo`: tells the story and stays up until Ctrl-C; `--once`, or CI in the environment, ends after the story. Exit
 * code 0 only when everything was seen. No process and no file stays behind; a second Ctrl-C does not wait for an orderly end.
 */
import { parseArgs } from 'node:util';
import { Stage } from './stage.js';
import { tellStory } from './story.js';
import { Terminal } from './terminal.js';
import { showWhereToLook } from './where-to-look.js';

const FAILED = 1;
const INTERRUPTED = 130; // 128 and the number of SIGINT, as shells count

class Interruption extends Error {}

const { values: options } = parseArgs({ options: { once: { type: 'boolean', default: Boolean(process.env.CI) } } });
const terminal = new Terminal();
const stage = new Stage();
process.exit(await run());

async function run(): Promise<number> {
  const interrupted = untilInterrupted();
  const orEarlierEnd = <T>(work: Promise<T>) => Promise.race([work, interrupted, stage.failed]);
  let code = INTERRUPTED;
  try {
    const scene = await orEarlierEnd(tellStory(stage, terminal));
    code = 0;
    terminal.result(`all of it seen within ${process.uptime().toFixed(1)} s`);
    if (options.once) return await end(code);
    await orEarlierEnd(showWhereToLook(terminal, scene));
    return await orEarlierEnd(new Promise<never>(() => undefined));
  } catch (error) {
    return error instanceof Interruption ? await end(code) : await end(FAILED, error as Error);
  }
}

function untilInterrupted(): Promise<never> {
  return new Promise((_resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        reject(new Interruption());
        process.on(signal, () => stage.kill());
      });
    }
  });
}

async function end(code: number, failure?: Error): Promise<number> {
  terminal.close();
  terminal.heading('Stopping everything');
  // One breakdown often shows in several places; each reason is told once.
  const problems = new Set([...(failure ? [failure] : []), ...(await stage.clear())]);
  for (const { message } of problems) terminal.failure(message);
  return problems.size > 0 ? FAILED : code;
}
