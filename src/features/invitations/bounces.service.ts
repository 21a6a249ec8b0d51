/**
 * Mails that came back. A report counts only when it carries the signed key of a mail of ours, names the address it went to,
 * and is final; a link that was replaced since is nobody's concern any more. It changes what became of the mail, never the
 * invitation: whoever has the link may still use it.
 */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import type { Tx } from '../../database/transaction.js';
import { type NewEvent, recordEvents } from '../../events/record-events.js';
import type { BouncedRecipient, BounceReport, BounceVerdict } from '../../kernel/bounce-report.js';
import { parseEmailAddress } from '../../kernel/email-address.js';
import { refusalWords } from '../../kernel/mail-status.js';
import { rowById } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { postman } from './delivery.service.js';
import { Invitation } from './invitation.entity.js';
import { deliveryAfter } from './invitation.states.js';
import { lockInvitation } from './invitations.service.js';
import { findMailKeys, type LinkVersion } from './mail-key.service.js';

export async function recordBounce(ctx: RequestContext, report: BounceReport): Promise<BounceVerdict> {
  const failed = report.recipients.filter(({ isFinal }) => isFinal);
  if (failed.length === 0) return ignored('It reports no final failure.');
  const [link, ...others] = findMailKeys(ctx.secrets, report.evidence);
  if (!link) return ignored('It names no mail of an invitation of ours.');
  if (others.length > 0) return ignored('It names more than one mail.');
  const invitation = await rowById(ctx, Invitation, link.invitationId);
  if (!invitation) return ignored('The invitation is gone.');
  return ctx.transaction(invitation.tenantId, (tx) => judge(ctx, tx, link, failed));
}

/** What was decided before may have changed since: everything is looked at under the invitation's lock. */
async function judge(
  ctx: RequestContext,
  tx: Tx,
  { invitationId, linkVersion }: LinkVersion,
  failed: readonly BouncedRecipient[],
): Promise<BounceVerdict> {
  const invitation = await lockInvitation(ctx, tx, invitationId);
  const recipient = failed.find(({ addresses }) => addresses.some((address) => isOf(invitation, address)));
  if (!recipient) return ignored('It is about another address than the invited one.');
  if (invitation.linkVersion !== linkVersion) return ignored('A newer mail was sent since.');
  if (invitation.delivery === 'BOUNCED') return { outcome: 'KNOWN' };
  const facts = factsOf(invitation, reasonOf(recipient), ctx.clock.now());
  if (!facts) return ignored('The mail was never sent.');
  await writeBounced(tx, invitation, reasonOf(recipient), ctx.clock.now());
  await recordEvents(tx, facts);
  return { outcome: 'RECORDED' };
}

/** A mail that comes back was sent, also when a kill kept us from noting it. */
function factsOf({ id, delivery }: Row<Invitation>, reason: string, at: Date): NewEvent[] | null {
  const fact = { at, actor: postman, invitationId: id };
  const bounced: NewEvent = { ...fact, type: 'MAIL_BOUNCED', detail: reason };
  if (deliveryAfter('bounce', delivery)) return [bounced];
  return deliveryAfter('sent', delivery) ? [{ ...fact, type: 'MAIL_SENT' }, bounced] : null;
}

async function writeBounced(tx: Tx, { id }: Row<Invitation>, reason: string, now: Date): Promise<void> {
  await sql`
    update invitation set delivery = 'BOUNCED', delivery_error = ${reason},
      sent_at = coalesce(sent_at, ${now}), last_sent_at = coalesce(last_sent_at, ${now})
    where id = ${id}`.execute(tx.db);
}

function isOf({ emailKey }: Row<Invitation>, address: string): boolean {
  return parseEmailAddress(address)?.key === emailKey;
}

function reasonOf({ status }: BouncedRecipient): string {
  return `The mail came back${refusalWords(status)}${status ? ` (${status})` : ''}.`;
}

function ignored(reason: string): BounceVerdict {
  return { outcome: 'IGNORED', reason };
}
