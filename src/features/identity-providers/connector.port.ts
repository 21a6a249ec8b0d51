/**
 * The port to whoever vouches for a guest. A connector speaks one protocol; it checks everything the protocol lets it
 * check and answers one normal `ProvenIdentity`. It decides nothing about the invitation: who is entitled to vouch for
 * which address is `routing.rules.ts`, whether the address fits is the redemption's business. It keeps nothing: what has to
 * be remembered between the two calls are the `secrets`, which come back once, to the browser they belong to.
 *
 * Duties of every connector, run against each by `test/features/identity-providers/connector-conformance.test.ts`:
 * - an answer counts only for the sign-in that asked for it (state, nonce and PKCE; InResponseTo);
 * - only from this provider (issuer, signature by its keys), only for us (audience, our address), only now (times);
 * - nothing goes out and nothing is believed before the provider's own metadata was verified as far as it can be;
 * - the address is the one claimed, never the one hinted; unverified unless the provider is the authority and says so;
 * - failures are UserErrors in our words; a provider's text goes nowhere.
 */

import type { OpenIdConnectPreset } from './openid-connect-presets.rules.js';

/** What every kind has; the secrets are already opened. */
export interface ProviderSettings {
  id: string;
  issuer: string;
}

export interface OpenIdConnectSettings extends ProviderSettings {
  preset: OpenIdConnectPreset;
  clientId: string;
  clientSecret: string | null;
  /** By which we prove that we are the client (`private_key_jwt`); null: by the secret. */
  clientKey: ClientKey | null;
  /** Besides `openid`; default `email profile`. */
  scopes: string[];
}

export const samlNameIdFormats = ['PERSISTENT', 'EMAIL_ADDRESS', 'UNSPECIFIED'] as const;
export type SamlNameIdFormat = (typeof samlNameIdFormats)[number];

export interface SamlSettings extends ProviderSettings {
  /** Of the HTTP-Redirect binding. */
  ssoUrl: string;
  /** PEM */
  signingCertificates: string[];
  /** When the metadata this comes from ends; null: it does not. */
  validUntil: Date | null;
  nameIdFormat: SamlNameIdFormat;
  /** Names of attributes; null: the usual ones (`subjectAttribute`: the NameID). */
  emailAttribute: string | null;
  displayNameAttribute: string | null;
  subjectAttribute: string | null;
  /** Our own, PEM; signs requests. */
  certificate: string;
  privateKey: string;
}

/** Kept with the flow, sealed, between the redirect and the callback. `state` finds them again. */
export interface SignInSecrets {
  state: string;
}

/** A key pair of ours towards one provider. */
export interface ClientKey {
  kid: string;
  /** Private, for RS256. */
  jwk: Record<string, unknown>;
}

/** The one normal form in which every provider's answer arrives. */
export interface ProvenIdentity {
  issuer: string;
  subject: string;
  email: string | null;
  /** True only when the provider itself says so and is the authority to; missing is false. */
  emailVerified: boolean;
  displayName: string | null;
  /**
   * The account is the organisation's own and bears no other address, but nobody vouches for the address: proven once by a
   * passcode, it is this account's. Absent: no.
   */
  lacksAddressProof?: boolean;
  /** True only when the provider itself says that more than one factor was shown; missing is false. */
  isMultiFactor: boolean;
  /** Of an answer that the browser carries whole: whoever takes it sees to it that it is taken once. */
  assertionId?: string;
}

export interface SignInRequest {
  redirectUri: string;
  /** The invited address. */
  loginHint: string;
  /** Ask which account to use, even if one is signed in: for a guest who came back as somebody else. */
  chooseAccount: boolean;
}

/** What the browser brought back. */
export interface Callback {
  /** The whole URL it came to, built from PUBLIC_URL. */
  url: URL;
  /** What it posted there; absent: it came by GET. */
  form?: Record<string, string>;
}

export interface Connector<
  Settings extends ProviderSettings = ProviderSettings,
  Secrets extends SignInSecrets = SignInSecrets,
> {
  /**
   * Where to send the browser.
   * @throws UserError IDP_UNAVAILABLE when the provider cannot be reached or its metadata is unusable.
   */
  begin(provider: Settings, request: SignInRequest): Promise<{ redirectTo: string; secrets: Secrets }>;

  /**
   * Turns the callback into an identity.
   * @throws UserError IDP_UNAVAILABLE when the provider answers an error, times out or sends what does not verify;
   * PROOF_REQUIRED when the person cancelled.
   */
  finish(provider: Settings, callback: Callback, secrets: Secrets): Promise<ProvenIdentity>;

  /**
   * Where to send the browser, so that the provider ends its session too. Absent: the protocol has no such thing here.
   * @returns null when the provider offers none.
   * @throws UserError IDP_UNAVAILABLE
   */
  logoutUrl?(provider: Settings, request: LogoutRequest): Promise<string | null>;
}

export interface LogoutRequest {
  /** Registered with the provider: where the browser comes back to. Null: it stays there. */
  returnTo: string | null;
  /** The address of who signs out, so that the provider need not ask; null: unknown. */
  logoutHint: string | null;
}

/** A connector whose answers are posted from the provider's site, so that no cookie of ours comes along. */
export interface FormConnector<
  Settings extends ProviderSettings = ProviderSettings,
  Secrets extends SignInSecrets = SignInSecrets,
> extends Connector<Settings, Secrets> {
  /** Which sign-in a form says it answers, to find the secrets by; proves nothing. Null: it says none, or cannot be read. */
  stateOf(form: Record<string, string>): string | null;

  /**
   * Turns an answer that nobody asked for into an identity. It must not say that it answers a request.
   * @throws UserError as `finish`.
   */
  finishUnrequested(provider: Settings, callback: Callback): Promise<ProvenIdentity>;
}
