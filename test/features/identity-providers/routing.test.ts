import { describe, expect, it, test } from '@jest/globals';
import {
  type OrganizationCandidate,
  type ProviderCandidate,
  route,
  routeAddress,
} from '../../../src/features/identity-providers/routing.rules.js';
import {
  defaultSignInPolicy,
  type SignInPolicy,
  signInMethods,
} from '../../../src/features/identity-providers/sign-in-policy.rules.js';
import { routeIn } from '../../../src/features/partners/partner-routing.rules.js';
import { parseDomainPatterns } from '../../../src/kernel/domain-patterns.js';

const candidates = [
  { providerId: 'wide', pattern: '*.fabrikam.example' },
  { providerId: 'apex', pattern: 'fabrikam.example' },
  { providerId: 'narrow', pattern: '*.eu.fabrikam.example' },
  { providerId: 'exact', pattern: 'berlin.eu.fabrikam.example' },
];

test.each([
  ['fabrikam.example', 'apex'],
  ['sales.fabrikam.example', 'wide'],
  ['a.b.fabrikam.example', 'wide'],
  ['eu.fabrikam.example', 'wide'],
  ['paris.eu.fabrikam.example', 'narrow'],
  ['berlin.eu.fabrikam.example', 'exact'],
  ['mitte.berlin.eu.fabrikam.example', 'narrow'],
])('%s is vouched for by %s, whatever the order of providers', (domain, providerId) => {
  expect(routeAddress(domain, candidates)?.providerId).toBe(providerId);
  expect(routeAddress(domain, candidates.toReversed())?.providerId).toBe(providerId);
});

test.each(['notfabrikam.example', 'example', 'fabrikam.example.evil.test', ''])('nobody vouches for %p', (domain) => {
  expect(routeAddress(domain, candidates)).toBeNull();
});

test('a wildcard does not cover its apex', () => {
  expect(routeAddress('fabrikam.example', [{ providerId: 'wide', pattern: '*.fabrikam.example' }])).toBeNull();
});

test('the winner is the very candidate, with what the caller put into it', () => {
  const candidate = { providerId: 'a', pattern: 'fabrikam.example', displayName: 'Fabrikam' };
  expect(routeAddress('fabrikam.example', [candidate])).toBe(candidate);
});

test('domains are brought to the ASCII form, each once', () => {
  const given = [' Fabrikam.Example ', '*.Bücher.example', 'fabrikam.example'];
  expect(parseDomainPatterns(given)).toEqual({
    patterns: ['fabrikam.example', '*.xn--bcher-kva.example'],
    errors: [],
  });
});

test.each([
  '*.com',
  '*.example',
  '*.co.uk',
  '*.github.io',
  '*.kawasaki.jp',
  '*.*.fabrikam.example',
  'www.*.example',
  '*fabrikam.example',
  '*',
  '*.',
  '',
  'localhost',
  'ada@fabrikam.example',
  'https://fabrikam.example',
  '10.0.0.1',
])('%p is refused, naming its place', (domain) => {
  const { patterns, errors } = parseDomainPatterns(['contoso.example', domain]);
  expect(patterns).toEqual(['contoso.example']);
  expect(errors).toMatchObject([{ code: 'INVALID', field: ['domains', '1'] }]);
});

test('wildcards below a domain of one owner are fine', () => {
  const given = ['*.fabrikam.co.uk', '*.fabrikam.github.io', '*.city.kawasaki.jp'];
  expect(parseDomainPatterns(given).errors).toEqual([]);
});

const fabrikam: ProviderCandidate = {
  providerId: 'idp_fabrikam',
  pattern: 'fabrikam.example',
  kind: 'SAML',
  displayName: 'Fabrikam',
  issuer: 'urn:fabrikam',
  offeredAs: 'TENANT_PROVIDERS',
};
const google: ProviderCandidate = {
  providerId: 'idp_google',
  pattern: 'gmail.com',
  kind: 'OIDC',
  displayName: 'Google',
  issuer: 'https://accounts.google.com',
  offeredAs: 'SOCIAL',
};
const entra = (issuer: OrganizationCandidate['issuer']): OrganizationCandidate => ({
  providerId: 'idp_entra',
  displayName: 'Microsoft',
  domain: 'litware.example',
  issuer,
});

