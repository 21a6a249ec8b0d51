/**
 * Whom a tenant takes as guests, by the domain of the address (pure). Asked when inviting and again at every step of a
 * redemption, so that a domain blocked today stops the invitations of yesterday; who accepted before stays.
 */
import { patternsCovering } from '../../kernel/domain-patterns.js';

export const domainRules = ['ALLOW_ANY', 'ALLOW_LISTED', 'DENY_LISTED'] as const;
export type DomainRule = (typeof domainRules)[number];

export interface DomainPolicy {
  domainRule: DomainRule;
  /** Normal form, as `kernel/domain-patterns.ts` makes it. */
  domainPatterns: readonly string[];
}

export interface DomainVerdict {
  /** Null: welcome. */
  refusal: 'DOMAIN_BLOCKED' | 'DOMAIN_NOT_ALLOWED' | null;
  /** The most specific listed pattern that covers the domain; null: none does. */
  pattern: string | null;
}

/** @param domain ASCII form, lower case. */
export function domainVerdict({ domainRule, domainPatterns }: DomainPolicy, domain: string): DomainVerdict {
  if (domainRule === 'ALLOW_ANY') return { refusal: null, pattern: null };
  const listed = listOf(domainPatterns);
  const pattern = patternsCovering(domain).find((covering) => listed.has(covering)) ?? null;
  if (domainRule === 'DENY_LISTED') return { refusal: pattern === null ? null : 'DOMAIN_BLOCKED', pattern };
  return { refusal: pattern === null ? 'DOMAIN_NOT_ALLOWED' : null, pattern };
}

/** A chunk of a file asks for thousands of addresses of one tenant. */
const lists = new WeakMap<readonly string[], ReadonlySet<string>>();

function listOf(patterns: readonly string[]): ReadonlySet<string> {
  const known = lists.get(patterns) ?? new Set(patterns);
  lists.set(patterns, known);
  return known;
}
