/** Metadata of SAML providers: what is taken from it, what is refused, when it is read again. */
import { describe, expect, it } from '@jest/globals';
import {
  type MetadataExpectations,
  readMetadata,
  refreshTimeOf,
} from '../../../src/features/identity-providers/saml-metadata.rules.js';
import { createSigningCredential } from '../../../src/features/identity-providers/service-provider.js';
import { DAY, HOUR, later, MINUTE } from '../../../src/kernel/clock.js';
import { signRoot } from '../../support/saml-forge.js';

const now = new Date('2026-11-20T12:00:00Z');
const [key, nextKey, foreignKey] = await Promise.all([1, 2, 3].map(() => createSigningCredential(now)));
if (!key || !nextKey || !foreignKey) throw new Error('No keys.');
const expected: MetadataExpectations = { entityId: null, metadataCertificates: [], allowInsecure: false, now };

const bare = (pem: string) => pem.replace(/-----[^-]+-----|\s/g, '');
const keyDescriptor = (certificate: string, use = ' use="signing"') =>
  `<KeyDescriptor${use}><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>\n${bare(certificate)}\n</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>`;

interface Parts {
  entityId: string;
  attributes: string;
  idpAttributes: string;
  keys: string;
  location: string;
  binding: string;
}

const honest: Parts = {
  entityId: 'https://login.fabrikam.example/saml',
  attributes: '',
  idpAttributes: '',
  keys: keyDescriptor(key.certificate),
  location: 'https://login.fabrikam.example/sso?tenant=1',
  binding: 'HTTP-Redirect',
};

function entity(changes: Partial<Parts> = {}): string {
  const parts = { ...honest, ...changes };
  return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${parts.entityId}" ID="_m"${parts.attributes}><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"${parts.idpAttributes}>${parts.keys}<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://login.fabrikam.example/post"/><SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:${parts.binding}" Location="${parts.location}"/></IDPSSODescriptor></EntityDescriptor>`;
}

const list = (attributes: string, ...entities: string[]) =>
  `<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" ID="_l"${attributes}>${entities.join('')}</EntitiesDescriptor>`;

const refusal = (xml: string, changes: Partial<MetadataExpectations> = {}) => {
  try {
    return JSON.stringify(readMetadata(xml, { ...expected, ...changes }));
  } catch (error) {
    return (error as Error).message;
  }
};

it('says who it is, where to sign in, and by which keys', () => {
  const xml = `<?xml version="1.0"?><!-- made by hand -->${entity({ keys: keyDescriptor(key.certificate) + keyDescriptor(nextKey.certificate, '') + keyDescriptor(foreignKey.certificate, ' use="encryption"') })}`;
  expect(readMetadata(xml, expected)).toEqual({
    entityId: honest.entityId,
    ssoUrl: honest.location,
    signingCertificates: [key.certificate.trim(), nextKey.certificate.trim()],
    validUntil: null,
    cacheDuration: null,
  });
});

it('of a list gives the one that was asked for, with the validity of all around it', () => {
  const other = entity({ entityId: 'urn:other', attributes: ' validUntil="2026-12-01T00:00:00Z"' });
  const xml = list(
    ' validUntil="2026-11-25T00:00:00Z" cacheDuration="PT12H"',
    entity({ attributes: ' cacheDuration="P1D"' }),
    other,
  );
  expect(refusal(xml)).toContain('several identity providers');
  expect(refusal(xml, { entityId: 'urn:third' })).toContain('does not describe this entityId');
  const one = readMetadata(xml, { ...expected, entityId: honest.entityId });
  expect(one).toMatchObject({ validUntil: new Date('2026-11-25T00:00:00Z'), cacheDuration: 12 * HOUR });
});

