/** What routing depends on, as it is now: policies, partners and enabled providers, for the domains asked about. */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import { patternsCovering } from '../../kernel/domain-patterns.js';
import { type OpenIdConnectPreset, presets } from '../identity-providers/openid-connect-presets.rules.js';
import type { OrganizationCandidate, ProviderCandidate } from '../identity-providers/routing.rules.js';
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

/** A provider that finds its domains itself. */
interface PresetProvider {
  providerId: string;
  displayName: string;
  issuer: string | null;
  preset: OpenIdConnectPreset;
}

interface FactsRow {
  policy: SignInPolicy | null;
  partners: PartnerRule[];
  candidates: ProviderCandidate[];
  presetProviders: PresetProvider[];
  organizations: { providerId: string; domain: string; issuer: string | null }[];
}

/** One statement: it is asked at every step of every guest, and once for all who accept together. */
export async function loadRouting(db: Db, tenantId: string, asked: readonly string[]): Promise<RoutingFacts> {
  const domains = [...new Set(asked)];
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
      ) as candidates,
      (
        select coalesce(jsonb_agg(jsonb_build_object(
          'providerId', p.id, 'displayName', p.display_name, 'issuer', p.issuer, 'preset', p.preset)
          order by p.created_at, p.id), '[]')
        from identity_provider p
        where p.tenant_id = ${tenantId} and p.enabled and p.preset not in ('GENERIC', 'ENTRA')
      ) as "presetProviders",
      (
        select coalesce(jsonb_agg(jsonb_build_object(
          'providerId', o.identity_provider_id, 'domain', o.domain, 'issuer', o.issuer)), '[]')
        from entra_organization o where o.tenant_id = ${tenantId} and o.domain = any(${domains})
      ) as organizations`.execute(db);
  const { policy, partners, candidates, presetProviders, organizations } = rows[0] as FactsRow;
  return {
    policy: policy ?? defaultSignInPolicy,
    partners,
    candidates: [...candidates, ...presetProviders.flatMap(socialCandidates)],
    organizations: organizationCandidates(presetProviders, domains, organizations),
  };
}

/** Of every domain asked about: what is not known is said to be unknown. */
function organizationCandidates(
  presetProviders: readonly PresetProvider[],
  domains: readonly string[],
  known: FactsRow['organizations'],
): OrganizationCandidate[] {
  const issuers = new Map(known.map(({ providerId, domain, issuer }) => [`${providerId} ${domain}`, issuer]));
  return presetProviders
    .filter(({ preset }) => preset === 'ENTRA_ANY_ORGANIZATION')
    .flatMap(({ providerId, displayName }) =>
      domains.map((domain) => ({ providerId, displayName, domain, issuer: issuers.get(`${providerId} ${domain}`) })),
    );
}

/** For the domains whose mailboxes the provider hosts. */
function socialCandidates({ preset, providerId, displayName, issuer }: PresetProvider): ProviderCandidate[] {
  const provider = { kind: 'OIDC', providerId, displayName, issuer, offeredAs: 'SOCIAL' } as const;
  return presets[preset].consumerDomains.map((pattern) => ({ ...provider, pattern }));
}
