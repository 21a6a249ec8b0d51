/**
 * What the mail job asks before it sends and reports afterwards. Only the newest link of an open invitation is sent; a
 * repeat after a kill carries the same Message-ID, and what was reported once is not reported again.
 */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import type { Tx } from '../../database/transaction.js';
import { recordEvents } from '../../events/record-events.js';
import { systemActor } from '../../kernel/actor.js';
import type { MailMessage } from '../../kernel/mail-message.js';
import { rowById } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { App } from '../apps/app.entity.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { loadLogo } from '../tenants/tenant-logo.service.js';
import { Invitation } from './invitation.entity.js';
import { invitationCopyMail, invitationMail, type MailFacts } from './invitation.mail.js';
import { deliveryAfter, statusAt } from './invitation.states.js';
import { redeemUrl, remakeLink } from './invitation-link.service.js';
import { lockInvitation } from './invitations.service.js';

const postman = systemActor('Mail');

export interface LinkVersion {
  invitationId: string;
  linkVersion: number;
}

/** The mail of this link, or null when there is nothing to send any more: revoked, redeemed, resent, already sent. */
export async function loadInvitationMail(
  ctx: RequestContext,
  { invitationId, linkVersion }: LinkVersion,
  publicUrl: URL,
): Promise<MailMessage | null> {
  const invitation = await loadSendable(ctx, invitationId, linkVersion);
  if (invitation?.delivery !== 'QUEUED') return null;
  const token = remakeLink(ctx.secrets, invitationId, linkVersion, invitation.linkHash);
  if (!token)
    throw new Error(
      'SECRET_KEYS no longer holds the key this link was made with. Put it back, or resend the invitation.',
    );
  return invitationMail(await factsOf(ctx, invitation), redeemUrl(publicUrl, token), ctx.clock.now());
}

/** The copy of one cc recipient, by its place in the list. */
export async function loadInvitationCopy(
  ctx: RequestContext,
  { invitationId, linkVersion }: LinkVersion,
  copy: number,
): Promise<MailMessage | null> {
  const invitation = await loadSendable(ctx, invitationId, linkVersion);
  const recipient = invitation?.ccRecipients[copy];
  return invitation && recipient ? invitationCopyMail(await factsOf(ctx, invitation), recipient, copy) : null;
}

export async function markSent(ctx: RequestContext, link: LinkVersion): Promise<void> {
  await report(ctx, link, async (tx, invitation, now) => {
    if (!deliveryAfter('sent', invitation.delivery)) return;
    await sql`
      update invitation set delivery = 'SENT', delivery_error = null, sent_at = coalesce(sent_at, ${now}), last_sent_at = ${now}
      where id = ${invitation.id}`.execute(tx.db);
    await recordEvents(tx, [{ type: 'MAIL_SENT', at: now, actor: postman, invitationId: invitation.id }]);
  });
}

/** The mail will not be tried again. `reason` is our own sentence. */
export async function markFailed(ctx: RequestContext, link: LinkVersion, reason: string): Promise<void> {
  await report(ctx, link, async (tx, invitation, now) => {
    if (!deliveryAfter('fail', invitation.delivery)) return;
    await sql`update invitation set delivery = 'FAILED', delivery_error = ${reason} where id = ${invitation.id}`.execute(
      tx.db,
    );
    await recordEvents(tx, [
      { type: 'MAIL_FAILED', at: now, actor: postman, invitationId: invitation.id, detail: reason },
    ]);
  });
}

async function report(
  ctx: RequestContext,
  { invitationId, linkVersion }: LinkVersion,
  change: (tx: Tx, invitation: Row<Invitation>, now: Date) => Promise<void>,
): Promise<void> {
  const known = await rowById(ctx, Invitation, invitationId);
  if (!known) return;
  await ctx.transaction(known.tenantId, async (tx) => {
    const invitation = await lockInvitation(ctx, tx, invitationId);
    if (invitation.linkVersion === linkVersion) await change(tx, invitation, ctx.clock.now());
  });
}

async function loadSendable(
  ctx: RequestContext,
  id: string,
  linkVersion: number,
): Promise<(Row<Invitation> & { linkHash: Buffer }) | null> {
  const { rows } = await sql<Row<Invitation> & { linkHash: Buffer }>`
    select ${ctx.tables.columns(Invitation, 'i')}, i.link_hash as "linkHash" from invitation i
    where i.id = ${id} and i.link_version = ${linkVersion}`.execute(ctx.db);
  const invitation = rows[0];
  return invitation && statusAt(invitation, ctx.clock.now()) === 'PENDING' ? invitation : null;
}

async function factsOf(ctx: RequestContext, invitation: Row<Invitation>): Promise<MailFacts> {
  const tenant = await rowById(ctx, Tenant, invitation.tenantId);
  if (!tenant) throw new Error(`Tenant of ${invitation.id} is gone.`);
  const landingApp = invitation.landingAppId ? await rowById(ctx, App, invitation.landingAppId) : null;
  const logo = await loadLogo(ctx.db, tenant.id);
  return { invitation, tenant, logo, appName: landingApp?.displayName ?? null };
}
