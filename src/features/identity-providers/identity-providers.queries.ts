/** Reads of identity providers for operators: plain rows, without the client secret. */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import { type ListSource, newestFirst } from '../../request/connection.js';
import type { RequestContext } from '../../request/request-context.js';
import { IdentityProvider } from './identity-provider.entity.js';

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
