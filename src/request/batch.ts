/**
 * Commands that arrive while another of their kind is under way are carried out together, by one set-based statement: under
 * load the cost of a statement is shared, and a single command waits for nobody. Whatever is done together stands or falls
 * together, so that a batch that is refused is carried out again one by one.
 */
import { AsyncResource } from 'node:async_hooks';
import DataLoader from 'dataloader';
import { isRefusedByDatabase } from '../database/transaction.js';
import { UserError } from '../kernel/errors.js';

/** Commands beyond it make a batch of their own. */
const MAX_BATCH = 100;

/** `work` answers in the order of the commands, with an error for each that fails alone. Commands of different groups (a tenant, an actor) never meet. */
export class Batch<C, R> {
  readonly #work: (commands: readonly C[]) => Promise<(R | Error)[]>;
  readonly #groups = new Map<string, Group<C, R>>();

  constructor(work: (commands: readonly C[]) => Promise<(R | Error)[]>) {
    this.#work = work;
  }

  run(group: string, command: C): Promise<R> {
    let open = this.#groups.get(group);
    if (!open) {
      open = new Group(this.#work, () => this.#groups.delete(group));
      this.#groups.set(group, open);
    }
    return open.run(command);
  }
}

class Group<C, R> {
  readonly #loader: DataLoader<C, R>;
  readonly #onIdle: () => void;
  readonly #waiting: (() => void)[] = [];
  #isBusy = false;

  constructor(work: (commands: readonly C[]) => Promise<(R | Error)[]>, onIdle: () => void) {
    this.#onIdle = onIdle;
    this.#loader = new DataLoader<C, R>((commands) => together(work, commands).finally(() => this.#next()), {
      cache: false,
      maxBatchSize: MAX_BATCH,
      batchScheduleFn: (start) => this.#schedule(start),
    });
  }

  run(command: C): Promise<R> {
    return this.#loader.load(command);
  }

  #schedule(start: () => void): void {
    // In the scope of the batch's first command, not of whoever lets it start.
    this.#waiting.push(AsyncResource.bind(start));
    if (this.#isBusy) return;
    this.#isBusy = true;
    // Requests read in the same turn of the event loop go together at once.
    setImmediate(() => this.#next());
  }

  #next(): void {
    const start = this.#waiting.shift();
    if (start) {
      start();
    } else {
      this.#isBusy = false;
      this.#onIdle();
    }
  }
}

async function together<C, R>(
  work: (commands: readonly C[]) => Promise<(R | Error)[]>,
  commands: readonly C[],
): Promise<(R | Error)[]> {
  try {
    return await work(commands);
  } catch (error) {
    if (commands.length === 1 || !(error instanceof UserError || isRefusedByDatabase(error))) throw error;
    return Promise.all(commands.map((command) => alone(work, command)));
  }
}

async function alone<C, R>(work: (commands: readonly C[]) => Promise<(R | Error)[]>, command: C): Promise<R | Error> {
  try {
    return (await work([command]))[0] as R | Error;
  } catch (error) {
    return error as Error;
  }
}
