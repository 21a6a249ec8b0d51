/**
 * From the link to a flow: the guest's first click. The link's token stays behind here; whatever follows goes by the
 * flow's id and the browser's cookie, or by the handle.
 */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import { isUniqueViolation, type Tx } from '../../database/transaction.js';
import { later } from '../../kernel/clock.js';
import { refuse } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import { hashToken } from '../../kernel/secrets.js';
import type { RequestContext } from '../../request/request-context.js';
import type { Invitation } from '../invitations/invitation.entity.js';
import { openLink } from '../invitations/invitation-link.service.js';
import { lockInvitation } from '../invitations/invitations.service.js';
import { FLOW_LIFETIME } from '../proving/flow.states.js';
import { tell } from '../proving/proof-step.service.js';
import { loadOffer, type Offer } from './redemption.queries.js';
import { FLOW_REUSE, linkRefusal, mayUndoDecline } from './redemption.states.js';

/** What the flow will be bound to. */
export type FlowHolder = { browserToken: string } | { handle: string };

/** The invitation a token opens now. @throws UserError INVITATION_NOT_FOUND or SUPERSEDED. */
export async function openCurrentLink(ctx: RequestContext, token: string): Promise<Row<Invitation>> {
  const link = await openLink(ctx, token);
  if (link.kind === 'unknown') throw refuse('INVITATION_NOT_FOUND', { field: ['token'] });
  if (link.kind === 'superseded') throw refuse('SUPERSEDED', { field: ['token'] });
  return link.invitation;
}

/** @param invitation as its current link opened it a moment ago. */
export async function startFlow(
  ctx: RequestContext,
  { id, tenantId, linkVersion }: Row<Invitation>,
  holder: FlowHolder,
): Promise<string> {
  return ctx.transaction(tenantId, async (tx) => {
    await lockInvitation(ctx, tx, id);
    const now = ctx.clock.now();
    const offer = await loadOffer(tx.db, id);
    const refusal = linkRefusal(offer, linkVersion, now);
    if (refusal) throw refuse(refusal, { field: ['token'] });
    if (mayUndoDecline(offer, now)) await undoDecline(tx, offer, now);
    else if (!offer.startedAt) await markStarted(tx, offer, now);
    return (await findReusableFlow(tx, offer, holder, now)) ?? (await insertFlow(tx, offer, holder, now));
  });
}

async function markStarted(tx: Tx, { invitationId }: Offer, now: Date): Promise<void> {
  await sql`update invitation set started_at = ${now} where id = ${invitationId}`.execute(tx.db);
  await tell(tx, invitationId, now, { type: 'STARTED' });
}

/** @throws UserError SUPERSEDED when the address was invited anew in the meantime. */
async function undoDecline(tx: Tx, { invitationId }: Offer, now: Date): Promise<void> {
  try {
    await sql`
      update invitation set status = 'PENDING', declined_at = null, started_at = coalesce(started_at, ${now})
      where id = ${invitationId}`.execute(tx.db);
  } catch (error) {
    throw isUniqueViolation(error) ? refuse('SUPERSEDED', { field: ['token'] }) : error;
  }
  await tell(tx, invitationId, now, { type: 'STARTED', detail: 'An earlier, unproven decline was taken back.' });
}

/** Opening the link twice must not lose a code that is already on its way. */
async function findReusableFlow(tx: Tx, offer: Offer, holder: FlowHolder, now: Date): Promise<string | undefined> {
  if ('handle' in holder) return undefined;
  const { rows } = await sql<{ id: string }>`
    select id from redemption_flow
    where browser_hash = ${hashToken(holder.browserToken)} and invitation_id = ${offer.invitationId}
      and link_version = ${offer.linkVersion} and status in ('STARTED', 'PROVEN') and created_at > ${later(now, -FLOW_REUSE)}
    order by created_at desc limit 1`.execute(tx.db);
  return rows[0]?.id;
}

async function insertFlow(tx: Tx, offer: Offer, holder: FlowHolder, now: Date): Promise<string> {
  const id = newId('RedemptionFlow');
  const browserHash = 'browserToken' in holder ? hashToken(holder.browserToken) : null;
  const handleHash = 'handle' in holder ? hashToken(holder.handle) : null;
  await sql`
    insert into redemption_flow
      (id, tenant_id, invitation_id, link_version, browser_hash, handle_hash, status, passcode_tries, created_at, expires_at)
    values (${id}, ${offer.tenantId}, ${offer.invitationId}, ${offer.linkVersion}, ${browserHash}, ${handleHash}, 'STARTED', 0,
      ${now}, ${later(now, FLOW_LIFETIME)})`.execute(tx.db);
  return id;
}
