/** @simplewebauthn/server, loaded with the first passkey: most processes never need it, and all would wait for it at their start. */
export function simpleWebAuthn(): Promise<typeof import('@simplewebauthn/server')> {
  return import('@simplewebauthn/server');
}
