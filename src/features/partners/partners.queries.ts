/** Reads of partners for operators: plain rows. */
import { type RawBuilder, sql } from 'kysely';
import type { Row } from '../../database/table.js';
import { type ListSource, newestFirst } from '../../request/connection.js';
import type { RequestContext } from '../../request/request-context.js';
import { defaultSignInPolicy, type SignInPolicy } from '../identity-providers/sign-in-policy.rules.js';
import { Partner } from './partner.entity.js';

export type PartnerRow = Row<Partner>;

export function partnersOfTenant(ctx: RequestContext): ListSource {
  return {
    name: 'partners',
    columns: ctx.tables.columns(Partner, 'p'),
    from: sql`from partner p where p.tenant_id = parent.id`,
    id: sql`p.id`,
    order: newestFirst(sql`p.created_at`),
  };
}

/** In the order the operator gave. */
export function domainsOfPartner(ctx: RequestContext, partnerId: string): Promise<string[]> {
  return ctx.loader<string, string[]>('partner domains', (ids) => domainsByPartner(ctx, ids)).load(partnerId);
}

async function domainsByPartner(ctx: RequestContext, ids: readonly string[]): Promise<string[][]> {
  const { rows } = await sql<{ partnerId: string; pattern: string }>`
    select partner_id as "partnerId", pattern from partner_domain
    where partner_id = any(${ids}) order by partner_id, position`.execute(ctx.db);
  const byPartner = Map.groupBy(rows, (row) => row.partnerId);
  return ids.map((id) => byPartner.get(id)?.map((row) => row.pattern) ?? []);
}

export function signInPolicyOfTenant(ctx: RequestContext, tenantId: string): Promise<SignInPolicy> {
  return ctx.loader<string, SignInPolicy>('sign-in policies', (ids) => signInPolicies(ctx, ids)).load(tenantId);
}

async function signInPolicies(ctx: RequestContext, tenantIds: readonly string[]): Promise<SignInPolicy[]> {
  const { rows } = await sql<SignInPolicy & { tenantId: string }>`
    select tenant_id as "tenantId", sign_in_order as "order", fallback from sign_in_policy
    where tenant_id = any(${tenantIds})`.execute(ctx.db);
  const byTenant = new Map(rows.map(({ tenantId, ...policy }) => [tenantId, policy]));
  return tenantIds.map((id) => byTenant.get(id) ?? defaultSignInPolicy);
}

/** As an expression. */
export function isRedeemedAutomatically(tenantId: RawBuilder<unknown>, emailKey: RawBuilder<unknown>) {
  return sql<boolean>`coalesce(
    (select p.automatic_redemption from partner p where p.id = ${partnerOf(tenantId, emailKey)}), false)`;
}

/** Id of the partner whose pattern is most specific for the domain (`partner-routing.rules.ts`), or null, as an expression. */
export function partnerOf(tenantId: RawBuilder<unknown>, emailKey: RawBuilder<unknown>) {
  return sql<string | null>`(
    select d.partner_id from partner_domain d
    where d.tenant_id = ${tenantId} and (
      d.pattern = split_part(${emailKey}, '@', 2)
      or starts_with(d.pattern, '*.') and right(${emailKey}, length(d.pattern) - 1) = substr(d.pattern, 2))
    order by starts_with(d.pattern, '*.'), length(d.pattern) desc limit 1
  )`;
}
