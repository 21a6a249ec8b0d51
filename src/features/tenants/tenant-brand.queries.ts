/** A tenant as its pages show it. For strangers too: nothing here is more than every mail of the tenant tells. */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import type { Language } from '../../kernel/languages.js';

export interface TenantBrand {
  tenantId: string;
  slug: string;
  tenantName: string;
  defaultLanguage: Language;
  logoPath: string | null;
  accentColor: string;
  supportEmail: string | null;
  privacyStatementUrl: string | null;
}

/** Null: no tenant has this slug. */
export async function findTenantBrand(db: Db, slug: string): Promise<TenantBrand | null> {
  const { rows } = await sql<TenantBrand>`
    select t.id as "tenantId", t.slug, t.display_name as "tenantName", t.default_language as "defaultLanguage",
      '/t/' || t.slug || '/logo/' || l.hash as "logoPath", t.accent_color as "accentColor",
      t.support_email as "supportEmail", t.privacy_statement_url as "privacyStatementUrl"
    from tenant t left join tenant_logo l on l.tenant_id = t.id
    where t.slug = ${slug}`.execute(db);
  return rows[0] ?? null;
}
