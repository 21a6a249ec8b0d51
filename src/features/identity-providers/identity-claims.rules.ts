/**
 * Who a verified token is about, and whether its address counts as proven (pure). By the standard `email_verified` says so;
 * providers that everybody can register at say it of addresses they are no authority for, or not at all.
 */
import { parseEmailAddress } from '../../kernel/email-address.js';
import { microsoftDomains } from './consumer-domains.rules.js';
import type { OpenIdConnectPreset } from './openid-connect-presets.rules.js';
import { CONSUMERS_TENANT_ID, isAuthorityFor } from './shared-issuers.rules.js';

export type Claims = Record<string, unknown>;

export interface ClaimedIdentity {
  subject: string;
  email: string | null;
  emailVerified: boolean;
  /** The account is the organisation's own, but whether the address is the account's is not said: a passcode can say it. */
  lacksAddressProof: boolean;
}

/**
 * @param claims of the ID token or, for address and name, of userinfo.
 * @returns null when the token lacks what a person is known by.
 */
export function identityOf(
  preset: OpenIdConnectPreset,
  issuer: string,
  subject: string,
  claims: Claims,
): ClaimedIdentity | null {
  const email = textOrNull(claims.email);
  if (preset === 'MICROSOFT_PERSONAL') return personalIdentity(issuer, claims, email);
  if (preset === 'ENTRA' || preset === 'ENTRA_ANY_ORGANIZATION') return entraIdentity(issuer, claims, email);
  const isAuthority = isAuthorityFor(preset === 'GOOGLE', issuer, email, claims.hd);
  return { subject, email, emailVerified: claims.email_verified === true && isAuthority, lacksAddressProof: false };
}

/**
 * `sub` differs from app to app, `tid` and `oid` name the person for good (Microsoft identity platform, "ID token claims").
 * `email` is whatever the organisation's administrator wrote; `xms_edov` says that the organisation has proven the domain.
 * A guest there has the address of another organisation, so that only own accounts (`acct` 0) count.
 */
function entraIdentity(issuer: string, claims: Claims, email: string | null): ClaimedIdentity | null {
  const subject = entraSubject(issuer, claims);
  if (subject === null) return null;
  const isOwn = isZero(claims.acct);
  return {
    subject,
    email,
    emailVerified: isOwn && email !== null && isTrue(claims.xms_edov),
    lacksAddressProof: !isGuest(claims, issuer),
  };
}

/** A personal account may bear any address; Microsoft is the authority for those of its own domains. */
function personalIdentity(issuer: string, claims: Claims, email: string | null): ClaimedIdentity | null {
  const subject = entraSubject(issuer, claims);
  if (subject === null || claims.tid !== CONSUMERS_TENANT_ID) return null;
  const domain = parseEmailAddress(email ?? '')?.domain;
  const isHosted = domain !== undefined && microsoftDomains.includes(domain);
  return { subject, email, emailVerified: isHosted && claims.xms_edov !== false, lacksAddressProof: false };
}

const entraId = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Null unless the organisation is the issuer's. */
function entraSubject(issuer: string, { tid, oid }: Claims): string | null {
  if (typeof tid !== 'string' || typeof oid !== 'string') return null;
  const [organization, person] = [tid.toLowerCase(), oid.toLowerCase()];
  const isIssuers = URL.parse(issuer)?.pathname.toLowerCase().split('/')[1] === organization;
  return isIssuers && entraId.test(organization) && entraId.test(person) ? `${organization}.${person}` : null;
}

/** `idp` names another issuer when the account is at home elsewhere. */
function isGuest({ acct, idp }: Claims, issuer: string): boolean {
  const isOfOtherIssuer = idp !== undefined && idp !== issuer;
  return (acct !== undefined && !isZero(acct)) || isOfOtherIssuer;
}

/** Entra writes `xms_edov` as a boolean, a number or a text, by the kind of token. */
function isTrue(claim: unknown): boolean {
  return claim === true || claim === 1 || claim === '1' || claim === 'true';
}

function isZero(claim: unknown): boolean {
  return claim === 0 || claim === '0';
}

export function textOrNull(claim: unknown): string | null {
  return typeof claim === 'string' && claim.trim() !== '' ? claim.trim() : null;
}
