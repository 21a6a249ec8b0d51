/**
 * Refusals of a guest's steps as facts for operators, with the reason: what stood in the way, so that nobody has to ask the
 * guest. What is wrong with a proof is told where it is judged (`proving`). Told once an hour for each invitation and
 * reason: who tries again and again floods no feed.
 */
import { HOUR } from '../../kernel/clock.js';
import type { UserError, UserErrorCode } from '../../kernel/errors.js';
import { isWithin, type RateLimit, RateLimited } from '../../request/rate-limits.js';
import type { RequestContext } from '../../request/request-context.js';
import { openLink } from '../invitations/invitation-link.service.js';
import { lockInvitations } from '../invitations/invitations.service.js';
import type { FlowKey } from '../proving/flows.queries.js';
import { tell } from '../proving/proof-step.service.js';
import { findFlows } from './redemption.queries.js';

/** Of whom: who holds a link, or a flow. */
export type Holder = { token: string } | { key: FlowKey };

const onceAnHour: RateLimit = { name: 'told refusal', most: 1, window: HOUR };

/** Not those that are the guest's own slip (a wrong code) or a state that the feed shows already (EXPIRED). */
const toldReasons: ReadonlySet<UserErrorCode> = new Set([
  'RATE_LIMITED',
  'QUOTA_EXCEEDED',
  'PROOF_REQUIRED',
  'ACCOUNT_DISABLED',
  'OWN_DOMAIN',
  'DOMAIN_BLOCKED',
  'DOMAIN_NOT_ALLOWED',
  'INVITER_NOT_AUTHORIZED',
  'IDENTITY_MISMATCH',
]);

/** @param step what the guest wanted, in a sentence of ours. */
export async function tellRefusal(
  ctx: RequestContext,
  holder: Holder,
  step: string,
  refusal: UserError,
): Promise<void> {
  const reason = refusal.code;
  if (!toldReasons.has(reason) || (refusal instanceof RateLimited && refusal.isRepeated)) return;
  const invitation = await invitationOf(ctx, holder);
  if (!invitation || !(await isWithin(ctx, { limit: onceAnHour, of: `${invitation.id}/${reason}` }))) return;
  await ctx.transaction(invitation.tenantId, async (tx) => {
    await lockInvitations(tx, [invitation.id]);
    await tell(tx, invitation.id, ctx.clock.now(), { type: 'STEP_REFUSED', reason, detail: step });
  });
}

async function invitationOf(ctx: RequestContext, holder: Holder): Promise<{ id: string; tenantId: string } | null> {
  if ('key' in holder) {
    const [flow] = await findFlows(ctx.db, [holder.key], ctx.clock.now());
    return flow ? { id: flow.invitationId, tenantId: flow.tenantId } : null;
  }
  const link = await openLink(ctx, holder.token);
  return link.kind === 'unknown' ? null : link.invitation;
}
