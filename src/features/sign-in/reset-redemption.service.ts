/**
 * The same person with another way to sign in: the address or the provider changed, or the account there was lost. User,
 * groups and apps stay; identities, credentials and sessions go; a new invitation asks for a new proof.
 */
import { sql } from 'kysely';
import { isUniqueViolation, type Tx } from '../../database/transaction.js';
import { requirePermission } from '../../kernel/actor.js';
import { refuse, UserError } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import { rowById, tenantOf } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import type { ReviewAccess } from '../external-users/access-review.port.js';
import { ExternalUser } from '../external-users/external-user.entity.js';
import { makeLink, redeemUrl } from '../invitations/invitation-link.service.js';
import {
  type CheckedInvitation,
  checkRequest,
  type InvitationRequest,
  inputFieldNames,
} from '../invitations/invitation-request.rules.js';
import { findTargets } from '../invitations/invitation-targets.queries.js';
import { revokePendingOfUser } from '../invitations/invitations.service.js';
import { type InvitingTenant, inviteAll, NOT_LOOKED_AT } from '../invitations/invite.service.js';
import type { MailLimits } from '../invitations/mail-limits.service.js';
import { requireRightOver } from '../operators/right-over-user.service.js';
import { requireReachOf } from '../partners/inviter-reach.queries.js';
import type { TenantCache } from '../tenants/tenant-cache.service.js';
import type { SessionsService } from './sessions.service.js';

export interface RedemptionReset {
  externalUserId: string;
  /** Null: the address stays. */
  email: string | null;
  landingAppId: string | null;
  message: string | null;
  inviterName: string | null;
  language: string | null;
  sendMail: boolean;
  expiresInDays: number | null;
}

export interface ResetParts {
  sessions: SessionsService;
  tenants: TenantCache;
  limits: MailLimits;
  reviewAccess: ReviewAccess;
  publicUrl: URL;
}

export class ResetRedemptionService {
  readonly #parts: ResetParts;

  constructor(parts: ResetParts) {
    this.#parts = parts;
  }

  /**
   * @throws UserError with every problem of the input, NOT_FOUND, ACCOUNT_DISABLED, TAKEN at `email`, RECIPIENT_UNSUBSCRIBED,
   * RATE_LIMITED, QUOTA_EXCEEDED, INVITER_NOT_AUTHORIZED.
   * @throws RequestError FORBIDDEN without INVITATION_WRITE, and as `requireRightOver`: who gets the new invitation becomes
   * that user.
   */
  async reset(ctx: RequestContext, input: RedemptionReset): Promise<{ invitationId: string; redeemUrl: string }> {
    const { externalUserId } = input;
    const tenantId = await tenantOf(ctx, 'ExternalUser', ExternalUser, externalUserId, 'externalUserId');
    requirePermission(ctx.actor, 'INVITATION_WRITE');
    const user = await rowById(ctx, ExternalUser, externalUserId);
    const tenant = await this.#parts.tenants.get(ctx, tenantId);
    if (!user || !tenant) throw refuse('NOT_FOUND', { field: ['externalUserId'] });
    const request = requestOf(input, input.email ?? user.email);
    const targets = await findTargets(ctx.db, tenantId, [request]);
    const { checked, errors } = checkRequest(request, tenant, targets, inputFieldNames);
    if (!checked) throw new UserError(errors);
    await requireReachOf(ctx.db, ctx.actor, { tenantId, emailKey: checked.email.key });
    const invitationId = await ctx.transaction(tenantId, async (tx) => {
      await requireRightOver(ctx, tx, externalUserId);
      await revokePendingOfUser(ctx, tx, externalUserId);
      await startOver(tx, externalUserId, checked, ctx.clock.now());
      await this.#parts.sessions.endAllOf(tx, externalUserId, 'REDEMPTION_RESET');
      await this.#parts.reviewAccess(tx, { externalUserIds: [externalUserId] });
      return this.#invite(ctx, tx, tenant, checked);
    });
    return { invitationId, redeemUrl: redeemUrl(this.#parts.publicUrl, makeLink(ctx.secrets, invitationId, 1).token) };
  }

  async #invite(ctx: RequestContext, tx: Tx, tenant: InvitingTenant, invitation: CheckedInvitation): Promise<string> {
    const invitationId = newId('Invitation');
    const row = { invitationId, invitation, bulkInviteId: null, rowNumber: null };
    const outcomes = await inviteAll(ctx, tx, tenant, this.#parts.limits, [row], NOT_LOOKED_AT);
    const outcome = outcomes.get(invitationId);
    if (outcome?.invited) return invitationId;
    throw outcome ? new UserError([outcome.error]) : refuse('CONFLICT');
  }
}

/** An invitation to nothing new: what the user has been granted stays. */
function requestOf(input: RedemptionReset, email: string): InvitationRequest {
  const { landingAppId: landingApp, message, inviterName, language, sendMail, expiresInDays } = input;
  const nothing = { displayName: null, apps: [], groups: [], redirectUrl: null, cc: [] };
  return { ...nothing, email, landingApp, message, inviterName, language, sendMail, expiresInDays };
}

/** A sign-in locks the user too: one at this moment is ended afterwards, or refused. */
async function startOver(tx: Tx, externalUserId: string, { email }: CheckedInvitation, now: Date): Promise<void> {
  try {
    const { numAffectedRows } = await sql`
      update external_user set email = ${email.address}, email_key = ${email.key}, creation_type = 'Invitation',
        state = 'PENDING_ACCEPTANCE', state_changed_at = case when state = 'ACCEPTED' then ${now}::timestamptz else state_changed_at end
      where id = ${externalUserId} and account_enabled`.execute(tx.db);
    if (numAffectedRows !== 1n) throw refuse('ACCOUNT_DISABLED', { field: ['externalUserId'] });
  } catch (error) {
    throw isUniqueViolation(error) ? refuse('TAKEN', { field: ['email'], message: ANOTHER_USERS }) : error;
  }
  for (const table of ['identity', 'local_password', 'passkey', 'totp', 'recovery_code'])
    await sql`delete from ${sql.table(table)} where external_user_id = ${externalUserId}`.execute(tx.db);
}

const ANOTHER_USERS = 'Somebody else in the directory has this address.';