function methodsFor(
  domain: string,
  policy: Partial<SignInPolicy> = {},
  organizations: OrganizationCandidate[] = [],
): string[] {
  const facts = { candidates: [fabrikam, google], organizations };
  return route(domain, { ...facts, policy: { ...defaultSignInPolicy, ...policy } }).map(
    ({ method, rule }) => `${method.providerId ?? method.kind} by ${rule}`,
  );
}

/** Where no provider is entitled. */
const ours = ['EMAIL_PASSCODE by NO_PROVIDER', 'LOCAL by NO_PROVIDER'];

describe('the methods for an address', () => {
  it('are the provider of its domain alone, or without one what is our own', () => {
    expect(methodsFor('fabrikam.example')).toEqual(['idp_fabrikam by DOMAIN']);
    expect(methodsFor('gmail.com')).toEqual(['idp_google by CONSUMER_DOMAIN']);
    expect(methodsFor('other.test')).toEqual(ours);
  });

  it('come in the order of the policy', () => {
    const fallback = 'EMAIL_PASSCODE';
    const both = ['idp_fabrikam by DOMAIN', 'EMAIL_PASSCODE by FALLBACK'];
    expect(methodsFor('fabrikam.example', { fallback })).toEqual(both);
    expect(methodsFor('fabrikam.example', { fallback, order: [...signInMethods].reverse() })).toEqual(
      both.toReversed(),
    );
  });

  it('are none where everything that fits is switched off', () => {
    expect(methodsFor('other.test', { order: ['TENANT_PROVIDERS', 'SOCIAL'] })).toEqual([]);
    expect(methodsFor('gmail.com', { order: ['TENANT_PROVIDERS'] })).toEqual([]);
  });

  it('go by the passcode when the kind of provider is switched off', () => {
    expect(methodsFor('gmail.com', { order: ['TENANT_PROVIDERS', 'EMAIL_PASSCODE'] })).toEqual([
      'EMAIL_PASSCODE by NO_PROVIDER',
    ]);
  });

  it('have a local account only where the policy has it', () => {
    expect(methodsFor('other.test', { order: ['EMAIL_PASSCODE'] })).toEqual(['EMAIL_PASSCODE by NO_PROVIDER']);
  });

  it('go to the organisation that was discovered, and nowhere else while nobody could find out', () => {
    const found = [entra('https://login.example/t1/v2.0')];
    expect(methodsFor('litware.example', {}, found)).toEqual(['idp_entra by ENTRA_ORGANIZATION']);
    expect(methodsFor('litware.example', {}, [entra(undefined)])).toEqual(['idp_entra by ENTRA_ORGANIZATION']);
    expect(methodsFor('litware.example', {}, [entra(null)])).toEqual(ours);
    expect(methodsFor('other.test', {}, found)).toEqual(ours);
  });

  it('go to what the operator named for a domain before what was discovered', () => {
    const organizations = [{ ...entra('https://login.example/t1/v2.0'), domain: 'fabrikam.example' }];
    expect(methodsFor('fabrikam.example', {}, organizations)).toEqual(['idp_fabrikam by DOMAIN']);
  });
});

describe('the rules for an address', () => {
  const rule = { automaticRedemption: true, trustsSecondFactor: false };
  const strict: SignInPolicy = { order: ['TENANT_PROVIDERS'], fallback: 'NONE' };
  const wide = { ...rule, partnerId: 'ptn_wide', pattern: '*.fabrikam.example', displayName: 'All', policy: null };
  const berlin = { ...wide, partnerId: 'ptn_berlin', pattern: 'berlin.fabrikam.example', policy: strict };
  const facts = {
    policy: defaultSignInPolicy,
    partners: [wide, berlin],
    candidates: [],
    organizations: [],
  };

  it('are those of the partner with the most specific domain', () => {
    expect(routeIn(facts, 'berlin.fabrikam.example')).toEqual({ partner: berlin, policy: strict, methods: [] });
    expect(routeIn(facts, 'paris.fabrikam.example')).toMatchObject({ partner: wide, policy: defaultSignInPolicy });
  });

  it("are the tenant's where there is no partner", () => {
    expect(routeIn(facts, 'other.test')).toMatchObject({ partner: null, policy: defaultSignInPolicy });
  });
});
