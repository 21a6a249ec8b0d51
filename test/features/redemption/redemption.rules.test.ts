import { describe, expect, it } from '@jest/globals';
import { type ProviderCandidate, route } from '../../../src/features/identity-providers/routing.rules.js';
import { defaultSignInPolicy } from '../../../src/features/identity-providers/sign-in-policy.rules.js';
import { isProven } from '../../../src/features/proving/flow.states.js';
import { isEntitled } from '../../../src/features/proving/methods.rules.js';
import { checkConsent, consentVersionOf } from '../../../src/features/redemption/consent.js';
import {
  flowRefusal,
  linkRefusal,
  mayUndoDecline,
  type OfferState,
} from '../../../src/features/redemption/redemption.states.js';
import { later, MINUTE } from '../../../src/kernel/clock.js';

const now = new Date('2026-11-20T12:00:00Z');
const open: OfferState = {
  status: 'PENDING',
  expiresAt: later(now, MINUTE),
  linkVersion: 2,
  declineProven: false,
  domainRefusal: null,
};

describe('a link', () => {
  it.each([
    [open, 2, null],
    [open, 1, 'SUPERSEDED'],
    [{ ...open, expiresAt: now }, 2, 'EXPIRED'],
    [{ ...open, status: 'REVOKED' }, 2, 'REVOKED'],
    [{ ...open, status: 'REDEEMED' }, 2, 'ALREADY_REDEEMED'],
    [{ ...open, status: 'DECLINED' }, 2, null],
    [{ ...open, status: 'DECLINED' }, 1, 'SUPERSEDED'],
    [{ ...open, status: 'DECLINED', declineProven: true }, 2, 'DECLINED'],
    [{ ...open, status: 'DECLINED', expiresAt: now }, 2, 'DECLINED'],
  ] as [OfferState, number, string | null][])('of %j, version %i: %s', (offer, version, refusal) => {
    expect(linkRefusal(offer, version, now)).toBe(refusal);
  });

  it('takes a decline back only while it was never proven and the time is not over', () => {
    expect(mayUndoDecline({ ...open, status: 'DECLINED' }, now)).toBe(true);
    expect(mayUndoDecline(open, now)).toBe(false);
  });
});

describe('a flow', () => {
  const flow = { status: 'PROVEN', linkVersion: 2, provenAt: now } as const;

  it('is over when its invitation is, when a newer link exists, and once declined', () => {
    expect(flowRefusal(flow, open, now)).toBeNull();
    expect(flowRefusal({ ...flow, linkVersion: 1 }, open, now)).toBe('SUPERSEDED');
    expect(flowRefusal(flow, { ...open, status: 'REVOKED' }, now)).toBe('REVOKED');
    expect(flowRefusal({ ...flow, status: 'DECLINED' }, open, now)).toBe('DECLINED');
  });

  it('is proven for 15 minutes', () => {
    expect(isProven(flow, later(now, 15 * MINUTE - 1))).toBe(true);
    expect(isProven(flow, later(now, 15 * MINUTE))).toBe(false);
    expect(isProven({ ...flow, status: 'STARTED' }, now)).toBe(false);
  });
});

describe('the methods for an address', () => {
  const issuer = 'https://login.fabrikam.example';
  const provider = {
    providerId: 'idp_1',
    pattern: 'fabrikam.example',
    kind: 'OIDC',
    displayName: 'Fabrikam',
    issuer,
    offeredAs: 'TENANT_PROVIDERS',
  } as const;
  const methodsFor = (domain: string, candidates: ProviderCandidate[]) =>
    route(domain, { candidates, organizations: [], policy: defaultSignInPolicy }).map(({ method }) => method);

  it('entitle nothing else', () => {
    const methods = methodsFor('fabrikam.example', [provider]);
    const proof = { kind: 'OIDC', providerId: 'idp_1', issuer };
    const passcode = { kind: 'EMAIL_PASSCODE', providerId: '', issuer: 'mail' };
    expect(isEntitled(methods, proof)).toBe(true);
    expect(isEntitled(methods, { ...proof, issuer: `${issuer}/` })).toBe(true);
    expect(isEntitled(methods, { ...proof, issuer: 'https://login.other.example' })).toBe(false);
    expect(isEntitled(methods, { ...proof, issuer: null })).toBe(false);
    expect(isEntitled(methods, { ...proof, providerId: 'idp_2' })).toBe(false);
    expect(isEntitled(methods, passcode)).toBe(false);
    expect(isEntitled(methodsFor('other.test', []), passcode)).toBe(true);
    expect(isEntitled(methodsFor('other.test', []), proof)).toBe(false);
    expect(isEntitled(methodsFor('other.test', []), { kind: null, providerId: null, issuer: null })).toBe(false);
  });
});

it('a proof is of the same issuer only letter by letter, where issuers are no URLs', () => {
  const saml = { kind: 'SAML' as const, providerId: 'idp_1', displayName: 'Fabrikam', issuer: 'fabrikam-idp' };
  const proof = { kind: 'SAML', providerId: 'idp_1', issuer: 'fabrikam-idp' };
  expect(isEntitled([saml], proof)).toBe(true);
  for (const issuer of ['evil-idp', 'Fabrikam-idp', '', 'https://fabrikam-idp'])
    expect([issuer, isEntitled([saml], { ...proof, issuer })]).toEqual([issuer, false]);
  const urn = { ...saml, issuer: 'urn:fabrikam:idp' };
  expect(isEntitled([urn], { ...proof, issuer: 'urn:fabrikam:idp' })).toBe(true);
  expect(isEntitled([urn], { ...proof, issuer: 'urn:fabrikam:other' })).toBe(false);
});

it('consent is to one version of name, privacy statement and terms', () => {
  const agreement = {
    tenantName: 'Contoso',
    privacyStatementUrl: null,
    termsOfUseUrl: 'https://contoso.example/terms',
    terms: { version: 1, language: 'en' as const, hash: 'of the text' },
  };
  const { terms } = agreement;
  const consentVersion = consentVersionOf(agreement);
  expect(() => checkConsent(agreement, { consent: true, consentVersion })).not.toThrow();
  expect(() => checkConsent(agreement, { consent: false, consentVersion })).toThrow('CONSENT_REQUIRED');
  for (const changed of [
    { tenantName: 'Tailspin' },
    { privacyStatementUrl: 'https://contoso.example/p' },
    { termsOfUseUrl: null },
    { terms: null },
    { terms: { ...terms, version: 2 } },
    { terms: { ...terms, language: 'ko' as const } },
    { terms: { ...terms, hash: 'of another text' } },
  ]) {
    expect(() => checkConsent({ ...agreement, ...changed }, { consent: true, consentVersion })).toThrow(
      'CONSENT_REQUIRED',
    );
  }
});