describe('is refused', () => {
  it.each([
    ['when it is none', '<a/>', 'no SAML metadata'],
    ['when it is no XML', 'nothing', 'cannot be read'],
    ['without an identity provider', list(''), 'describes no identity provider'],
    ['without a key', entity({ keys: '' }), 'no usable signing certificate'],
    ['with a key that is none', entity({ keys: keyDescriptor('AAAA') }), 'no usable signing certificate'],
    ['without a sign-in page for our binding', entity({ binding: 'SOAP' }), 'HTTP-Redirect'],
    ['with a sign-in page that is a script', entity({ location: 'javascript:alert(1)' }), 'not https'],
    ['with a sign-in page on http', entity({ location: 'http://login.fabrikam.example/' }), 'not https'],
    ['with credentials in the sign-in page', entity({ location: 'https://a:b@login.fabrikam.example/' }), 'not https'],
    ['with a document type', `<!DOCTYPE EntityDescriptor [<!ENTITY a "b">]>${entity()}`, 'declares a document type'],
    ['with a document type behind comments', `<!-- a --><!DOCTYPE EntityDescriptor><!-- b -->${entity()}`, 'declares'],
    ['with an open comment', `<!-- ${entity()}`, 'cannot be read'],
    ['of 50 MB', entity() + ' '.repeat(50 * 1024 * 1024), 'larger than 1 MB'],
    ['of many parts', list('', '<a/>'.repeat(10_001)), 'too many parts'],
    ['with a time that is none', entity({ attributes: ' validUntil="soon"' }), 'validUntil is not a time'],
    ['that has ended', entity({ idpAttributes: ' validUntil="2026-11-20T12:00:00Z"' }), 'validity has ended'],
    ['of another protocol', entity().replace('SAML:2.0:protocol', 'SAML:1.1:protocol'), 'does not speak SAML 2.0'],
  ])('%s', (_what, xml, reason) => {
    const started = process.cpuUsage();
    expect(refusal(xml)).toContain(reason);
    expect(process.cpuUsage(started).user).toBeLessThan(2_000_000);
  });

  it('in little time, however much is left open', () => {
    const started = process.cpuUsage();
    for (const part of ['<!--', '<a ', '<', '<![CDATA[', '<?', '&']) refusal(`<r>${part.repeat(9000)}`);
    expect(process.cpuUsage(started).user).toBeLessThan(2_000_000);
  });
});

describe('with a certificate to check it by', () => {
  const metadataCertificates = [key.certificate];
  const signed = signRoot(entity(), key);

  it('is taken when it is signed as a whole', () => {
    expect(readMetadata(signed, { ...expected, metadataCertificates }).entityId).toBe(honest.entityId);
    const noted = signed.replace('<IDPSSODescriptor', '<!-- a note --><IDPSSODescriptor');
    expect(readMetadata(noted, { ...expected, metadataCertificates }).entityId).toBe(honest.entityId);
  });

  it.each([
    ['unsigned', entity()],
    ['signed by another', signRoot(entity(), foreignKey)],
    ['changed since', signed.replace('/sso?tenant=1', '/sso?tenant=2')],
    ['signed in part only', list('', signed)],
    [
      'wrapped',
      list('', entity({ entityId: 'urn:evil' })).replace('</EntitiesDescriptor>', `${signed}</EntitiesDescriptor>`),
    ],
  ])('is refused when it is %s', (_what, xml) => {
    expect(refusal(xml, { metadataCertificates })).toContain('not signed');
    expect(refusal(xml, { metadataCertificates, entityId: 'urn:evil' })).toContain('not signed');
  });
});

describe('is read again', () => {
  const metadata = { entityId: 'a', ssoUrl: 'b', signingCertificates: [], validUntil: null, cacheDuration: null };
  it.each([
    ['once a day when it says nothing', {}, DAY],
    ['half-way to its end', { validUntil: later(now, 8 * HOUR) }, 4 * HOUR],
    ['half-way through what it may be kept', { cacheDuration: 2 * HOUR }, HOUR],
    ['by whichever comes first', { validUntil: later(now, 30 * DAY), cacheDuration: 90 * DAY }, DAY],
    ['after some minutes at the soonest', { cacheDuration: 1000, validUntil: later(now, -DAY) }, 10 * MINUTE],
  ])('%s', (_when, changes, wait) => {
    expect(refreshTimeOf({ ...metadata, ...changes }, now)).toEqual(later(now, wait));
  });
});
