import { describe, expect, it } from '@jest/globals';
import { commonPasswords } from '../../../src/features/credentials/common-passwords.js';
import { passwordRefusal, preparePassword } from '../../../src/features/credentials/password.rules.js';

const owner = { email: 'ada.lovelace@fabrikam.example', tenantName: 'Contoso Energy', tenantSlug: 'contoso-energy' };

async function refusalOf(password: string): Promise<string | null> {
  const common = await commonPasswords();
  return passwordRefusal(preparePassword(password), owner, (word) => common.has(word));
}

describe('a password', () => {
  it('has 8 to 128 characters, however many bytes each of them takes', async () => {
    expect(await refusalOf('x7$kqpe')).toBe('PASSWORD_INVALID');
    expect(await refusalOf('x7$kqpez')).toBeNull();
    expect(await refusalOf('🙂🙃🎈🎉🌧🌈🔑')).toBe('PASSWORD_INVALID');
    expect(await refusalOf('🙂🙃🎈🎉🌧🌈🔑🔒')).toBeNull();
    expect(await refusalOf('🙂'.repeat(128))).toBeNull();
    expect(await refusalOf('🙂'.repeat(129))).toBe('PASSWORD_INVALID');
  });

  it('needs no digits, capitals or signs', async () => {
    expect(await refusalOf('correct horse battery')).toBeNull();
    expect(await refusalOf('비가 오는 날의 창문')).toBeNull();
  });

  it('holds no control characters', async () => {
    expect(await refusalOf('tab\there and there')).toBe('PASSWORD_INVALID');
  });

  it('is not among those that everybody tries first, in any case and in full-width letters', async () => {
    expect((await commonPasswords()).size).toBeGreaterThan(10_000);
    for (const password of ['password', 'PASSWORD1', 'qwertyuiop', 'iloveyou', 'ｐａｓｓｗｏｒｄ']) {
      expect([password, await refusalOf(password)]).toEqual([password, 'PASSWORD_GUESSABLE']);
    }
  });

  it('is not the address or the name of the organisation, with or without digits around it', async () => {
    for (const password of [
      'ada.lovelace@fabrikam.example',
      'Ada.Lovelace',
      'fabrikam2026!',
      'Contoso Energy',
      'ContosoEnergy1',
      '123contoso-energy',
    ]) {
      expect([password, await refusalOf(password)]).toEqual([password, 'PASSWORD_GUESSABLE']);
    }
    expect(await refusalOf('ada likes contoso energy')).toBeNull();
  });

  it('is the same whichever keyboard it is typed on', () => {
    expect(preparePassword('Ame\u0301lie\u00a0und\u3000Zoe\u0308')).toBe('Amélie und Zoë');
    expect(preparePassword('ſtraße')).toBe('ſtraße');
  });
});
