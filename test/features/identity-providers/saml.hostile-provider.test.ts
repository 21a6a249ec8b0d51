/** What no honest provider sends: forged, wrapped, foreign, late and malformed responses. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Callback, SamlSettings } from '../../../src/features/identity-providers/connector.port.js';
import { createSamlConnector } from '../../../src/features/identity-providers/saml.connector.js';
import { samlAcsUrl, samlEntityId } from '../../../src/features/identity-providers/saml-addresses.rules.js';
import { nameIdFormatUris } from '../../../src/features/identity-providers/saml-response.rules.js';
import { createSigningCredential } from '../../../src/features/identity-providers/service-provider.js';
import { UserError } from '../../../src/kernel/errors.js';
import { type ResponseParts, responseXml, signAssertion, signResponse } from '../../support/saml-forge.js';

const publicUrl = new URL('https://gateway.example');
const now = new Date('2026-11-20T12:00:00Z');
const at = (seconds: number) => new Date(now.getTime() + seconds * 1000).toISOString();
const [key, foreignKey, ourKey] = await Promise.all([1, 2, 3].map(() => createSigningCredential(now)));
if (!key || !foreignKey || !ourKey) throw new Error('No keys.');
const connector = createSamlConnector({ publicUrl, clock: { now: () => now } });
const ada = 'ada@fabrikam.example';
const acsUrl = samlAcsUrl(publicUrl, 'idp_1');

let provider: SamlSettings;
let parts: ResponseParts;
const requestId = `_${'a'.repeat(64)}`;

beforeEach(() => {
  provider = {
    id: 'idp_1',
    issuer: 'https://login.fabrikam.example/saml',
    ssoUrl: 'https://login.fabrikam.example/sso',
    signingCertificates: [key.certificate],
    validUntil: null,
    nameIdFormat: 'PERSISTENT',
    emailAttribute: null,
    displayNameAttribute: null,
    subjectAttribute: null,
    ...ourKey,
  };
  parts = {
    responseId: '_response',
    assertionId: '_assertion',
    version: '2.0',
    issuer: provider.issuer,
    responseIssuer: provider.issuer,
    destination: acsUrl,
    recipient: acsUrl,
    audience: samlEntityId(publicUrl, provider.id),
    inResponseTo: requestId,
    confirmedRequest: requestId,
    method: 'urn:oasis:names:tc:SAML:2.0:cm:bearer',
    issueInstant: at(0),
    notBefore: at(0),
    notOnOrAfter: at(300),
    confirmedUntil: at(300),
    sessionUntil: '',
    status: 'urn:oasis:names:tc:SAML:2.0:status:Success',
    innerStatus: '',
    nameId: 'p-1',
    nameIdFormat: nameIdFormatUris.PERSISTENT,
    attributes: { mail: [ada], displayName: ['Ada Lovelace'] },
    extensions: '',
    authnStatement: '',
  };
});

function callback(xml: string): Callback {
  return { url: new URL(acsUrl), form: { SAMLResponse: Buffer.from(xml).toString('base64') } };
}

const finish = (xml: string) => connector.finish(provider, callback(xml), { state: requestId });

async function refusal(xml: string): Promise<{ code: string; detail: string }> {
  const error = await finish(xml).then(
    (identity) => identity,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof UserError)) throw new Error(`Expected a UserError, got ${JSON.stringify(error)}.`);
  return { code: error.code, detail: error.detail ?? '' };
}

/** With these parts, and otherwise as an honest provider would. */
const refusalOf = (changes: Partial<ResponseParts>) =>
  refusal(signAssertion(responseXml({ ...parts, ...changes }), key));

