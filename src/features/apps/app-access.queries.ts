/**
 * Whether a person may use an app, and as what: asked anew at every authorization, refresh and introspection, so that what
 * the tenant takes away is gone at once. One statement.
 */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import type { ExternalUserType } from '../external-users/external-user.entity.js';

export interface AppAccess {
  externalUserId: string;
  email: string;
  displayName: string | null;
  userPrincipalName: string;
  userType: ExternalUserType;
  preferredLanguage: string | null;
  /** Issuer and subject of the identity that signed in, or of the one linked last. */
  identityIssuer: string | null;
  identitySubject: string | null;
  /** Who sent the invitation that was redeemed last; null: nobody did. */
  invitedBy: string | null;
  /** The user, or a group of theirs, is assigned to the app, or nobody needs to be. */
  isAllowed: boolean;
  /** App roles of the user and of their groups, sorted. */
  roles: string[];
  /** Groups of theirs that are assigned to the app; one more than `MAX_GROUPS` means there are more. */
  groupIds: string[];
}

/** Of a token; more would make it too large for a header. */
export const MAX_GROUPS = 100;

/** Null when there is no such accepted and enabled user in the tenant, or no such enabled app. */
export async function findAppAccess(
  db: Db,
  key: { tenantId: string; externalUserId: string; appId: string; identityId?: string | null },
): Promise<AppAccess | null> {
  const { tenantId, externalUserId, appId, identityId = null } = key;
  const { rows } = await sql<AppAccess>`
    select u.id as "externalUserId", u.email, u.display_name as "displayName",
      u.user_principal_name as "userPrincipalName", u.user_type as "userType", u.preferred_language as "preferredLanguage",
      i.issuer as "identityIssuer", i.subject as "identitySubject",
      (select coalesce(inviter.inviter_name, inviter.invited_by_name) from invitation inviter
        where inviter.tenant_id = u.tenant_id and inviter.external_user_id = u.id and inviter.status = 'REDEEMED'
        order by inviter.redeemed_at desc limit 1) as "invitedBy",
      not a.assignment_required or s.assigned as "isAllowed", s.roles, s.groups as "groupIds"
    from external_user u
    join app a on a.tenant_id = u.tenant_id and a.id = ${appId} and a.enabled
    left join lateral (
      select issuer, subject from identity where external_user_id = u.id
      order by (id = ${identityId}) desc nulls last, linked_at desc limit 1
    ) i on true
    cross join lateral (
      select count(*) > 0 as assigned,
        coalesce(array_agg(distinct g.role order by g.role) filter (where g.role is not null), '{}') as roles,
        (coalesce(array_agg(distinct g.group_id order by g.group_id) filter (where g.group_id is not null), '{}'))
          [1:${MAX_GROUPS + 1}] as groups
      from app_assignment g
      where g.app_id = a.id and (g.external_user_id = u.id
        or g.group_id in (select m.group_id from group_member m where m.external_user_id = u.id))
    ) s
    where u.tenant_id = ${tenantId} and u.id = ${externalUserId} and u.account_enabled and u.state = 'ACCEPTED'`.execute(
    db,
  );
  return rows[0] ?? null;
}
