/** The gateway as WebAuthn knows it: one relying party for all tenants, named by the host of PUBLIC_URL. */

export interface RelyingParty {
  /** Domain without port. Passkeys are bound to it: another host name of the gateway makes them useless. */
  id: string;
  origin: string;
}

export function relyingPartyOf(publicUrl: URL): RelyingParty {
  return { id: publicUrl.hostname, origin: publicUrl.origin };
}