describe('an honest provider is believed', () => {
  const identity = {
    issuer: 'https://login.fabrikam.example/saml',
    subject: 'p-1',
    email: ada,
    emailVerified: true,
    displayName: 'Ada Lovelace',
    isMultiFactor: false,
    assertionId: '_assertion',
  };

  test.each([
    ['that signs the assertion', (xml: string) => signAssertion(xml, key)],
    ['that signs the response around it', (xml: string) => signResponse(xml, key)],
    ['that signs both', (xml: string) => signResponse(signAssertion(xml, key), key)],
    [
      'that signs by SHA-512',
      (xml: string) => signAssertion(xml, key, { signatureAlgorithm: 'sha512', digestAlgorithm: 'sha512' }),
    ],
  ])('%s', async (_how, sign) => {
    expect(await finish(sign(responseXml(parts)))).toEqual(identity);
  });

  test('whose key was rolled over', async () => {
    provider.signingCertificates = [foreignKey.certificate, key.certificate];
    expect(await finish(signAssertion(responseXml(parts), key))).toEqual(identity);
  });

  test.each([
    ['a little ahead', { issueInstant: at(50), notBefore: at(50) }],
    ['a little behind', { notOnOrAfter: at(-50), confirmedUntil: at(-50) }],
  ])('whose clock is %s', async (_where, changes) => {
    expect(await finish(signAssertion(responseXml({ ...parts, ...changes }), key))).toEqual(identity);
  });

  test('that writes an XML declaration and quotes what has to be', async () => {
    const xml = responseXml({ ...parts, attributes: { mail: [ada], displayName: ['Ada &amp; &lt;Co&gt;'] } });
    const signed = `<?xml version="1.0" encoding="UTF-8"?>\n${signAssertion(xml, key)}`;
    expect((await finish(signed)).displayName).toBe('Ada & <Co>');
  });
});

describe('a signature', () => {
  test('that is missing is refused', async () => {
    expect((await refusal(responseXml(parts))).detail).toContain('does not verify');
  });

  test('by a key that the metadata does not name is refused, though its certificate comes along', async () => {
    expect((await refusal(signAssertion(responseXml(parts), foreignKey))).detail).toContain('does not verify');
    expect((await refusal(signResponse(responseXml(parts), foreignKey))).detail).toContain('does not verify');
  });

  test('by our own key, which everybody may ask to sign, is refused', async () => {
    expect((await refusal(signAssertion(responseXml(parts), ourKey))).detail).toContain('does not verify');
  });

  test.each(['signatureAlgorithm', 'digestAlgorithm'])('by SHA-1 is refused (%s)', async (algorithm) => {
    const weak = signAssertion(responseXml(parts), key, { [algorithm]: 'sha1' });
    expect((await refusal(weak)).detail).toContain('algorithm that is not taken');
  });

  test('by HMAC, with the public certificate for a key, is refused', async () => {
    const xml = signAssertion(responseXml(parts), key).replace(
      'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
      'http://www.w3.org/2000/09/xmldsig#hmac-sha1',
    );
    expect((await refusal(xml)).detail).toContain('algorithm that is not taken');
  });

  test.each([
    ['http://www.w3.org/2001/10/xml-exc-c14n#WithComments'],
    ['http://www.w3.org/TR/2001/REC-xml-c14n-20010315'],
  ])('over a transform that SAML does not know is refused: %s', async (transform) => {
    const transforms = ['http://www.w3.org/2000/09/xmldsig#enveloped-signature', transform];
    expect((await refusal(signAssertion(responseXml(parts), key, { transforms }))).detail).toContain(
      'algorithm that is not taken',
    );
  });

  test.each([
    ['the address', ada, 'eve@fabrikam.example'],
    ['the NameID', 'p-1', 'p-2'],
    ['the time', at(300), at(3000)],
    ['the audience', '/saml/idp_1/metadata', '/saml/idp_2/metadata'],
  ])('no longer fits when %s was changed', async (_what, was, is) => {
    expect((await refusal(signAssertion(responseXml(parts), key).replaceAll(was, is))).code).toBe('IDP_UNAVAILABLE');
  });

  test('whose digest hides another one in a comment is refused', async () => {
    const xml = signAssertion(responseXml(parts), key).replace(/<(ds:)?DigestValue>/, (tag) => `${tag}<!--AAAA-->`);
    expect((await refusal(xml)).detail).toContain('a comment');
  });

  test('of the response, moved to another one, is refused', async () => {
    const [, signature = ''] = /(<Signature.*<\/Signature>)/s.exec(signResponse(responseXml(parts), key)) ?? [];
    const other = responseXml({ ...parts, responseId: '_other', nameId: 'p-2' });
    expect((await refusal(other.replace('<samlp:Status>', `${signature}<samlp:Status>`))).code).toBe('IDP_UNAVAILABLE');
  });
});

