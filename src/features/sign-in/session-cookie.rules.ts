/**
 * The name of the cookie that carries a session's token, one per tenant: all tenants share an origin, and paths isolate
 * nothing. Web pages and the OpenID Provider both ask here.
 */

/** `__Host-` keeps sibling hosts from planting one; browsers grant it to https only. */
export function sessionCookieName(publicUrl: URL, tenantId: string): string {
  const prefix = publicUrl.protocol === 'https:' ? '__Host-' : '';
  return `${prefix}vestibule_s_${tenantId.slice(tenantId.indexOf('_') + 1)}`;
}
