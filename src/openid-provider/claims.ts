/** What apps are told about a guest, per scope (pure). docs/openid-provider.md explains each claim. */
import type { AppAccess } from '../features/apps/app-access.queries.js';
import { MAX_GROUPS } from '../features/apps/app-access.queries.js';
import { opaqueName } from './tenant-salts.js';

/** By the scope that releases them. */
export const claimsByScope = {
  openid: ['sub', 'tid', 'oid', 'idp', 'altsecid', 'acct', 'amr'],
  profile: ['name', 'preferred_username', 'upn', 'invited_by', 'locale'],
  email: ['email', 'email_verified'],
  groups: ['groups', 'groups_overage'],
  roles: ['roles'],
} as const;

export interface Issuer {
  tenantId: string;
  salt: string;
}

/** `sub`, `iss`, `auth_time` and `amr` are the library's. */
export function claimsOf(access: AppAccess, { tenantId, salt }: Issuer): Record<string, unknown> {
  const { externalUserId, identityIssuer, identitySubject } = access;
  return {
    tid: tenantId,
    oid: externalUserId,
    ...(identityIssuer !== null && {
      idp: identityIssuer,
      altsecid: opaqueName(salt, 'altsecid', identityIssuer, identitySubject ?? ''),
    }),
    acct: access.userType === 'GUEST' ? 1 : 0,
    ...(access.displayName !== null && { name: access.displayName }),
    preferred_username: access.email,
    upn: access.userPrincipalName,
    ...(access.invitedBy !== null && { invited_by: access.invitedBy }),
    ...(access.preferredLanguage !== null && { locale: access.preferredLanguage }),
    email: access.email,
    // The invitation was accepted by proving this address.
    email_verified: true,
    ...groupClaims(access.groupIds),
    roles: access.roles,
  };
}

/** Too many for a token: none, and a claim that says so, so that nobody takes a part for the whole. */
function groupClaims(groupIds: string[]): Record<string, unknown> {
  return groupIds.length > MAX_GROUPS ? { groups_overage: true } : { groups: groupIds };
}