describe('signature wrapping', () => {
  const pieces = () => {
    const whole = signAssertion(responseXml(parts), key);
    const [signed = ''] = /<saml:Assertion.*<\/saml:Assertion>/s.exec(whole) ?? [];
    const [signature = ''] = /<Signature.*<\/Signature>/s.exec(signed) ?? [];
    const bare = signed.replace(signature, '');
    const evil = bare
      .replace('ID="_assertion"', 'ID="_evil"')
      .replace(ada, 'eve@fabrikam.example')
      .replace('p-1', 'p-2');
    return { whole, signed, signature, bare, evil };
  };
  const endOf = '</saml:Assertion>';
  const afterIssuer = /(<saml:Issuer>[^<]*<\/saml:Issuer>)/;

  const signedResponse = () => {
    const whole = signResponse(responseXml(parts), key);
    const [signature = ''] = /<Signature.*<\/Signature>/s.exec(whole) ?? [];
    const bare = whole.replace(signature, '');
    const evil = bare
      .replace('ID="_response"', 'ID="_evil"')
      .replace(ada, 'eve@fabrikam.example')
      .replace('p-1', 'p-2');
    return { signature, bare, evil };
  };

  test.each([
    [
      '1: the signed response inside the signature of another',
      () => {
        const { signature, bare, evil } = signedResponse();
        return evil.replace(
          afterIssuer,
          `$1${signature.replace('</Signature>', `<Object>${bare}</Object></Signature>`)}`,
        );
      },
    ],
    [
      '2: the signed response beside the signature of another',
      () => {
        const { signature, bare, evil } = signedResponse();
        return evil.replace(afterIssuer, `$1${bare}${signature}`);
      },
    ],
    [
      '3: another assertion before the signed one',
      () => {
        const { whole, signed, evil } = pieces();
        return whole.replace(signed, evil + signed);
      },
    ],
    [
      '3: another assertion after the signed one',
      () => {
        const { whole, signed, evil } = pieces();
        return whole.replace(signed, signed + evil);
      },
    ],
    [
      '4: another assertion around the signed one',
      () => {
        const { whole, signed, evil } = pieces();
        return whole.replace(signed, evil.replace(endOf, signed + endOf));
      },
    ],
    [
      '5: another assertion with the signature, the signed one behind it',
      () => {
        const { whole, signed, signature, bare, evil } = pieces();
        return whole.replace(signed, evil.replace(afterIssuer, `$1${signature}`) + bare);
      },
    ],
    [
      '6: another assertion with the signature, the signed one inside the signature',
      () => {
        const { whole, signed, signature, bare, evil } = pieces();
        const around = signature.replace('</Signature>', `${bare}</Signature>`);
        return whole.replace(signed, evil.replace(afterIssuer, `$1${around}`));
      },
    ],
    [
      '7: another assertion in Extensions',
      () => {
        const { whole, evil } = pieces();
        return whole.replace('<samlp:Status>', `<samlp:Extensions>${evil}</samlp:Extensions><samlp:Status>`);
      },
    ],
    [
      '7: the signed assertion in Extensions, another in its place',
      () => {
        const { whole, signed, evil } = pieces();
        return whole
          .replace(signed, evil)
          .replace('<samlp:Status>', `<samlp:Extensions>${signed}</samlp:Extensions><samlp:Status>`);
      },
    ],
    [
      '8: the signed assertion as an object of the signature of another',
      () => {
        const { whole, signed, signature, bare, evil } = pieces();
        const around = signature.replace('</Signature>', `<Object>${bare}</Object></Signature>`);
        return whole.replace(signed, evil.replace(afterIssuer, `$1${around}`));
      },
    ],
    [
      'with the same ID twice',
      () => {
        const { whole, signed, signature, evil } = pieces();
        const twin = evil.replace('ID="_evil"', 'ID="_assertion"').replace(afterIssuer, `$1${signature}`);
        return whole
          .replace(signed, twin)
          .replace('<samlp:Status>', `<samlp:Extensions>${signed}</samlp:Extensions><samlp:Status>`);
      },
    ],
    [
      'with the signed assertion under another name',
      () => {
        const { whole, signed, evil } = pieces();
        return whole
          .replace(signed, evil)
          .replace('</samlp:Response>', `<Wrapped>${signed}</Wrapped></samlp:Response>`);
      },
    ],
  ])('%s, is refused', async (_how, forge) => {
    const xml = forge();
    expect(xml).toContain('eve@fabrikam.example');
    expect((await refusal(xml)).code).toBe('IDP_UNAVAILABLE');
  });
});

