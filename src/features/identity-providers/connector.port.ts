/**
 * The port to whoever vouches for a guest. A connector speaks one protocol; it checks everything the protocol lets it
 * check (state, nonce, PKCE, issuer, audience, signature, times) and answers one normal `ProvenIdentity`. It decides
 * nothing about the invitation: who is entitled to vouch for which address is `routing.rules.ts`, whether the address fits is
 * the redemption's business.
 */

/** What a connector needs of a provider; the secret is already opened. */
export interface ProviderSettings {
  id: string;
  issuer: string;
  clientId: string;
  clientSecret: string | null;
  /** Besides `openid`; default `email profile`. */
  scopes: string[];
}

/** Kept with the flow, sealed, between the redirect and the callback. */
export interface SignInSecrets {
  state: string;
  nonce: string;
  codeVerifier: string;
}

/** The one normal form in which every provider's answer arrives. */
export interface ProvenIdentity {
  issuer: string;
  subject: string;
  email: string | null;
  /** True only when the provider itself says so and is the authority to; missing is false. */
  emailVerified: boolean;
  displayName: string | null;
}

export interface SignInRequest {
  redirectUri: string;
  /** The invited address. */
  loginHint: string;
  /** Ask which account to use, even if one is signed in: for a guest who came back as somebody else. */
  chooseAccount: boolean;
}

export interface Connector {
  /**
   * Where to send the browser.
   * @throws UserError IDP_UNAVAILABLE when the provider cannot be reached or its metadata is unusable.
   */
  begin(provider: ProviderSettings, request: SignInRequest): Promise<{ redirectTo: string; secrets: SignInSecrets }>;

  /**
   * Turns the callback into an identity. `callbackUrl` is the whole URL the browser came back to, built from PUBLIC_URL.
   * @throws UserError IDP_UNAVAILABLE when the provider answers an error, times out or sends what does not verify.
   */
  finish(provider: ProviderSettings, callbackUrl: URL, secrets: SignInSecrets): Promise<ProvenIdentity>;
}
