/**
 * Which provider is entitled to vouch for an address (pure). Exactly one is: the one whose pattern is most specific for
 * the address's domain. Were every fitting provider entitled, whoever runs the provider of a wide pattern could sign in
 * as people of a narrower one. Callers pass patterns of enabled providers only, and ask again at every step that counts,
 * because providers change while a guest is on the way.
 */
export interface RouteCandidate {
  providerId: string;
  /** Normal form, as `provider-domains.ts` makes it. */
  pattern: string;
}

/** @param domain ASCII form, lower case. An exact domain beats a wildcard, a longer wildcard beats a shorter one. */
export function routeAddress<T extends RouteCandidate>(domain: string, candidates: readonly T[]): T | null {
  return candidates
    .filter(({ pattern }) => covers(pattern, domain))
    .reduce<T | null>((best, candidate) => (best && !isMoreSpecific(candidate, best) ? best : candidate), null);
}

/** Whole labels: `*.fabrikam.example` covers neither `fabrikam.example` nor `notfabrikam.example`. */
function covers(pattern: string, domain: string): boolean {
  return isWildcard(pattern)
    ? domain.length >= pattern.length && domain.endsWith(pattern.slice(1))
    : domain === pattern;
}

/** Both cover the same domain, so the longer wildcard has more labels. */
function isMoreSpecific(a: RouteCandidate, b: RouteCandidate): boolean {
  if (isWildcard(a.pattern) !== isWildcard(b.pattern)) return isWildcard(b.pattern);
  return a.pattern.length > b.pattern.length;
}

function isWildcard(pattern: string): boolean {
  return pattern.startsWith('*.');
}
