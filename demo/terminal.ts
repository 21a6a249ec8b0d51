/**
 * What the demo shows: headings, lines, and one progress bar under them. Where nobody watches (no terminal, CI) the bar
 * becomes a line for each state. Colours follow NO_COLOR and the like by themselves.
 */
import { styleText } from 'node:util';
import { MultiBar, Presets } from 'cli-progress';
import type { BulkInvite, RejectedRow } from './bulk-invite.js';
import type { Guest } from './guest.js';
import type { RedemptionEvent } from './live-feed.js';

type Style = Parameters<typeof styleText>[0];

export interface Progress {
  update(now: BulkInvite): void;
  stop(): void;
}

const eventStyles: Record<string, Style> = {
  REDEEMED: 'green',
  MAIL_FAILED: 'red',
  MAIL_BOUNCED: 'red',
  IDENTITY_REFUSED: 'red',
  STEP_REFUSED: 'red',
};
const showsBar = process.stdout.isTTY && !process.env.CI;

export class Terminal {
  #bars: MultiBar | null = null;

  constructor() {
    // A terminal that was closed does not keep the demo from cleaning up.
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  }

  heading(text: string): void {
    this.line(`\n${styleText(['bold', 'cyan'], text)}`);
  }

  detail(text: string): void {
    this.line(styleText('dim', `  ${text}`));
  }

  result(text: string): void {
    this.line(`  ${styleText('green', '✓')} ${text}`);
  }

  rejectedRow({ rowNumber, email, errors }: RejectedRow): void {
    for (const { code, message } of errors) {
      this.line(
        `  ${styleText('red', `row ${rowNumber} rejected`)}  ${email}  ${styleText('dim', `${code}: ${message}`)}`,
      );
    }
  }

  event({ type, at, actor, reason, invitation }: RedemptionEvent): void {
    const time = new Date(at).toLocaleTimeString('en-GB');
    const what = styleText(eventStyles[type] ?? 'yellow', type.padEnd(16));
    const by = styleText('dim', [actor?.displayName, reason].filter(Boolean).join(', '));
    this.line(`  ${styleText('dim', time)}  ${what}  ${invitation.email.padEnd(28)}  ${by}`);
  }

  click({ firstName }: Guest, what: string, where: string): void {
    this.line(`  ${styleText('magenta', `${firstName} clicks`)} ${styleText('bold', what)} ${styleText('dim', where)}`);
  }

  failure(reason: string): void {
    process.stderr.write(`\n${styleText(['bold', 'red'], 'The demo failed:', { stream: process.stderr })} ${reason}\n`);
  }

  /** Above the bar, if one is shown. */
  line(text: string): void {
    if (this.#bars) this.#bars.log(`${text}\n`);
    else process.stdout.write(`${text}\n`);
  }

  /** @param mails how many have left by now. */
  progress(total: number, mails: () => number): Progress {
    return showsBar ? this.#bar(total, mails) : this.#progressLines();
  }

  /** Gives the terminal back as it was. */
  close(): void {
    // Lines that wait for the next redraw would be lost otherwise.
    this.#bars?.update();
    this.#bars?.stop();
    this.#bars = null;
  }

  #bar(total: number, mails: () => number): Progress {
    const bars = new MultiBar(
      // Redrawn each time, because lines above push it down.
      {
        format: '  {bar} {value}/{total} rows: {outcome}, mails sent: {mails}',
        barsize: 24,
        forceRedraw: true,
        hideCursor: true,
        stream: process.stdout,
      },
      Presets.shades_classic,
    );
    // A getter, so that every redraw counts anew.
    const bar = bars.create(total, 0, {
      outcome: 'waiting',
      get mails() {
        return mails();
      },
    });
    this.#bars = bars;
    return {
      update: (now) => bar.update(now.processedRows, { outcome: outcome(now) }),
      stop: () => this.close(),
    };
  }

  #progressLines(): Progress {
    return {
      update: (now) => this.detail(`${now.processedRows}/${now.totalRows} rows: ${outcome(now)} (${now.status})`),
      stop: () => undefined,
    };
  }
}

function outcome({ invitedRows, rejectedRows }: BulkInvite): string {
  return `${invitedRows} invited, ${rejectedRows} rejected`;
}
