/** Which rules hold for an address: those of the partner whose pattern is most specific for its domain, else the tenant's (pure). */
import {
  type OrganizationCandidate,
  type ProviderCandidate,
  type RoutedMethod,
  route,
  routeAddress,
} from '../identity-providers/routing.rules.js';
import type { SignInPolicy } from '../identity-providers/sign-in-policy.rules.js';

export interface PartnerRule {
  partnerId: string;
  pattern: string;
  displayName: string;
  /** Null: the tenant's. */
  policy: SignInPolicy | null;
  automaticRedemption: boolean;
  trustsSecondFactor: boolean;
}

/** What routing of one tenant's addresses depends on. */
export interface RoutingFacts {
  policy: SignInPolicy;
  partners: readonly PartnerRule[];
  candidates: readonly ProviderCandidate[];
  organizations: readonly OrganizationCandidate[];
}

export interface Route {
  partner: PartnerRule | null;
  /** Of the partner or of the tenant. */
  policy: SignInPolicy;
  methods: RoutedMethod[];
}

/** @param domain ASCII form, lower case. */
export function routeIn({ partners, policy: tenants, ...facts }: RoutingFacts, domain: string): Route {
  const partner = routeAddress(domain, partners);
  const policy = partner?.policy ?? tenants;
  return { partner, policy, methods: route(domain, { ...facts, policy }) };
}
