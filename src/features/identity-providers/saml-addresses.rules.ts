/** Where a SAML provider finds us (pure). One name and one place per provider: an answer for one fits no other. */

/** Our entityID towards this provider, and where our metadata is read. */
export function samlEntityId(publicUrl: URL, providerId: string): string {
  return new URL(`/saml/${providerId}/metadata`, publicUrl).href;
}

/** The assertion consumer service: where the browser posts the provider's answer. */
export function samlAcsUrl(publicUrl: URL, providerId: string): string {
  return new URL(`/saml/${providerId}/acs`, publicUrl).href;
}
