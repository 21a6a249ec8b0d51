/**
 * Who acts, and what they may do. Permissions are a closed list; an operation without one is refused by default
 * (`api/authorisation.ts`). An actor is plain data: it is loaded outside the request's EntityManager.
 */
import { RequestError } from './errors.js';

export const permissions = [
  // Platform: only on keys of all tenants.
  'TENANT_CREATE',
  'TENANT_LIST',
  // Of one tenant.
  'TENANT_READ',
  'TENANT_WRITE',
  'EXTERNAL_USER_READ',
  'EXTERNAL_USER_WRITE',
  'GROUP_READ',
  'GROUP_WRITE',
  'APP_READ',
  'APP_WRITE',
  'APP_ASSIGN',
  'IDENTITY_PROVIDER_READ',
  'IDENTITY_PROVIDER_WRITE',
  'PARTNER_READ',
  'PARTNER_WRITE',
  'INVITATION_READ',
  'INVITATION_WRITE',
  /** Reading a redemption link: whoever has it can hand the invitation to the mailbox owner's place. */
  'REDEEM_URL_READ',
  'EVENT_READ',
  'API_KEY_READ',
  'API_KEY_WRITE',
  'ROLE_READ',
  'ROLE_WRITE',
] as const;

export type Permission = (typeof permissions)[number];

export const platformPermissions: readonly Permission[] = ['TENANT_CREATE', 'TENANT_LIST'];

/** Of people and apps that operate a tenant. */
export const operatorRoles = ['TENANT_ADMIN', 'GUEST_INVITER', 'HELPDESK', 'READER'] as const;
export type OperatorRole = (typeof operatorRoles)[number];

const reading = permissions.filter((permission) => permission.endsWith('_READ') && permission !== 'REDEEM_URL_READ');

/** What each role allows; never anything of the platform. */
export const rolePermissions: Record<OperatorRole, readonly Permission[]> = {
  TENANT_ADMIN: permissions.filter((permission) => !platformPermissions.includes(permission)),
  GUEST_INVITER: [...reading, 'INVITATION_WRITE'],
  HELPDESK: [...reading, 'EXTERNAL_USER_WRITE'],
  READER: reading,
};

export const actorKinds = ['API_KEY', 'OPERATOR', 'GUEST', 'SYSTEM'] as const;
export type ActorKind = (typeof actorKinds)[number];

export interface Actor {
  kind: ActorKind;
  /** Id of the API key or user; null for strangers and for the system. */
  id: string | null;
  displayName: string;
  /** The one tenant whose data the actor reaches; null: all tenants. */
  tenantId: string | null;
  permissions: ReadonlySet<Permission>;
  /** When the credential ends by itself; null: never. */
  expiresAt: Date | null;
}

/** A person without a credential: the guest on our pages, or a script that holds only a link. */
export const stranger: Actor = {
  kind: 'GUEST',
  id: null,
  displayName: 'Guest',
  tenantId: null,
  permissions: new Set(),
  expiresAt: null,
};

/** Jobs and sweepers. `reason` names the job in logs. */
export function systemActor(reason: string, tenantId: string | null = null): Actor {
  return {
    kind: 'SYSTEM',
    id: null,
    displayName: reason,
    tenantId,
    permissions: new Set(permissions),
    expiresAt: null,
  };
}

export function requirePermission(actor: Actor, permission: Permission): void {
  if (actor.permissions.has(permission)) return;
  if (actor.kind === 'GUEST') throw new RequestError('UNAUTHENTICATED');
  const who = actor.kind === 'OPERATOR' ? 'Your roles and the scope of this token lack' : 'This API key lacks';
  throw new RequestError('FORBIDDEN', { message: `${who} the permission ${permission}.` });
}
