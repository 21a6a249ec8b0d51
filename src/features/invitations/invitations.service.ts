/**
 * Use cases of invitations: invite one address, resend, revoke, and what the mail job reports. Every change of an
 * invitation locks its row before anything else is written, so that its facts stand in the order they happened.
 */
import { sql } from 'kysely';
import { addJobs } from '../../database/add-job.js';
import type { Row } from '../../database/table.js';
import type { Tx } from '../../database/transaction.js';
import { recordEvents } from '../../events/record-events.js';
import { domainOf, parseEmailAddress } from '../../kernel/email-address.js';
import { refuse, UserError } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import { currentTraceparent } from '../../kernel/scope.js';
import { Batch } from '../../request/batch.js';
import { claimIdempotencyKey, type IdempotentRequest } from '../../request/idempotency.js';
import { rememberRow, tenantOf } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { requireRightToFill } from '../groups/group-members.service.js';
import { requireReachOf } from '../partners/inviter-reach.queries.js';
import type { Tenant } from '../tenants/tenant.entity.js';
import type { TenantCache } from '../tenants/tenant-cache.service.js';
import { Invitation } from './invitation.entity.js';
import { DEFAULT_EXPIRES_IN_DAYS, expiryOf, mayTransition, refusalByStatus, statusAt } from './invitation.states.js';
import { makeLink, redeemUrl } from './invitation-link.service.js';
import { mailJobs } from './invitation-mail-jobs.service.js';
import { addressRefusal, checkRequest, type InvitationRequest, inputFieldNames } from './invitation-request.rules.js';
import { findTargets } from './invitation-targets.queries.js';
import { clearTheWay, type InviteOutcome, inviteAll, NOT_LOOKED_AT, type ToInvite } from './invite.service.js';
import type { MailLimits } from './mail-limits.service.js';

export interface InviteUser extends InvitationRequest {
  tenantId: string;
  idempotencyKey: string | null;
}

export interface Invited {
  invitationId: string;
  /** Null on a replay: a secret is shown once. */
  redeemUrl: string | null;
  warnings: string[];
}

interface InviteCommand {
  ctx: RequestContext;
  tenant: Row<Tenant>;
  row: ToInvite;
}

/** An invitation that could not be made, with what stands in the way. */
export class InviteRefused extends UserError {
  readonly existingInvitationId: string | null;
  readonly externalUserId: string | null;

  constructor(error: UserError['entries'][number], existingInvitationId: string | null, externalUserId: string | null) {
    super([error]);
    this.existingInvitationId = existingInvitationId;
    this.externalUserId = externalUserId;
  }
}

export const copyLeftOut = (address: string) => `${address} was sent too many mails lately and gets no copy.`;

const REPLAYED = 'This is the answer of an earlier request with the same idempotency key; the link is shown once only.';

export class InvitationsService {
  readonly #limits: MailLimits;
  readonly #publicUrl: URL;
  readonly #tenants: TenantCache;
  readonly #together = new Batch<InviteCommand, InviteOutcome | null>((commands) => this.#inviteTogether(commands));

  constructor(limits: MailLimits, publicUrl: URL, tenants: TenantCache) {
    this.#limits = limits;
    this.#publicUrl = publicUrl;
    this.#tenants = tenants;
  }

