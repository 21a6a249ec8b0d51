/** What a guest's own page shows: who is signed in, and the apps they can open. */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import type { Language } from '../../kernel/languages.js';
import type { LiveSession } from './sessions.service.js';

export interface SignedInGuest {
  email: string;
  displayName: string | null;
  preferredLanguage: Language | null;
}

export interface GuestApp {
  appId: string;
  displayName: string;
  homePageUrl: string;
}

const MAX_APPS = 500;

export async function loadSignedInGuest(db: Db, { tenantId, externalUserId }: LiveSession): Promise<SignedInGuest> {
  const { rows } = await sql<SignedInGuest>`
    select email, display_name as "displayName", preferred_language as "preferredLanguage"
    from external_user where id = ${externalUserId} and tenant_id = ${tenantId}`.execute(db);
  if (!rows[0]) throw new Error(`External user ${externalUserId} is gone.`);
  return rows[0];
}

/** Assigned directly, by a group, or open to every guest; by name. */
export async function appsOfGuest(db: Db, { tenantId, externalUserId }: LiveSession): Promise<GuestApp[]> {
  const { rows } = await sql<GuestApp>`
    select a.id as "appId", a.display_name as "displayName", a.home_page_url as "homePageUrl"
    from app a
    where a.tenant_id = ${tenantId} and (
      not a.assignment_required
      or exists (select from app_assignment s where s.app_id = a.id and s.external_user_id = ${externalUserId})
      or exists (
        select from app_assignment s join group_member m on m.group_id = s.group_id
        where s.app_id = a.id and m.external_user_id = ${externalUserId}
      )
    )
    order by a.name_key limit ${MAX_APPS}`.execute(db);
  return rows;
}
