/**
 * How often guests may do things, counted in fixed windows in PostgreSQL, so that a limit holds over all processes. Every
 * hit counts until the limit is reached. Requests that arrive together are counted by one statement, before and apart from the
 * transaction of the step: a step that fails took its place all the same.
 */
import { sql } from 'kysely';
import type { Db } from '../database/transaction.js';
import { MINUTE, SECOND } from '../kernel/clock.js';
import { UserError, userErrorEntry } from '../kernel/errors.js';
import { Batch } from './batch.js';
import type { RequestContext } from './request-context.js';

export interface RateLimit {
  /** Tells its counters from those of others. */
  name: string;
  most: number;
  /** Milliseconds. */
  window: number;
}

/** What is done once more, and to whom or what. */
export interface Hit {
  limit: RateLimit;
  of: string;
}

/** RATE_LIMITED, with when to come again. */
export class RateLimited extends UserError {
  /** This process had refused the same before, in the same window: nothing was asked, and nobody need be told again. */
  readonly isRepeated: boolean;

  constructor(until: Date, now: Date, isRepeated: boolean) {
    const retryAfterSeconds = Math.max(1, Math.ceil((until.getTime() - now.getTime()) / SECOND));
    super([userErrorEntry('RATE_LIMITED', { retryAfterSeconds })]);
    this.isRepeated = isRepeated;
  }
}

interface Count {
  ctx: RequestContext;
  hits: readonly Hit[];
}

/** Each with how often it was done in its window by now. */
type Counted = { hit: Hit; hits: number; ends: Date }[];

/** Refusals remembered by one process. */
const MAX_REFUSED = 10_000;

export class RateLimits {
  readonly #steps: RateLimit;
  /** Until when, by limit and what it counts: a flood of refused requests must not become one of statements. */
  readonly #refused = new Map<string, Date>();
  readonly #counting = new Batch<Count, Counted>(countTogether);

  /** @param stepsPerNetwork in 10 minutes, of all guests behind one address. */
  constructor(stepsPerNetwork: number) {
    this.#steps = { name: 'network', most: stepsPerNetwork, window: 10 * MINUTE };
  }

  /**
   * Counts a step of a guest for the network it comes from, and for whatever else it is about. One statement at most; none
   * for a step from this machine that is about nothing else.
   * @throws RateLimited
   */
  async admit(ctx: RequestContext, ...about: Hit[]): Promise<void> {
    const hits = [...(ctx.network === null ? [] : [{ limit: this.#steps, of: ctx.network }]), ...about];
    if (hits.length === 0) return;
    const now = ctx.clock.now();
    for (const hit of hits) {
      const until = this.#refused.get(nameOf(hit));
      if (until && until > now) throw new RateLimited(until, now, true);
    }
    const over = (await this.#counting.run('', { ctx, hits })).filter(({ hit, hits }) => hits > hit.limit.most);
    const [first] = over.sort((a, b) => b.ends.getTime() - a.ends.getTime());
    if (!first) return;
    this.#remember(over);
    throw new RateLimited(first.ends, now, false);
  }

  #remember(over: Counted): void {
    if (this.#refused.size >= MAX_REFUSED) this.#refused.clear();
    for (const { hit, ends } of over) this.#refused.set(nameOf(hit), ends);
  }
}

/** For what is to be said now and then, not each time: whether this time is one of those that count. */
export async function isWithin(ctx: RequestContext, hit: Hit): Promise<boolean> {
  const [[counted] = []] = await countTogether([{ ctx, hits: [hit] }]);
  return counted !== undefined && counted.hits <= hit.limit.most;
}

function nameOf({ limit, of }: Hit): string {
  return `${limit.name}/${of}`;
}

interface Place {
  start: Date;
  end: Date;
}

function windowAt({ window }: RateLimit, now: Date): Place {
  const start = new Date(Math.floor(now.getTime() / window) * window);
  return { start, end: new Date(start.getTime() + window) };
}

/** In one order for everybody, so that two processes do not deadlock. */
async function countTogether(counts: readonly Count[]): Promise<Counted[]> {
  const [{ ctx }] = counts as [Count];
  const now = ctx.clock.now();
  const keyOf = (hit: Hit) => ctx.secrets.sign('rate', nameOf(hit)).toString('base64');
  const asked = counts.map(({ hits }) => hits.map((hit) => ({ hit, key: keyOf(hit), ...windowAt(hit.limit, now) })));
  const all = asked.flat();
  const { rows } = await sql<{ key: string; hits: number }>`
    insert into rate_count as known (key_hash, window_start, window_end, hits)
    select decode(key, 'base64'), window_start, window_end, count(*)
    from unnest(${all.map(({ key }) => key)}::text[], ${all.map(({ start }) => start.toISOString())}::timestamptz[],
      ${all.map(({ end }) => end.toISOString())}::timestamptz[]) as asked (key, window_start, window_end)
    group by 1, 2, 3 order by 1, 2
    on conflict (key_hash, window_start) do update set hits = known.hits + excluded.hits
    returning encode(key_hash, 'base64') as key, hits`.execute(ctx.db);
  const ours = Map.groupBy(all, ({ key }) => key);
  const reached = new Map(rows.map(({ key, hits }) => [key, hits - (ours.get(key)?.length ?? 0)]));
  return asked.map((hits) =>
    hits.map(({ hit, key, end }) => {
      const nth = (reached.get(key) ?? 0) + 1;
      reached.set(key, nth);
      return { hit, hits: nth, ends: end };
    }),
  );
}

export async function forgetOldRateCounts(db: Db, now: Date): Promise<void> {
  await sql`delete from rate_count where window_end <= ${now}`.execute(db);
}