  /**
   * Writes first, in one round trip, and looks for what was in the way only when nothing was written.
   * @throws UserError with every problem of the input, or InviteRefused.
   */
  async invite(ctx: RequestContext, { tenantId, idempotencyKey, ...request }: InviteUser): Promise<Invited> {
    const tenant = await this.#tenants.get(ctx, tenantId);
    if (!tenant) throw refuse('NOT_FOUND', { field: ['tenantId'] });
    const targets = await findTargets(ctx.db, tenantId, [request]);
    const { checked, errors } = checkRequest(request, tenant, targets, inputFieldNames);
    if (!checked) throw new UserError(errors);
    await requireReachOf(ctx.db, ctx.actor, { tenantId, emailKey: checked.email.key });
    await requireRightToFill(ctx, ctx.db, checked.groupIds);
    const row: ToInvite = {
      invitationId: newId('Invitation'),
      invitation: checked,
      bulkInviteId: null,
      rowNumber: null,
      traceparent: currentTraceparent(),
    };
    if (idempotencyKey !== null) {
      return this.#inviteInTransaction(ctx, tenant, row, {
        operation: 'inviteUser',
        key: idempotencyKey,
        input: { tenantId, ...request },
      });
    }
    const outcome = await this.#together.run(`${tenantId} ${ctx.actor.kind} ${ctx.actor.id}`, { ctx, tenant, row });
    return outcome?.invited
      ? this.#answer(ctx, row.invitationId, outcome)
      : this.#inviteInTransaction(ctx, tenant, row, null);
  }

  /** Of one tenant and actor. Null: refused by what was in the way, which nobody looked at. */
  async #inviteTogether(commands: readonly InviteCommand[]): Promise<(InviteOutcome | null)[]> {
    const [{ ctx, tenant }] = commands as [InviteCommand];
    const firstOfAddress = new Map(commands.toReversed().map(({ row }) => [row.invitation.email.key, row]));
    const outcomes = await ctx.oneStatement(tenant.id, (scope) =>
      inviteAll(ctx, scope, tenant, this.#limits, [...firstOfAddress.values()], NOT_LOOKED_AT),
    );
    return commands.map(({ row }) => outcomes.get(row.invitationId) ?? null);
  }

  /** What has run out is expired first, then the key is claimed, so that the facts of one invitation keep their order. */
  async #inviteInTransaction(
    ctx: RequestContext,
    tenant: Row<Tenant>,
    row: ToInvite,
    claim: IdempotentRequest | null,
  ): Promise<Invited> {
    const { invitationId } = row;
    const outcome = await ctx.transaction(tenant.id, async (tx) => {
      const obstacles = await clearTheWay(ctx, tx, tenant.id, [row]);
      const earlier = claim && (await claimIdempotencyKey(ctx, tx, claim, { invitationId }));
      if (earlier) return earlier;
      const made = (await inviteAll(ctx, tx, tenant, this.#limits, [row], obstacles)).get(invitationId);
      if (!made?.invited) throw refusedBecause(made);
      return made;
    });
    return 'invited' in outcome ? this.#answer(ctx, invitationId, outcome) : replayed(outcome.invitationId);
  }

  #answer(ctx: RequestContext, invitationId: string, outcome: InviteOutcome | undefined): Invited {
    if (!outcome?.invited) throw refusedBecause(outcome);
    rememberRow(ctx, Invitation, outcome.invitation);
    return { invitationId, redeemUrl: this.#url(ctx, invitationId, 1), warnings: outcome.leftOut.map(copyLeftOut) };
  }

  /**
   * A new link: the old one dies, and says so to whoever opens it. Revives an expired invitation when no newer one is open, with
   * what it promised.
   * @throws RequestError FORBIDDEN to revive what the caller could not promise.
   */
  async resend(ctx: RequestContext, invitationId: string): Promise<Invited> {
    const tenantId = await tenantOf(ctx, 'Invitation', Invitation, invitationId, 'invitationId');
    const tenant = await this.#tenants.get(ctx, tenantId);
    return ctx.transaction(tenantId, async (tx) => {
      const invitation = await lockInvitation(ctx, tx, invitationId);
      const now = ctx.clock.now();
      if (!mayTransition('resend', invitation, now)) throw refuseByStatus(invitation, now);
      const unwelcome = tenant && addressRefusal(tenant, domainOf(invitation.emailKey));
      if (unwelcome) throw refuse(unwelcome, { field: ['invitationId'] });
      await requireReachOf(tx.db, ctx.actor, { tenantId, emailKey: invitation.emailKey, field: 'invitationId' });
      await refuseWhatIsInTheWay(tx, invitation);
      if (statusAt(invitation, now) === 'EXPIRED') await requireRightToGrant(ctx, tx, invitationId);
      const linkVersion = invitation.linkVersion + 1;
      await this.#replaceLink(ctx, tx, invitation, linkVersion, now);
      await recordEvents(tx, [{ type: 'RESENT', at: now, actor: ctx.actor, invitationId }]);
      const leftOut = await this.#sendAgain(ctx, tx, invitation, linkVersion);
      return { invitationId, redeemUrl: this.#url(ctx, invitationId, linkVersion), warnings: leftOut.map(copyLeftOut) };
    });
  }

  /** Withdraws a pending invitation; its grants go with it. */
  async revoke(ctx: RequestContext, invitationId: string): Promise<string> {
    const tenantId = await tenantOf(ctx, 'Invitation', Invitation, invitationId, 'invitationId');
    await ctx.transaction(tenantId, async (tx) => {
      const invitation = await lockInvitation(ctx, tx, invitationId);
      const now = ctx.clock.now();
      if (!mayTransition('revoke', invitation, now)) throw refuseByStatus(invitation, now);
      await revokeLocked(ctx, tx, [invitationId], now);
    });
    return invitationId;
  }

  /** All that a key has sent out and that is still open: when the key itself is not to be trusted any more. */
  async revokePendingOfKey(ctx: RequestContext, tx: Tx, apiKeyId: string): Promise<void> {
    const { rows } = await sql<{ id: string }>`
      select id from invitation
      where invited_by_kind = 'API_KEY' and invited_by_id = ${apiKeyId} and status = 'PENDING'
      order by id for update`.execute(tx.db);
    await revokeLocked(
      ctx,
      tx,
      rows.map((row) => row.id),
      ctx.clock.now(),
    );
  }

  async #replaceLink(
    ctx: RequestContext,
    tx: Tx,
    invitation: Row<Invitation>,
    linkVersion: number,
    now: Date,
  ): Promise<void> {
    const { hash } = makeLink(ctx.secrets, invitation.id, linkVersion);
    const expiresAt =
      statusAt(invitation, now) === 'EXPIRED' ? expiryOf(now, DEFAULT_EXPIRES_IN_DAYS) : invitation.expiresAt;
    await sql`
      update invitation set status = 'PENDING', delivery = 'QUEUED', delivery_error = null, link_version = ${linkVersion},
        link_hash = ${hash}, send_count = send_count + 1, expires_at = ${expiresAt}, expired_at = null
      where id = ${invitation.id}`.execute(tx.db);
  }

  /** @returns who gets no copy this time. */
  async #sendAgain(ctx: RequestContext, tx: Tx, invitation: Row<Invitation>, linkVersion: number): Promise<string[]> {
    const { id, emailKey, ccRecipients } = invitation;
    const full = await this.#limits.admit(ctx, tx, emailKey, ccRecipients.map(emailKeyOf));
    const isLeftOut = (address: string) => full.has(emailKeyOf(address));
    const copies = ccRecipients.flatMap((address, copy) => (isLeftOut(address) ? [] : [copy]));
    await addJobs(tx, mailJobs(id, linkVersion, copies, false));
    return ccRecipients.filter(isLeftOut);
  }

  #url(ctx: RequestContext, invitationId: string, linkVersion: number): string {
    return redeemUrl(this.#publicUrl, makeLink(ctx.secrets, invitationId, linkVersion).token);
  }
}

