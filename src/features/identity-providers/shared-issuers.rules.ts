/**
 * Issuers that sign in people of every organisation (pure). Their word that an address is verified does not say whose
 * address it is, so that routing a domain to them is not enough.
 */
import { asciiDomain, parseEmailAddress } from '../../kernel/email-address.js';
import { googleDomains } from './consumer-domains.rules.js';

const GOOGLE_HOST = 'accounts.google.com';

/**
 * Google is the authority for its own mailboxes and, where `hd` says so, for a Workspace domain; for any other address it
 * once mailed a code (Google Identity, "OpenID Connect", claims of the ID token).
 * @param isGoogle by its preset; by its issuer it is recognised anyway.
 */
export function isAuthorityFor(
  isGoogle: boolean,
  issuer: string,
  email: string | null,
  hostedDomain: unknown,
): boolean {
  if (!isGoogle && URL.parse(issuer)?.hostname !== GOOGLE_HOST) return true;
  const domain = parseEmailAddress(email ?? '')?.domain;
  if (domain === undefined) return false;
  return googleDomains.includes(domain) || (typeof hostedDomain === 'string' && asciiDomain(hostedDomain) === domain);
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
export const CONSUMERS_TENANT_ID = '9188040d-6c67-4c5b-b112-36a304b66dad';

/** `common`, `organizations`, `consumers` or a template: anything of Entra that is not one organisation's own tenant. */
export function isSharedByOrganisations(issuer: string): boolean {
  return entraHosts.has(new URL(issuer).hostname) && !isOneOrganization(issuer);
}

/** Whether an issuer of Entra names one organisation's own tenant. */
export function isOneOrganization(issuer: string): boolean {
  const tenant = new URL(issuer).pathname.split('/')[1] ?? '';
  return entraTenantId.test(tenant) && tenant.toLowerCase() !== CONSUMERS_TENANT_ID;
}
