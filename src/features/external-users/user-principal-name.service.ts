/** `local_domain#EXT#@tenant`: names an external user inside the tenant, whatever mail system the address belongs to. */
export function userPrincipalName(emailKey: string, tenantSlug: string): string {
  return `${emailKey.replace('@', '_')}#EXT#@${tenantSlug}`;
}
