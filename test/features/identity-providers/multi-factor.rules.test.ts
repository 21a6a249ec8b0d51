import { describe, expect, it } from '@jest/globals';
import { claimsMultiFactor } from '../../../src/features/identity-providers/multi-factor.rules.js';

describe('a second factor at a provider', () => {
  it('is told by `mfa` among the methods, or by a context that means it', () => {
    expect(claimsMultiFactor(['pwd', 'mfa'], undefined)).toBe(true);
    expect(claimsMultiFactor(undefined, 'https://refeds.org/profile/mfa')).toBe(true);
    expect(claimsMultiFactor([], 'phrh')).toBe(true);
  });

  it('is told by nothing else, whatever the type of the claim', () => {
    for (const [amr, acr] of [
      [undefined, undefined],
      [['pwd', 'otp'], '1'],
      ['mfa', '0'],
      [{ 0: 'mfa' }, ['https://refeds.org/profile/mfa']],
      [[['mfa']], 'https://refeds.org/profile/mfa/'],
    ]) {
      expect(claimsMultiFactor(amr, acr)).toBe(false);
    }
  });
});
