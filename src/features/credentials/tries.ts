/** Counts before anything is compared, atomically, so that many at once get no more tries than one after the other. */
import { sql } from 'kysely';
import type { Scope } from '../../database/transaction.js';
import { HOUR, later, SECOND } from '../../kernel/clock.js';
import type { TriedKind } from './credential-tries.entity.js';

export interface Tried {
  tenantId: string;
  kind: TriedKind;
  /** Address key of a password, id of the user of a second factor. */
  subject: string;
}

const TRIES_PER_WINDOW = 10;
const TRY_WINDOW = HOUR;

/** @returns null: it may be tried; otherwise so many seconds are to wait. */
export async function countTry({ db }: Pick<Scope, 'db'>, tried: Tried, now: Date): Promise<number | null> {
  const { tenantId, kind, subject } = tried;
  const windowStart = later(now, -TRY_WINDOW);
  const { numAffectedRows } = await sql`
    insert into credential_tries as known (tenant_id, kind, subject, window_started_at, tries)
    values (${tenantId}, ${kind}, ${subject}, ${now}, 1)
    on conflict (tenant_id, kind, subject) do update set
      tries = case when known.window_started_at > ${windowStart} then known.tries + 1 else 1 end,
      window_started_at = case when known.window_started_at > ${windowStart} then known.window_started_at else ${now} end
    where known.tries < ${TRIES_PER_WINDOW} or known.window_started_at <= ${windowStart}`.execute(db);
  return numAffectedRows === 1n ? null : secondsToWait({ db }, tried, now);
}

async function secondsToWait(
  { db }: Pick<Scope, 'db'>,
  { tenantId, kind, subject }: Tried,
  now: Date,
): Promise<number> {
  const { rows } = await sql<{ windowStartedAt: Date }>`
    select window_started_at as "windowStartedAt" from credential_tries
    where tenant_id = ${tenantId} and kind = ${kind} and subject = ${subject}`.execute(db);
  const ends = later(rows[0]?.windowStartedAt ?? now, TRY_WINDOW);
  return Math.max(1, Math.ceil((ends.getTime() - now.getTime()) / SECOND));
}

/** After the right one. */
export async function forgetTries({ db }: Pick<Scope, 'db'>, { tenantId, kind, subject }: Tried): Promise<void> {
  await sql`
    delete from credential_tries where tenant_id = ${tenantId} and kind = ${kind} and subject = ${subject}`.execute(db);
}

/** Counts that no limit looks at any more. */
export async function forgetOldTries({ db }: Pick<Scope, 'db'>, now: Date): Promise<void> {
  await sql`delete from credential_tries where window_started_at <= ${later(now, -TRY_WINDOW)}`.execute(db);
}
