/**
 * People who are added without an invitation: no mail goes out, what they are granted waits in the directory, and they become
 * accepted users by signing in for the first time. The same rules as for an invitation say who may be added.
 */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { refuse, UserError } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import { claimIdempotencyKey } from '../../request/idempotency.js';
import type { RequestContext } from '../../request/request-context.js';
import { userPrincipalName } from '../external-users/user-principal-name.service.js';
import { requireRightToFill } from '../groups/group-members.service.js';
import {
  type CheckedInvitation,
  checkRequest,
  type InvitationRequest,
  inputFieldNames,
} from '../invitations/invitation-request.rules.js';
import { findTargets } from '../invitations/invitation-targets.queries.js';
import { requireReachOf } from '../partners/inviter-reach.queries.js';
import type { TenantCache } from '../tenants/tenant-cache.service.js';
import { ADDED_DIRECTLY } from './guest.queries.js';

export interface NewDirectUser {
  tenantId: string;
  email: string;
  displayName: string | null;
  appIds: string[];
  groupIds: string[];
  language: string | null;
  idempotencyKey: string | null;
}

export class DirectUsersService {
  readonly #tenants: TenantCache;

  constructor(tenants: TenantCache) {
    this.#tenants = tenants;
  }

  /**
   * Somebody whose invitation ran out or was withdrawn can be added too; who has one that is open accepts that.
   * @throws UserError with every problem of the input, ALREADY_MEMBER, ALREADY_INVITED, ACCOUNT_DISABLED,
   * RECIPIENT_UNSUBSCRIBED, INVITER_NOT_AUTHORIZED.
   */
  async add(
    ctx: RequestContext,
    { idempotencyKey, ...input }: NewDirectUser,
  ): Promise<{ externalUserId: string; signInPath: string }> {
    const { tenantId } = input;
    const tenant = await this.#tenants.get(ctx, tenantId);
    if (!tenant) throw refuse('NOT_FOUND', { field: ['tenantId'] });
    const request = requestOf(input);
    const targets = await findTargets(ctx.db, tenantId, [request]);
    const { checked, errors } = checkRequest(request, tenant, targets, inputFieldNames);
    if (!checked) throw new UserError(errors);
    await requireReachOf(ctx.db, ctx.actor, { tenantId, emailKey: checked.email.key });
    await requireRightToFill(ctx, ctx.db, checked.groupIds);
    const externalUserId = await ctx.transaction(tenantId, async (tx) => {
      const id = newId('ExternalUser');
      const claim = idempotencyKey && { operation: 'addExternalUser', key: idempotencyKey, input };
      const earlier = claim && (await claimIdempotencyKey(ctx, tx, claim, { externalUserId: id }));
      if (earlier) return earlier.externalUserId;
      await checkNobodyInTheWay(tx, checked.email.key, ctx.clock.now());
      const upn = userPrincipalName(checked.email.key, tenant.slug);
      const userId = await storeUser(tx, { id, upn, checked, now: ctx.clock.now() });
      await grant(tx, userId, checked, ctx.clock.now());
      return userId;
    });
    return { externalUserId, signInPath: `/t/${tenant.slug}/sign-in` };
  }
}

/** An invitation without all that belongs to its mail. */
function requestOf({ email, displayName, appIds, groupIds, language }: Omit<NewDirectUser, 'idempotencyKey'>) {
  const nothing = {
    landingApp: null,
    redirectUrl: null,
    message: null,
    cc: [],
    expiresInDays: null,
    inviterName: null,
  };
  return {
    ...nothing,
    email,
    displayName,
    apps: appIds,
    groups: groupIds,
    language,
    sendMail: false,
  } satisfies InvitationRequest;
}

async function checkNobodyInTheWay(tx: Tx, emailKey: string, now: Date): Promise<void> {
  const field = ['email'];
  const { rows } = await sql<{ accepted: boolean; enabled: boolean; isInvited: boolean; isUnsubscribed: boolean }>`
    select coalesce(u.state = 'ACCEPTED', false) as accepted, coalesce(u.account_enabled, true) as enabled,
      exists (
        select from invitation i
        where i.tenant_id = ${tx.tenantId} and i.email_key = ${emailKey} and i.status = 'PENDING' and i.expires_at > ${now}
      ) as "isInvited",
      exists (
        select from unsubscribed_recipient r where r.tenant_id = ${tx.tenantId} and r.email_key = ${emailKey}
      ) as "isUnsubscribed"
    from (select) nobody
    left join external_user u on u.tenant_id = ${tx.tenantId} and u.email_key = ${emailKey}`.execute(tx.db);
  const [found] = rows;
  if (!found?.enabled) throw refuse('ACCOUNT_DISABLED', { field });
  if (found.accepted) throw refuse('ALREADY_MEMBER', { field });
  if (found.isInvited) throw refuse('ALREADY_INVITED', { field });
  if (found.isUnsubscribed) throw refuse('RECIPIENT_UNSUBSCRIBED', { field });
}

interface ToStore {
  id: string;
  upn: string;
  checked: CheckedInvitation;
  now: Date;
}

/** @returns the id of the user, who may have been in the directory before. */
async function storeUser(tx: Tx, { id, upn, checked, now }: ToStore): Promise<string> {
  const { email, displayName, language } = checked;
  const { rows } = await sql<{ id: string }>`
    insert into external_user as known (id, tenant_id, email, email_key, display_name, user_principal_name, user_type,
      creation_type, state, state_changed_at, account_enabled, preferred_language, created_at)
    values (${id}, ${tx.tenantId}, ${email.address}, ${email.key}, ${displayName}, ${upn}, 'GUEST', ${ADDED_DIRECTLY},
      'PENDING_ACCEPTANCE', ${now}, true, ${language}, ${now})
    on conflict (tenant_id, email_key) do update set creation_type = ${ADDED_DIRECTLY},
      display_name = coalesce(excluded.display_name, known.display_name),
      preferred_language = coalesce(excluded.preferred_language, known.preferred_language)
    where known.state = 'PENDING_ACCEPTANCE' and known.account_enabled
    returning id`.execute(tx.db);
  if (!rows[0]) throw refuse('CONFLICT', { field: ['email'] });
  return rows[0].id;
}

async function grant(tx: Tx, externalUserId: string, checked: CheckedInvitation, now: Date): Promise<void> {
  const ids = checked.appIds.map(() => newId('AppAssignment'));
  await sql`
    with joined as (
      insert into group_member (group_id, external_user_id, tenant_id, created_at)
      select group_id, ${externalUserId}, ${tx.tenantId}, ${now}::timestamptz
      from unnest(${checked.groupIds}::text[]) as group_id
      on conflict (group_id, external_user_id) do nothing
    )
    insert into app_assignment (id, tenant_id, app_id, external_user_id, role, created_at)
    select granted.id, ${tx.tenantId}, granted.app_id, ${externalUserId}, null, ${now}::timestamptz
    from unnest(${ids}::text[], ${checked.appIds}::text[]) as granted (id, app_id)
    on conflict (app_id, external_user_id, group_id, role) do nothing`.execute(tx.db);
}
