/** A tenant as its pages show it. */
import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import type { Language } from '../../kernel/languages.js';

export interface TenantPage {
  tenantId: string;
  slug: string;
  tenantName: string;
  defaultLanguage: Language;
  /** Of the logo on our own origin, once it was fetched. */
  logoPath: string | null;
  accentColor: string;
  supportEmail: string | null;
  privacyStatementUrl: string | null;
  termsOfUseUrl: string | null;
}

const slugPattern = /^[a-z0-9-]{3,40}$/;

/** Null: there is none. */
export async function findTenantPage(db: Db, slug: string): Promise<TenantPage | null> {
  return slugPattern.test(slug) ? readTenantPage(db, sql`t.slug = ${slug}`) : null;
}

export async function loadTenantPage(db: Db, tenantId: string): Promise<TenantPage> {
  const tenant = await readTenantPage(db, sql`t.id = ${tenantId}`);
  if (!tenant) throw new Error(`Tenant ${tenantId} is gone.`);
  return tenant;
}

async function readTenantPage(db: Db, which: RawBuilder<unknown>): Promise<TenantPage | null> {
  const { rows } = await sql<TenantPage>`
    select t.id as "tenantId", t.slug, t.display_name as "tenantName", t.default_language as "defaultLanguage",
      '/t/' || t.slug || '/logo/' || l.hash as "logoPath", t.accent_color as "accentColor",
      t.support_email as "supportEmail", t.privacy_statement_url as "privacyStatementUrl",
      t.terms_of_use_url as "termsOfUseUrl"
    from tenant t left join tenant_logo l on l.tenant_id = t.id
    where ${which}`.execute(db);
  return rows[0] ?? null;
}
