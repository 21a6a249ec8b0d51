/**
 * Whether a provider says that its sign-in took more than one factor (pure). What it says counts only where the operator
 * trusts it (`trustsSecondFactor`).
 */

/** Contexts that mean more than one factor; an `acr` of OpenID Connect or an AuthnContextClassRef of SAML. */
const multiFactorContexts = new Set([
  // REFEDS MFA Profile
  'https://refeds.org/profile/mfa',
  // PAPE, OpenID Provider Authentication Policy Extension 1.0
  'http://schemas.openid.net/pape/policies/2007/06/multi-factor',
  // OpenID Connect Extended Authentication Profile 1.0: phishing-resistant, and in hardware
  'phr',
  'phrh',
  // Entra, AD FS
  'http://schemas.microsoft.com/claims/multipleauthn',
]);

/** @param amr RFC 8176. @param acr OpenID Connect Core section 2. Claims, so of any type. */
export function claimsMultiFactor(amr: unknown, acr: unknown): boolean {
  const references: unknown[] = Array.isArray(amr) ? amr : [];
  return references.includes('mfa') || isMultiFactorContext(acr);
}

export function isMultiFactorContext(context: unknown): boolean {
  return typeof context === 'string' && multiFactorContexts.has(context);
}
