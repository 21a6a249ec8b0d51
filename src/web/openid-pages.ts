/** Makes the OpenID Provider's pages HTML: in the tenant's colours, in the language the browser asks for. */
import { sql } from 'kysely';
import { systemActor } from '../kernel/actor.js';
import { type Ground, RequestContext } from '../request/request-context.js';
import { languageOf } from './language.js';
import { type BrandFacts, brandOf, noBrand, type PageTemplate } from './page.js';
import type { PageRenderer } from './page-renderer.js';
import { securityHeaders } from './security-headers.js';

interface ProviderPage {
  template: PageTemplate;
  status: number;
  facts: Record<string, unknown>;
}

export function createOpenIdPages(ground: Ground, renderer: PageRenderer, publicUrl: URL) {
  return {
    headers: securityHeaders(publicUrl),
    async render(tenantId: string, page: ProviderPage, acceptLanguage: string | undefined): Promise<string> {
      const brand = await readBrand(ground, tenantId);
      return renderer.render({
        ...page,
        language: languageOf(acceptLanguage),
        brand: brand ? brandOf(brand) : noBrand,
      });
    },
  };
}

async function readBrand(ground: Ground, tenantId: string): Promise<BrandFacts | null> {
  const ctx = new RequestContext(ground, systemActor('OpenID Provider', tenantId));
  const { rows } = await sql<BrandFacts>`
    select t.display_name as "tenantName", '/t/' || t.slug || '/logo/' || l.hash as "logoPath",
      t.accent_color as "accentColor", t.support_email as "supportEmail", t.privacy_statement_url as "privacyStatementUrl"
    from tenant t left join tenant_logo l on l.tenant_id = t.id
    where t.id = ${tenantId}`.execute(ctx.db);
  return rows[0] ?? null;
}
