/** What a guest's own page shows: who is signed in, and the apps they can open. */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import type { Language } from '../../kernel/languages.js';
import { nameKey } from '../../kernel/names.js';
import type { LiveSession } from './sessions.service.js';

export interface SignedInGuest {
  email: string;
  displayName: string | null;
  preferredLanguage: Language | null;
}

export interface GuestApp {
  appId: string;
  displayName: string;
  /** Of ours: begins the app's own sign-in. */
  openPath: string;
  /** Of ours, too; null: none. */
  logoPath: string | null;
  lastUsedAt: Date | null;
}

const MAX_APPS = 500;

export async function loadSignedInGuest(db: Db, { tenantId, externalUserId }: LiveSession): Promise<SignedInGuest> {
  const { rows } = await sql<SignedInGuest>`
    select email, display_name as "displayName", preferred_language as "preferredLanguage"
    from external_user where id = ${externalUserId} and tenant_id = ${tenantId}`.execute(db);
  if (!rows[0]) throw new Error(`External user ${externalUserId} is gone.`);
  return rows[0];
}

/** Assigned directly, by a group, or open to every guest; by name. `search`: part of the name, '' for all. */
export async function appsOfGuest(db: Db, { tenantId, externalUserId }: LiveSession, search = ''): Promise<GuestApp[]> {
  const { rows } = await sql<GuestApp>`
    select a.id as "appId", a.display_name as "displayName", used.last_used_at as "lastUsedAt",
      '/t/' || t.slug || '/apps/' || a.id || '/open' as "openPath",
      '/t/' || t.slug || '/apps/' || a.id || '/logo/' || logo.hash as "logoPath"
    from app a
    join tenant t on t.id = a.tenant_id
    left join app_logo logo on logo.app_id = a.id
    left join app_use used on used.app_id = a.id and used.external_user_id = ${externalUserId}
    where a.tenant_id = ${tenantId} and a.enabled and position(${nameKey(search)} in a.name_key) > 0 and (
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
