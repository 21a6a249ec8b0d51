/** Unicode that looks like something else, and addresses that mean more than one: what `kernel` lets through. */
import { describe, expect, it } from '@jest/globals';
import { asciiDomain, maskEmailAddress, parseEmailAddress } from '../../src/kernel/email-address.js';
import { isPlainName } from '../../src/kernel/names.js';

describe('an address', () => {
  it.each([
    ['two addresses', 'a@x.example,b@x.example'],
    ['a name beside it', 'Ada <ada@x.example>'],
    ['a quoted local part', '"a b"@x.example'],
    ['a comment', 'a(comment)@x.example'],
    ['a route', '@relay.example:a@x.example'],
    ['an IP literal', 'a@[127.0.0.1]'],
    ['an IP address', 'a@127.0.0.1'],
    ['a host without a domain', 'a@localhost'],
    ['a trailing dot', 'a@x.example.'],
    ['an empty label', 'a@x..example'],
    ['dots at the edge', '.a@x.example'],
    ['two dots', 'a..b@x.example'],
    ['65 octets before the @', `${'a'.repeat(65)}@x.example`],
    ['65 octets in 33 characters', `${'ä'.repeat(33)}@x.example`],
    ['255 octets in all', `a@${'b'.repeat(61)}.${'c'.repeat(61)}.${'d'.repeat(61)}.${'e'.repeat(61)}.example`],
    ['a label of 64 characters', `a@${'b'.repeat(64)}.example`],
    ['a full-width @', 'a\uFF20x.example'],
    ['a line break', 'a@x.example\r\nBcc: b@x.example'],
    ['NUL', 'a\0@x.example'],
    ['a right-to-left override', 'a\u202Eb@x.example'],
    ['the same in its domain', 'a@x\u202E.example'],
    ['a zero-width joiner', 'a\u200Db@x.example'],
    ['a blank inside', 'a b@x.example'],
    ['the Kelvin sign, which NFC makes a K', '\u212Aelly@x.example'],
    ['the Kelvin sign in its domain', 'a@\u212A.example'],
    ['the Greek question mark, which NFC makes a semicolon', 'a\u037E@x.example'],
    ['a percent-encoded domain', 'a@x%2eexample'],
    ['a path', 'a@x.example/y'],
    ['a second @', 'a@evil.example@x.example'],
  ])('with %s is none', (_what, text) => {
    expect(parseEmailAddress(text)).toBeNull();
  });

  it('has one key for its spellings, and another for whoever only looks alike', () => {
    const key = (text: string) => parseEmailAddress(text)?.key;
    expect(key(' Kelly@X.Example ')).toBe('kelly@x.example');
    expect(key('KELLY@x.example')).toBe('kelly@x.example');
    expect(key('e\u0301@x.example')).toBe(key('\u00E9@x.example'));
    const ada = key('ada@x.example');
    for (const lookalike of ['\u0430da@x.example', '\uFF41da@x.example', 'ada@\u0445.example', 'ada+x@x.example']) {
      expect([lookalike, key(lookalike) !== ada && key(lookalike) !== undefined]).toEqual([lookalike, true]);
    }
  });

  it.each([
    ['a@fab\u00ADrikam.example', 'a@fabrikam.example'],
    ['a@\uFF46abrikam.example', 'a@fabrikam.example'],
    ['a@fabrikam\u3002example', 'a@fabrikam.example'],
    ['a@B\u00FCcher.example', 'a@B\u00FCcher.example'],
    ['a@xn--bcher-kva.example', 'a@xn--bcher-kva.example'],
  ])('%j is mailed to the domain that was compared', (text, address) => {
    const parsed = parseEmailAddress(text);
    expect(parsed?.address).toBe(address);
    expect(asciiDomain(address.slice(2))).toBe(parsed?.domain);
  });

  it('when masked shows one character of the person and one of the organisation', () => {
    expect(maskEmailAddress('ada.lovelace@mail.fabrikam.example')).toBe('a•••@m•••.fabrikam.example');
    expect(maskEmailAddress('\u{1F600}da@x.example')).toBe('\u{1F600}•••@x•••.example');
  });
});

describe('a name', () => {
  it.each([
    'https://evil.example',
    'Click HTTP:evil.example',
    'www.evil.example',
    'Visit www.evil.example now',
    'mailto:a@evil.example',
    'line\nbreak',
    'line\u2028separator',
    'paragraph\u2029separator',
    'bell\u0007',
    'override\u202Etxt.exe',
    'zero\u200Bwidth',
    'NUL\0',
    ' \u00A0 ',
  ])('%j is none', (name) => {
    expect(isPlainName(name)).toBe(false);
  });

  it.each(['Contoso B.V.', 'Booking.com', 'Kim Min-ji 김민지', "O'Brien & Sons <EMEA>", 'Data: master', '=cmd'])(
    '%j is one',
    (name) => {
      expect(isPlainName(name)).toBe(true);
    },
  );
});
