/**
 * Saying no. From a proven flow it is final; from the link alone it may have been a scanner, so that the same link takes
 * it back (`start.ts`).
 */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { refuse } from '../../kernel/errors.js';
import type { RequestContext } from '../../request/request-context.js';
import { lockInvitation } from '../invitations/invitations.service.js';
import { isProven } from '../proving/flow.states.js';
import { tell } from '../proving/proof-step.service.js';
import { loadOffer } from './redemption.queries.js';
import { linkRefusal } from './redemption.states.js';
import { openCurrentLink } from './start.js';
import { checkFlowOpen, type Step } from './steps.js';

export async function declineInFlow(step: Step): Promise<void> {
  const { tx, now, flow } = step;
  if (flow.status === 'DECLINED') return;
  checkFlowOpen(step);
  await sql`update redemption_flow set status = 'DECLINED' where id = ${flow.id}`.execute(tx.db);
  await markDeclined(tx, flow.invitationId, isProven(flow, now), now);
}

export async function declineByLink(ctx: RequestContext, token: string): Promise<void> {
  const { id, tenantId, linkVersion } = await openCurrentLink(ctx, token);
  await ctx.transaction(tenantId, async (tx) => {
    await lockInvitation(ctx, tx, id);
    const now = ctx.clock.now();
    const offer = await loadOffer(tx.db, id);
    if (offer.status === 'DECLINED') return;
    const refusal = linkRefusal(offer, linkVersion, now);
    if (refusal) throw refuse(refusal);
    await markDeclined(tx, id, false, now);
  });
}

async function markDeclined(tx: Tx, invitationId: string, proven: boolean, now: Date): Promise<void> {
  await sql`
    update invitation set status = 'DECLINED', declined_at = ${now}, decline_proven = ${proven}
    where id = ${invitationId}`.execute(tx.db);
  const detail = proven ? 'By the proven guest.' : 'Unproven: the same link can take it back.';
  await tell(tx, invitationId, now, { type: 'DECLINED', detail });
}
