/** Where an OpenID Connect provider finds us (pure). One redirect URI per provider, so that a code of one is never taken to another (RFC 9700 section 4.4.2). */
export function openIdConnectCallbackUrl(publicUrl: URL, providerId: string): string {
  return new URL(`/sign-in/callback/${providerId}`, publicUrl).href;
}

/** Our keys towards the provider. */
export function clientKeySetUrl(publicUrl: URL, providerId: string): string {
  return new URL(`/sign-in/keys/${providerId}`, publicUrl).href;
}
