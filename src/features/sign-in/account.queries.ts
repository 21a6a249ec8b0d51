/** What a guest's account page shows: plain rows. */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import type { IdentityProviderKind } from '../external-users/identity.entity.js';
import type { LiveSession, SessionsService } from './sessions.service.js';

export interface AccountIdentity {
  id: string;
  kind: IdentityProviderKind;
  /** Of the provider; null: the gateway itself. */
  providerName: string | null;
  /** The address of a passcode or a local account; null: the provider knows it. */
  address: string | null;
  linkedAt: Date;
}

export interface AccountSession {
  id: string;
  device: string | null;
  createdAt: Date;
  lastSeenAt: Date;
}

export async function accountIdentities(db: Db, { tenantId, externalUserId }: LiveSession): Promise<AccountIdentity[]> {
  const { rows } = await sql<AccountIdentity>`
    select i.id, i.sign_in_type as kind, p.display_name as "providerName",
      case when i.identity_provider_id = '' then i.subject end as address, i.linked_at as "linkedAt"
    from identity i
    left join identity_provider p on p.id = i.identity_provider_id and p.tenant_id = i.tenant_id
    where i.external_user_id = ${externalUserId} and i.tenant_id = ${tenantId}
    order by i.linked_at, i.id`.execute(db);
  return rows;
}

export async function accountSessions(
  db: Db,
  sessions: SessionsService,
  { tenantId, externalUserId }: LiveSession,
  now: Date,
): Promise<AccountSession[]> {
  const { rows } = await sql<AccountSession>`
    select s.id, s.device, s.created_at as "createdAt", s.last_seen_at as "lastSeenAt"
    from guest_session s
    where s.external_user_id = ${externalUserId} and s.tenant_id = ${tenantId} and ${sessions.isLive(now)}
    order by s.last_seen_at desc, s.id`.execute(db);
  return rows;
}