/** All that is open for a user: who leaves or starts over accepts nothing of before. */
export async function revokePendingOfUser(ctx: RequestContext, tx: Tx, externalUserId: string): Promise<void> {
  const { rows } = await sql<{ id: string }>`
    select id from invitation
    where external_user_id = ${externalUserId} and tenant_id = ${tx.tenantId} and status = 'PENDING'
    order by id for update`.execute(tx.db);
  const ids = rows.map((row) => row.id);
  await revokeLocked(ctx, tx, ids, ctx.clock.now());
}

/** The first statement of every change: facts of one invitation are written one transaction after the other. */
export async function lockInvitation(ctx: RequestContext, tx: Tx, invitationId: string): Promise<Row<Invitation>> {
  const { rows } = await sql<Row<Invitation>>`
    select ${ctx.tables.columns(Invitation, 'i')} from invitation i
    where i.id = ${invitationId} and i.tenant_id = ${tx.tenantId} for update`.execute(tx.db);
  if (!rows[0]) throw refuse('NOT_FOUND', { field: ['invitationId'] });
  return rows[0];
}

/** For changes of many at once; in order, so that two such changes do not deadlock. */
export async function lockInvitations(tx: Tx, invitationIds: readonly string[]): Promise<void> {
  await sql`
    select from invitation where id = any(${invitationIds}) and tenant_id = ${tx.tenantId} order by id for update`.execute(
    tx.db,
  );
}

/** A newer invitation, or that the person wants no more mails of this tenant. */
async function refuseWhatIsInTheWay(tx: Tx, { id, tenantId, emailKey }: Row<Invitation>): Promise<void> {
  const { rows } = await sql<{ hasNewer: boolean; isUnsubscribed: boolean }>`
    select exists (
        select from invitation
        where tenant_id = ${tenantId} and email_key = ${emailKey} and status = 'PENDING' and id <> ${id}
      ) as "hasNewer",
      exists (
        select from unsubscribed_recipient where tenant_id = ${tenantId} and email_key = ${emailKey}
      ) as "isUnsubscribed"`.execute(tx.db);
  if (rows[0]?.isUnsubscribed) throw refuse('RECIPIENT_UNSUBSCRIBED', { field: ['invitationId'] });
  if (rows[0]?.hasNewer) throw refuse('ALREADY_INVITED', { field: ['invitationId'] });
}

async function revokeLocked(ctx: RequestContext, tx: Tx, invitationIds: readonly string[], now: Date): Promise<void> {
  if (invitationIds.length === 0) return;
  await sql`update invitation set status = 'REVOKED', revoked_at = ${now} where id = any(${invitationIds})`.execute(
    tx.db,
  );
  await recordEvents(
    tx,
    invitationIds.map((invitationId) => ({ type: 'REVOKED', at: now, actor: ctx.actor, invitationId })),
  );
}

/** Of an address that was accepted when the invitation was made. */
function emailKeyOf(address: string): string {
  return parseEmailAddress(address)?.key ?? address;
}

function refuseByStatus(invitation: Row<Invitation>, now: Date): UserError {
  const status = statusAt(invitation, now);
  return refuse(status === 'PENDING' ? 'CONFLICT' : refusalByStatus[status], { field: ['invitationId'] });
}

function replayed(invitationId: string): Invited {
  return { invitationId, redeemUrl: null, warnings: [REPLAYED] };
}

function refusedBecause(outcome: InviteOutcome | undefined): UserError {
  return outcome?.invited === false
    ? new InviteRefused(outcome.error, outcome.existingInvitationId, outcome.externalUserId)
    : refuse('CONFLICT');
}

async function requireRightToGrant(ctx: RequestContext, { db }: Tx, invitationId: string): Promise<void> {
  const { rows } = await sql<{ groupId: string }>`
    select group_id as "groupId" from invitation_grant where invitation_id = ${invitationId} and group_id is not null`.execute(
    db,
  );
  await requireRightToFill(
    ctx,
    db,
    rows.map(({ groupId }) => groupId),
  );
}
