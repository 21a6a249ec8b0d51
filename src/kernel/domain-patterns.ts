/**
 * Domains as administrators write them: `fabrikam.example` for that domain alone, `*.fabrikam.example` for everything below
 * it (pure). Providers, partners and the domain policy of a tenant share this form and what covers what.
 */
import { getPublicSuffix } from 'tldts';
import { asciiDomain } from './email-address.js';
import { type UserErrorEntry, userErrorEntry } from './errors.js';

export interface ParsedDomains {
  /** Normal form: ASCII, lower case, each once, in the order given. */
  patterns: string[];
  /** One per unusable domain; `field` is `["domains", "<index>"]`. */
  errors: UserErrorEntry[];
}

export function parseDomainPatterns(domains: readonly string[]): ParsedDomains {
  const patterns = new Set<string>();
  const errors: UserErrorEntry[] = [];
  for (const [index, text] of domains.entries()) {
    const pattern = parsePattern(text.trim());
    if (typeof pattern === 'string') patterns.add(pattern);
    else errors.push(userErrorEntry('INVALID', { field: ['domains', String(index)], message: pattern.problem }));
  }
  return { patterns: [...patterns], errors };
}

/**
 * Every pattern that covers a domain, the most specific first: the domain itself, then wildcards from the longest. Whole
 * labels: `*.fabrikam.example` covers neither `fabrikam.example` nor `notfabrikam.example`.
 * @param domain ASCII form, lower case.
 */
export function patternsCovering(domain: string): string[] {
  const labels = domain.split('.');
  return [domain, ...labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join('.')}`)];
}

function parsePattern(text: string): string | { problem: string } {
  const isWildcard = text.startsWith('*.');
  const domain = asciiDomain(isWildcard ? text.slice(2) : text);
  if (!domain)
    return { problem: 'This is not a domain. Write fabrikam.example, or *.fabrikam.example for all below it.' };
  if (!isWildcard) return domain;
  if (spansOwners(domain))
    return { problem: 'This wildcard covers domains of different owners. Name one owner’s domain.' };
  return `*.${domain}`;
}

/**
 * Whether names directly below belong to different owners: the domain is a public suffix (`co.uk`, `github.io`), or each
 * name below is one (`kawasaki.jp`). A single label never gets here, because it is no domain.
 */
function spansOwners(domain: string): boolean {
  return [domain, `any.${domain}`].some((name) => getPublicSuffix(name, { allowPrivateDomains: true }) === name);
}
