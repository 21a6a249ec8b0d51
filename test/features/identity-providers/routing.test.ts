import { expect, test } from '@jest/globals';
import { parseProviderDomains } from '../../../src/features/identity-providers/provider-domains.js';
import { routeAddress } from '../../../src/features/identity-providers/routing.rules.js';

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
  expect(parseProviderDomains(given)).toEqual({
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
  const { patterns, errors } = parseProviderDomains(['contoso.example', domain]);
  expect(patterns).toEqual(['contoso.example']);
  expect(errors).toMatchObject([{ code: 'INVALID', field: ['domains', '1'] }]);
});

test('wildcards below a domain of one owner are fine', () => {
  const given = ['*.fabrikam.co.uk', '*.fabrikam.github.io', '*.city.kawasaki.jp'];
  expect(parseProviderDomains(given).errors).toEqual([]);
});
