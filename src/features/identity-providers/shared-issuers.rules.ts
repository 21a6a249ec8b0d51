/**
 * Issuers that sign in people of every organisation (pure). Their word that an address is verified does not say whose
 * address it is, so that routing a domain to them is not enough.
 */
import { asciiDomain, parseEmailAddress } from '../../kernel/email-address.js';

const GOOGLE_HOST = 'accounts.google.com';
const googleMailboxes = new Set(['gmail.com', 'googlemail.com']);

/**
 * Google is the authority for its own mailboxes and, where `hd` says so, for a Workspace domain; for any other address it
 * once mailed a code (Google Identity, "OpenID Connect", claims of the ID token).
 */
export function isAuthorityFor(issuer: string, email: string | null, hostedDomain: unknown): boolean {
  if (URL.parse(issuer)?.hostname !== GOOGLE_HOST) return true;
  const domain = parseEmailAddress(email ?? '')?.domain;
  if (domain === undefined) return false;
  return googleMailboxes.has(domain) || (typeof hostedDomain === 'string' && asciiDomain(hostedDomain) === domain);
}

/** Microsoft Entra, its national clouds, and its older names. */
const entraHosts = new Set([
  'login.microsoftonline.com',
  'login.microsoft.com',
  'login.windows.net',
  'sts.windows.net',
  'login.microsoftonline.us',
  'login.partner.microsoftonline.cn',
  'login.chinacloudapi.cn',
]);
const entraTenantId = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** The tenant of all personal accounts. */
const CONSUMERS_TENANT_ID = '9188040d-6c67-4c5b-b112-36a304b66dad';

/** `common`, `organizations`, `consumers` or a template: anything of Entra that is not one organisation's own tenant. */
export function isSharedByOrganisations(issuer: string): boolean {
  const { hostname, pathname } = new URL(issuer);
  const [, tenant = ''] = pathname.split('/');
  return entraHosts.has(hostname) && (!entraTenantId.test(tenant) || tenant.toLowerCase() === CONSUMERS_TENANT_ID);
}
