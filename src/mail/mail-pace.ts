/**
 * How fast mails are handed over: never over more connections than allowed, fewer while the server asks for fewer, none while
 * it takes none. A server that is away so costs a few mails an attempt, not every mail that waits, and all of them go
 * on within half a minute of its return. State of this process alone: others find out for themselves.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { MINUTE, SECOND } from '../kernel/clock.js';
import type { Log } from '../kernel/log.js';
import { MailPaused, PermanentMailError, TemporaryMailError } from './mail-errors.js';

/** Milliseconds. */
export interface PaceTimes {
  firstPause: number;
  longestPause: number;
  /** Until one more connection is tried after the server asked for fewer. */
  recovery: number;
}

export const defaultPace: PaceTimes = { firstPause: 1 * SECOND, longestPause: 30 * SECOND, recovery: 1 * MINUTE };

/** A job that waits stays locked, which the worker bears for hours; its mail is looked at anew well before. */
const LONGEST_WAIT = 10 * MINUTE;

/** How soon who waits notices that its worker was told to stop. */
const LOOK_AROUND = 1 * SECOND;

/** So many refusals in a row that may be about us are about us. */
const REFUSALS_BELIEVED = 5;

interface Turn {
  start(): void;
  giveUp(reason: Error): void;
}

export class MailPace {
  readonly #most: number;
  readonly #times: PaceTimes;
  readonly #log: Log;
  readonly #stopping = new AbortController();
  /** Mails that may be under way at once, as the server allows. */
  #allowed: number;
  #grownAt = 0;
  #underWay = 0;
  #turns: Turn[] = [];
  #pause: Promise<void> | null = null;
  /** Failures of the server since it last took a mail. */
  #failures = 0;
  #refusals = 0;

  constructor(most: number, log: Log, times = defaultPace) {
    this.#most = most;
    this.#allowed = most;
    this.#log = log;
    this.#times = times;
  }

  /**
   * Waits while the server takes no mail: to be awaited before a mail is loaded, so that what is sent is not old.
   * @param signal of who would wait in vain.
   * @throws Error when the gateway stops or the signal does, MailPaused after ten minutes.
   */
  async open(signal?: AbortSignal): Promise<void> {
    const end = performance.now() + LONGEST_WAIT;
    while (this.#pause) {
      await Promise.race([this.#pause, wait(LOOK_AROUND)]);
      signal?.throwIfAborted();
      if (performance.now() > end) throw new MailPaused('The mail server has taken no mail for a while.');
    }
    this.#stopping.signal.throwIfAborted();
  }

  /**
   * Hands one mail over when its turn comes.
   * @param urgent before all others, because somebody sits and waits for it.
   * @throws MailPaused when the server went away before.
   */
  async run(send: () => Promise<void>, { urgent = false } = {}): Promise<void> {
    await this.#turn(urgent);
    const failuresBefore = this.#failures;
    try {
      await send();
      this.#succeeded();
    } catch (error) {
      throw this.#judge(error, failuresBefore);
    } finally {
      this.#underWay--;
      this.#next();
    }
  }

  /** Lets those go who wait for the server; mails under way are finished. */
  stop(): void {
    this.#stopping.abort(new Error('The gateway stopped before this mail was sent.'));
  }

  #turn(urgent: boolean): Promise<void> {
    if (this.#pause) throw new MailPaused('The mail server went away.');
    return new Promise((resolve, reject) => {
      const turn = { start: resolve, giveUp: reject };
      if (urgent) this.#turns.unshift(turn);
      else this.#turns.push(turn);
      this.#next();
    });
  }

  #next(): void {
    if (this.#pause) return;
    this.#grow();
    while (this.#underWay < this.#limit) {
      const turn = this.#turns.shift();
      if (!turn) return;
      this.#underWay++;
      turn.start();
    }
  }

  /** After a failure one mail tries whether the server is back. */
  get #limit(): number {
    return this.#failures > 0 ? 1 : this.#allowed;
  }

  #grow(): void {
    if (this.#allowed === this.#most || performance.now() - this.#grownAt < this.#times.recovery) return;
    this.#allowed++;
    this.#grownAt = performance.now();
  }

  #succeeded(): void {
    if (this.#failures > 0) this.#log.info({}, 'the mail server takes mail again');
    this.#failures = 0;
    this.#refusals = 0;
  }

  #judge(error: unknown, failuresBefore: number): unknown {
    const failure = this.#withoutPrejudice(error);
    if (!(failure instanceof TemporaryMailError) || failure.scope === 'mail') return failure;
    if (failure.scope === 'crowd' && this.#underWay > 1) this.#shrink();
    // Those that set out together fail together, and count once.
    else if (failuresBefore === this.#failures) this.#failed(failure);
    return failure;
  }

  /** A server that refuses one mail after the other has something against us: its guests shall not suffer for it. */
  #withoutPrejudice(error: unknown): unknown {
    if (!(error instanceof PermanentMailError && error.doubtful)) return error;
    if (++this.#refusals <= REFUSALS_BELIEVED) return error;
    return new TemporaryMailError(`Every mail is refused at present. ${error.reason}`, error.detail, 'server');
  }

  #shrink(): void {
    this.#allowed = Math.max(1, Math.min(this.#allowed, this.#underWay) - 1);
    this.#grownAt = performance.now();
    this.#log.warn({ connections: this.#allowed }, 'the mail server asks for fewer connections');
  }

  #failed({ reason, detail }: TemporaryMailError): void {
    const { firstPause, longestPause } = this.#times;
    const milliseconds = Math.min(longestPause, firstPause * 2 ** this.#failures++) * (0.75 + Math.random() / 4);
    this.#log.warn(
      { reason, detail, milliseconds: Math.round(milliseconds) },
      'the mail server takes no mail; waiting',
    );
    this.#pause = wait(milliseconds, undefined, { signal: this.#stopping.signal })
      .catch(() => undefined)
      .then(() => {
        this.#pause = null;
        this.#next();
      });
    for (const { giveUp } of this.#turns.splice(0)) giveUp(new MailPaused('The mail server went away.'));
  }
}
