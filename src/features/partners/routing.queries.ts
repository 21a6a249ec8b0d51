/** What routing depends on, as it is now: policies, partners and enabled providers, for the domains asked about. */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import { patternsCovering } from '../../kernel/domain-patterns.js';
import type { ProviderCandidate } from '../identity-providers/routing.rules.js';
import { defaultSignInPolicy, type SignInPolicy } from '../identity-providers/sign-in-policy.rules.js';
import { type PartnerRule, type Route, type RoutingFacts, routeIn } from './partner-routing.rules.js';

/** The route of each of these domains. */
export async function openRouting(
  db: Db,
  tenantId: string,
  domains: readonly string[],
): Promise<(domain: string) => Route> {
  const facts = await loadRouting(db, tenantId, domains);
  return (domain) => routeIn(facts, domain);
}

interface FactsRow {
  policy: SignInPolicy | null;
  partners: PartnerRule[];
  candidates: ProviderCandidate[];
}

/** One statement: it is asked at every step of every guest, and once for all who accept together. */
export async function loadRouting(db: Db, tenantId: string, domains: readonly string[]): Promise<RoutingFacts> {
  const patterns = [...new Set(domains.flatMap(patternsCovering))];
  const { rows } = await sql<FactsRow>`
    select
      (
        select jsonb_build_object('order', s.sign_in_order, 'fallback', s.fallback)
        from sign_in_policy s where s.tenant_id = ${tenantId}
      ) as policy,
      (
        select coalesce(jsonb_agg(jsonb_build_object(
          'partnerId', p.id, 'pattern', d.pattern, 'displayName', p.display_name,
          'policy', case when p.sign_in_order is not null
            then jsonb_build_object('order', p.sign_in_order, 'fallback', p.fallback) end,
          'automaticRedemption', p.automatic_redemption, 'trustsSecondFactor', p.trusts_second_factor)), '[]')
        from partner_domain d join partner p on p.id = d.partner_id
        where d.tenant_id = ${tenantId} and d.pattern = any(${patterns})
      ) as partners,
      (
        select coalesce(jsonb_agg(jsonb_build_object(
          'providerId', p.id, 'pattern', d.pattern, 'kind', p.kind, 'displayName', p.display_name, 'issuer', p.issuer,
          'offeredAs', 'TENANT_PROVIDERS')), '[]')
        from identity_provider_domain d join identity_provider p on p.id = d.identity_provider_id
        where d.tenant_id = ${tenantId} and d.pattern = any(${patterns}) and p.enabled
      ) as candidates`.execute(db);
  const { policy, partners, candidates } = rows[0] as FactsRow;
  return {
    policy: policy ?? defaultSignInPolicy,
    partners,
    candidates,
    organizations: [],
    hasLocalAccounts: true,
  };
}
