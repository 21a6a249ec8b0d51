/**
 * The domains an identity provider vouches for, as administrators write them: `fabrikam.example` for that domain alone,
 * `*.fabrikam.example` for everything below it (pure). Who wins when several fit is `routing.rules.ts`.
 */
import { getPublicSuffix } from 'tldts';
import { asciiDomain } from '../../kernel/email-address.js';
import { type UserErrorEntry, userErrorEntry } from '../../kernel/errors.js';

export interface ParsedDomains {
  /** Normal form: ASCII, lower case, each once, in the order given. */
  patterns: string[];
  /** One per unusable domain; `field` is `["domains", "<index>"]`. */
  errors: UserErrorEntry[];
}

export function parseProviderDomains(domains: readonly string[]): ParsedDomains {
  const patterns = new Set<string>();
  const errors: UserErrorEntry[] = [];
  for (const [index, text] of domains.entries()) {
    const pattern = parsePattern(text.trim());
    if (typeof pattern === 'string') patterns.add(pattern);
    else errors.push(userErrorEntry('INVALID', { field: ['domains', String(index)], message: pattern.problem }));
  }
  return { patterns: [...patterns], errors };
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