describe('an assertion', () => {
  test.each([
    ['of another issuer', { issuer: 'https://login.evil.example/saml' }],
    ['in a response of another issuer', { responseIssuer: 'https://login.evil.example/saml' }],
    ['for another provider of ours', { audience: samlEntityId(publicUrl, 'idp_2') }],
    ['for another service', { audience: 'https://orders.example/saml' }],
    ['for nobody in particular', { audience: '' }],
    ['sent to another address', { destination: samlAcsUrl(publicUrl, 'idp_2') }],
    ['sent to no address', { destination: '' }],
    ['for another recipient', { recipient: samlAcsUrl(publicUrl, 'idp_2') }],
    ['for no recipient', { recipient: '' }],
    ['in a response to another request', { inResponseTo: '_other' }],
    ['in a response to no request', { inResponseTo: '' }],
    ['confirmed for another request', { confirmedRequest: '_other' }],
    ['confirmed for no request', { confirmedRequest: '' }],
    ['confirmed by another method', { method: 'urn:oasis:names:tc:SAML:2.0:cm:sender-vouches' }],
    ['that has expired', { notOnOrAfter: at(-61) }],
    ['whose confirmation has expired', { confirmedUntil: at(-61) }],
    ['whose confirmation never ends', { confirmedUntil: '' }],
    ['that is not valid yet', { notBefore: at(61) }],
    ['that was made in the future', { issueInstant: at(61) }],
    ['without a time', { issueInstant: '' }],
    ['whose time is no time', { notOnOrAfter: 'tomorrow' }],
    ['of a session that is over', { sessionUntil: at(-61) }],
    ['without a sign-in', { authnStatement: '<saml:Advice/>' }],
    ['of another version of SAML', { version: '1.1' }],
    ['without an ID', { assertionId: '' }],
    ['about nobody', { nameId: '' }],
    ['about somebody for this time only', { nameIdFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient' }],
    [
      'about somebody by an address, where a lasting name was agreed on',
      { nameIdFormat: nameIdFormatUris.EMAIL_ADDRESS },
    ],
  ])('%s is refused', async (_what, changes) => {
    expect((await refusalOf(changes)).code).toBe('IDP_UNAVAILABLE');
  });

  test('without an issuer is refused', async () => {
    expect((await refusal(signResponse(responseXml({ ...parts, issuer: '' }), key))).detail).toContain('no Issuer');
  });

  test('is refused once the metadata it is checked by has expired', async () => {
    provider.validUntil = now;
    expect((await refusal(signAssertion(responseXml(parts), key))).detail).toContain('has expired');
  });

  test('that is encrypted is refused, and the log says what to change', async () => {
    const xml = responseXml(parts).replace(/<saml:Assertion.*<\/saml:Assertion>/s, '<saml:EncryptedAssertion/>');
    expect((await refusal(signResponse(xml, key))).detail).toContain('encrypted');
  });

  test('in a response that says it failed is refused; a cancellation is told apart', async () => {
    const status = 'urn:oasis:names:tc:SAML:2.0:status:Responder';
    expect((await refusalOf({ status })).code).toBe('IDP_UNAVAILABLE');
    const innerStatus = 'urn:oasis:names:tc:SAML:2.0:status:RequestDenied';
    expect((await refusalOf({ status, innerStatus })).code).toBe('PROOF_REQUIRED');
  });
});

describe('a text that different readers read differently', () => {
  test.each([
    ['a comment in the NameID', { nameId: 'p-1<!-- -->.evil' }],
    ['a comment in the address', { attributes: { mail: [`${ada}<!-- -->.evil.example`] } }],
    ['a CDATA section in the address', { attributes: { mail: [`${ada}<![CDATA[.evil.example]]>`] } }],
  ])('is refused: %s', async (_what, changes) => {
    expect((await refusalOf(changes)).detail).toContain('a comment or an instruction');
  });

  test.each(['<!-- -->', '<?x?>'])(
    'is refused: %s put in after signing, where no signature may see it',
    async (split) => {
      const xml = signAssertion(responseXml({ ...parts, attributes: { mail: [`${ada}.evil.example`] } }), key);
      expect((await refusal(xml.replace(`${ada}.evil`, `${ada}${split}.evil`))).detail).toContain('a comment');
    },
  );

  test('is refused: elements in the address', async () => {
    expect((await refusalOf({ attributes: { mail: [`${ada}<b/>.evil.example`] } })).detail).toContain('not plain text');
  });
});

describe('XML that is dangerous to read', () => {
  const bomb = `<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">${Array.from({ length: 9 }, (_, index) => `<!ENTITY ${'b'.repeat(index + 1)} "${'&a;'.repeat(10)}">`).join('')}]>`;

  test.each([
    ['entities that grow', bomb],
    ['an entity of a file', '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'],
    ['an entity of another host', '<!DOCTYPE r [<!ENTITY x SYSTEM "http://169.254.169.254/">]>'],
    ['a document type elsewhere', '<!DOCTYPE r SYSTEM "http://evil.example/r.dtd">'],
  ])('is refused before it is parsed: %s', async (_what, prolog) => {
    const xml = signAssertion(responseXml(parts), key);
    expect((await refusal(prolog + xml)).detail).toContain('a declaration');
    expect((await refusal(`<?xml version="1.0"?>${prolog}${xml}`)).detail).toContain('a declaration');
    expect(connector.stateOf(callback(prolog + xml).form ?? {})).toBeNull();
  });

  test.each([
    ['too many parts', '<a>'.repeat(2001)],
    ['too many attributes', `<a ${Array.from({ length: 4001 }, (_, index) => `a${index}=""`).join(' ')}/>`],
    ['too many namespaces', `<a ${Array.from({ length: 501 }, (_, index) => `xmlns:a${index}="a"`).join(' ')}/>`],
  ])('is refused: %s', async (_what, xml) => {
    expect((await refusal(xml)).detail).toContain('too many parts');
  });

  test.each([
    ['nested deep', '<r>'.repeat(950) + '</r>'.repeat(950)],
    ['left open', '<r '.repeat(1900)],
    ['without a name', '<'.repeat(1900)],
    ['with as many attributes as fit', `<r ${Array.from({ length: 3800 }, (_, index) => `a${index}=""`).join(' ')}/>`],
    ['with a long name', `<r${' '.repeat(150_000)}`],
  ])('is refused in little time: parts %s', async (_how, inner) => {
    const xml = signResponse(responseXml({ ...parts, extensions: '<samlp:Extensions/>' }), key);
    const started = process.cpuUsage();
    expect((await refusal(xml.replace('<samlp:Extensions/>', inner))).code).toBe('IDP_UNAVAILABLE');
    expect(process.cpuUsage(started).user).toBeLessThan(1_000_000);
  });

  test('is refused: longer than allowed, not UTF-8, not XML, nothing', async () => {
    expect((await refusal('A'.repeat(256 * 1024))).detail).toContain('larger');
    const latin = Buffer.from([0x3c, 0xe9, 0x3e]).toString('base64');
    for (const form of [{ SAMLResponse: latin }, { SAMLResponse: 'AAAA' }, { SAMLResponse: '' }, {}]) {
      const answer = { url: new URL(acsUrl), form: form as Record<string, string> };
      await expect(connector.finish(provider, answer, { state: requestId })).rejects.toMatchObject({
        code: 'IDP_UNAVAILABLE',
      });
    }
  });
});

describe('what a person is called', () => {
  const identity = (changes: Partial<ResponseParts> = {}) =>
    finish(signAssertion(responseXml({ ...parts, ...changes }), key));

  test('comes from the attributes that were configured', async () => {
    Object.assign(provider, { emailAttribute: 'work', displayNameAttribute: 'cn', subjectAttribute: 'uid' });
    const attributes = { work: ['ada@work.example'], mail: [ada], cn: ['Countess'], uid: ['u-7'] };
    expect(await identity({ attributes })).toMatchObject({
      email: 'ada@work.example',
      displayName: 'Countess',
      subject: 'u-7',
    });
    expect(await identity({ attributes: { uid: ['u-7'], mail: [ada] } })).toMatchObject({
      email: null,
      displayName: null,
    });
  });

  test.each([
    'email',
    'urn:oid:0.9.2342.19200300.100.1.3',
    'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress',
  ])('is found by a usual name: %s', async (name) => {
    expect((await identity({ attributes: { [name]: [ada] } })).email).toBe(ada);
  });

  test('is not guessed from several addresses', async () => {
    const several = await identity({ attributes: { mail: [ada, 'eve@fabrikam.example'] } });
    expect(several).toMatchObject({ email: null, emailVerified: false });
  });

  test('may be an address, where that was agreed on', async () => {
    provider.nameIdFormat = 'EMAIL_ADDRESS';
    const named = await identity({ nameId: ada, nameIdFormat: nameIdFormatUris.EMAIL_ADDRESS, attributes: {} });
    expect(named).toMatchObject({ subject: ada, email: ada, emailVerified: true, displayName: null });
  });

  test('may be anything lasting, where nothing was agreed on', async () => {
    provider.nameIdFormat = 'UNSPECIFIED';
    expect((await identity({ nameIdFormat: '' })).subject).toBe('p-1');
    expect((await refusalOf({ nameIdFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient' })).detail).toContain(
      'transient',
    );
  });
});
