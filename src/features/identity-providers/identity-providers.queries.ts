/** Reads of identity providers for operators: plain rows, without the client secret. */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import { type ListSource, newestFirst } from '../../request/connection.js';
import type { RequestContext } from '../../request/request-context.js';
import { IdentityProvider } from './identity-provider.entity.js';
import { SamlProvider } from './saml-provider.entity.js';

export type IdentityProviderRow = Row<IdentityProvider>;

export function identityProvidersOfTenant(ctx: RequestContext): ListSource {
  return {
    name: 'identityProviders',
    columns: ctx.tables.columns(IdentityProvider, 'p'),
    from: sql`from identity_provider p where p.tenant_id = parent.id`,
    id: sql`p.id`,
    order: newestFirst(sql`p.created_at`),
  };
}

export type SamlProviderRow = Row<SamlProvider>;

/** Null: it is of another kind. The provider itself was looked up before, so that the id is of a tenant in reach. */
export function samlProviderOf(ctx: RequestContext, providerId: string): Promise<SamlProviderRow | null> {
  return ctx
    .loader<string, SamlProviderRow | null>('SAML providers', (ids) => samlProvidersByIds(ctx, ids))
    .load(providerId);
}

async function samlProvidersByIds(ctx: RequestContext, ids: readonly string[]): Promise<(SamlProviderRow | null)[]> {
  const { rows } = await sql<SamlProviderRow>`
    select ${ctx.tables.columns(SamlProvider, 's')} from saml_provider s
    where s.identity_provider_id = any(${ids})`.execute(ctx.db);
  const byId = new Map(rows.map((row) => [row.identityProviderId, row]));
  return ids.map((id) => byId.get(id) ?? null);
}

/** In the order the operator gave. */
export function domainsOf(ctx: RequestContext, providerId: string): Promise<string[]> {
  return ctx
    .loader<string, string[]>('identity provider domains', (ids) => domainsByProvider(ctx, ids))
    .load(providerId);
}

async function domainsByProvider(ctx: RequestContext, ids: readonly string[]): Promise<string[][]> {
  const { rows } = await sql<{ providerId: string; pattern: string }>`
    select identity_provider_id as "providerId", pattern from identity_provider_domain
    where identity_provider_id = any(${ids}) order by identity_provider_id, position`.execute(ctx.db);
  const byProvider = Map.groupBy(rows, (row) => row.providerId);
  return ids.map((id) => byProvider.get(id)?.map((row) => row.pattern) ?? []);
}
