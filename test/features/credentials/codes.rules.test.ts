import { describe, expect, it } from '@jest/globals';
import { TOTP } from 'otpauth';
import { newRecoveryCodes, normalRecoveryCode } from '../../../src/features/credentials/recovery-codes.rules.js';
import { enrolmentUri, newSeed, stepOfCode } from '../../../src/features/credentials/totp.rules.js';
import { later, SECOND } from '../../../src/kernel/clock.js';

const now = new Date('2026-11-20T12:00:10Z');

function codeAt(seed: string, time: Date): string {
  return new TOTP({ secret: seed }).generate({ timestamp: time.getTime() });
}

describe('a time-based code', () => {
  const seed = newSeed();

  it('fits in its own step and in the one before and after, and tells which step it is of', () => {
    const step = stepOfCode(seed, codeAt(seed, now), now) as number;
    expect(step).toBe(Math.floor(now.getTime() / 30_000));
    expect(stepOfCode(seed, codeAt(seed, later(now, -30 * SECOND)), now)).toBe(step - 1);
    expect(stepOfCode(seed, codeAt(seed, later(now, 30 * SECOND)), now)).toBe(step + 1);
    expect(stepOfCode(seed, codeAt(seed, later(now, -60 * SECOND)), now)).toBeNull();
    expect(stepOfCode(seed, codeAt(seed, later(now, 60 * SECOND)), now)).toBeNull();
    expect(stepOfCode(newSeed(), codeAt(seed, now), now)).toBeNull();
  });

  it('is enrolled under the name of the organisation, of 160 random bits', () => {
    expect(Buffer.from(seed)).toHaveLength(32);
    expect(enrolmentUri(seed, 'Contoso: Energy', 'ada@fabrikam.example')).toBe(
      `otpauth://totp/Contoso%20%20Energy:ada%40fabrikam.example?issuer=Contoso%20%20Energy&secret=${seed}&algorithm=SHA1&digits=6&period=30`,
    );
  });
});

describe('recovery codes', () => {
  it('are ten, all different', () => {
    const codes = newRecoveryCodes();
    expect(new Set(codes).size).toBe(10);
    for (const code of codes) expect(code).toMatch(/^[0-9a-hjkmnp-tv-z]{5}-[0-9a-hjkmnp-tv-z]{5}$/);
  });

  it('are read as people write them', () => {
    expect(normalRecoveryCode(' ABCDE 12345 ')).toBe('abcde-12345');
    expect(normalRecoveryCode('abcdeO1l34')).toBe('abcde-01134');
    expect(normalRecoveryCode('123456')).toBeNull();
    expect(normalRecoveryCode('abcde-1234u')).toBeNull();
  });
});
