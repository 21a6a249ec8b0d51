/** What of credentials is of no use any more, for the job that cleans up. */
import type { RequestContext } from '../../request/request-context.js';
import { forgetSpentChallenges } from './challenges.js';
import { forgetOldTries } from './tries.js';

export async function forgetSpentAndTried(ctx: RequestContext): Promise<void> {
  const now = ctx.clock.now();
  await forgetSpentChallenges(ctx, now);
  await forgetOldTries(ctx, now);
}
