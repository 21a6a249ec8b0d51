/**
 * Times as words of a language, by Intl alone. Dates are in UTC, because the guest's time zone is unknown; where hours
 * matter the zone is written out.
 */
import { DAY, HOUR, MINUTE } from '../kernel/clock.js';
import type { Language } from '../kernel/languages.js';

export interface ExpiryWords {
  /** `20 December 2026`, with the time of day when less than two days are left. */
  date: string;
  /** `in 30 days` */
  remaining: string;
}

/** Made once: making a formatter takes far longer than using it. Plain `en` would mean American dates. */
const formatters = { en: formattersOf('en-GB'), ko: formattersOf('ko-KR') } satisfies Record<Language, unknown>;

function formattersOf(locale: string) {
  const dateParts = { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' } as const;
  const timeParts = { hour: '2-digit', minute: '2-digit', timeZoneName: 'short' } as const;
  return {
    date: new Intl.DateTimeFormat(locale, dateParts),
    dateAndTime: new Intl.DateTimeFormat(locale, { ...dateParts, ...timeParts }),
    relative: new Intl.RelativeTimeFormat(locale),
    minutes: new Intl.NumberFormat(locale, { style: 'unit', unit: 'minute', unitDisplay: 'long' }),
  };
}

/**
 * Days are counted as calendar days, so that the number always agrees with the date beside it, also when the mail leaves
 * some seconds after the invitation was made.
 */
export function expiryWords(language: Language, sentAt: Date, expiresAt: Date): ExpiryWords {
  const { date, dateAndTime, relative } = formatters[language];
  const left = expiresAt.getTime() - sentAt.getTime();
  if (left >= 2 * DAY) {
    return { date: date.format(expiresAt), remaining: relative.format(daysBetween(sentAt, expiresAt), 'day') };
  }
  const [unit, length] = left >= 2 * HOUR ? (['hour', HOUR] as const) : (['minute', MINUTE] as const);
  return { date: dateAndTime.format(expiresAt), remaining: relative.format(Math.round(left / length), unit) };
}

/** `20 November 2026` */
export function dateInWords(language: Language, date: Date): string {
  return formatters[language].date.format(date);
}

/** `20 November 2026 at 14:05 UTC` */
export function momentInWords(language: Language, date: Date): string {
  return formatters[language].dateAndTime.format(date);
}

/** `10 minutes` */
export function minutesInWords(language: Language, minutes: number): string {
  return formatters[language].minutes.format(minutes);
}

/** UTC has no daylight saving, so every one of its days is 24 hours long. */
function daysBetween(from: Date, to: Date): number {
  return Math.floor(to.getTime() / DAY) - Math.floor(from.getTime() / DAY);
}
