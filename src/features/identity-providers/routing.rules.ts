/**
 * By what a guest may prove an address, in order (pure). At most one provider is entitled to vouch: the one whose pattern is
 * most specific for the address's domain. Were every fitting provider entitled, whoever runs the provider of a wide pattern
 * could sign in as people of a narrower one. Callers pass enabled providers only, and ask again at every step that counts,
 * because providers and policies change while a guest is on the way. Nothing here looks at whether a provider answers: an
 * outage adds no method.
 */
import { patternsCovering } from '../../kernel/domain-patterns.js';
import type { IdentityProviderKind } from '../external-users/identity.entity.js';
import type { SignInMethod, SignInPolicy } from './sign-in-policy.rules.js';

export interface ProviderMethod {
  kind: IdentityProviderKind;
  providerId: string;
  displayName: string;
  /** Null: it is not known yet which organisation's; nothing is proven until then. */
  issuer: string | null;
}

/** The gateway's own. */
export interface OwnMethod {
  kind: 'EMAIL_PASSCODE' | 'LOCAL';
  providerId: null;
  displayName: string;
}

export type Method = ProviderMethod | OwnMethod;

export const routingRules = [
  'DOMAIN',
  'WILDCARD',
  'CONSUMER_DOMAIN',
  'ENTRA_ORGANIZATION',
  'NO_PROVIDER',
  'FALLBACK',
] as const;
/** Why a method is offered. */
export type RoutingRule = (typeof routingRules)[number];

export interface RoutedMethod {
  method: Method;
  rule: RoutingRule;
  /** The pattern that covers the domain; null for rules that know none. */
  pattern: string | null;
}

export interface Patterned {
  /** Normal form, as `kernel/domain-patterns.ts` makes it. */
  pattern: string;
}

export interface ProviderCandidate extends Patterned {
  providerId: string;
  kind: IdentityProviderKind;
  displayName: string;
  issuer: string | null;
  /** SOCIAL: the pattern comes with the preset, not from the operator. */
  offeredAs: Extract<SignInMethod, 'TENANT_PROVIDERS' | 'SOCIAL'>;
}

/** A provider for every organisation of Entra, with what is known of one domain there. */
export interface OrganizationCandidate {
  providerId: string;
  displayName: string;
  domain: string;
  /** Null: the domain is no organisation there. Undefined: nobody could find out yet, which adds no other way in. */
  issuer: string | null | undefined;
}

export interface Routing {
  candidates: readonly ProviderCandidate[];
  organizations: readonly OrganizationCandidate[];
  policy: SignInPolicy;
}

export const PASSCODE: OwnMethod = { kind: 'EMAIL_PASSCODE', providerId: null, displayName: 'E-mail passcode' };
const LOCAL: OwnMethod = { kind: 'LOCAL', providerId: null, displayName: 'Account here' };

/** @param domain ASCII form, lower case. */
export function route(domain: string, { policy, ...providers }: Routing): RoutedMethod[] {
  const provider = entitledProvider(domain, policy, providers);
  return policy.order.flatMap((method): RoutedMethod[] => {
    if (method === 'EMAIL_PASSCODE') return besideProvider(PASSCODE, provider !== null, policy.fallback === method);
    if (method === 'LOCAL') return besideProvider(LOCAL, provider !== null, false);
    return provider?.offeredAs === method ? [provider.routed] : [];
  });
}

function besideProvider(method: OwnMethod, hasProvider: boolean, isFallback: boolean): RoutedMethod[] {
  if (!hasProvider) return [{ method, rule: 'NO_PROVIDER', pattern: null }];
  return isFallback ? [{ method, rule: 'FALLBACK', pattern: null }] : [];
}

interface EntitledProvider {
  offeredAs: SignInMethod;
  routed: RoutedMethod;
}

/** The first of the order that has one; what the operator named for a domain goes before what is discovered. */
function entitledProvider(
  domain: string,
  policy: SignInPolicy,
  { candidates, organizations }: Pick<Routing, 'candidates' | 'organizations'>,
): EntitledProvider | null {
  for (const offeredAs of policy.order) {
    const named = routeAddress(
      domain,
      candidates.filter((candidate) => candidate.offeredAs === offeredAs),
    );
    if (named) return { offeredAs, routed: routedTo(named, domain) };
    const found = organizations.find((candidate) => candidate.domain === domain && candidate.issuer !== null);
    if (found && offeredAs === 'TENANT_PROVIDERS') return { offeredAs, routed: routedToOrganization(found) };
  }
  return null;
}

function routedTo({ kind, providerId, displayName, issuer, pattern, offeredAs }: ProviderCandidate, domain: string) {
  const byOperator = pattern === domain ? 'DOMAIN' : 'WILDCARD';
  const rule: RoutingRule = offeredAs === 'SOCIAL' ? 'CONSUMER_DOMAIN' : byOperator;
  return { method: { kind, providerId, displayName, issuer }, rule, pattern };
}

function routedToOrganization({ providerId, displayName, issuer }: OrganizationCandidate): RoutedMethod {
  const method = { kind: 'OIDC', providerId, displayName, issuer: issuer ?? null } as const;
  return { method, rule: 'ENTRA_ORGANIZATION', pattern: null };
}

/** @param domain ASCII form, lower case. An exact domain beats a wildcard, a longer wildcard beats a shorter one. */
export function routeAddress<T extends Patterned>(domain: string, candidates: readonly T[]): T | null {
  const byPattern = new Map(candidates.map((candidate) => [candidate.pattern, candidate]));
  const pattern = patternsCovering(domain).find((covering) => byPattern.has(covering));
  return pattern === undefined ? null : (byPattern.get(pattern) ?? null);
}
