/**
 * Ourselves as a provider's administrator sees us: a service provider of its own per identity provider, so that what is
 * meant for one is worth nothing at another, with a signing key of its own and metadata that says so.
 */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { DAY, later } from '../../kernel/clock.js';
import { samlAcsUrl, samlEntityId } from './saml-addresses.rules.js';
import { nodeSaml } from './saml-library.js';

export interface SigningCredential {
  /** PEM */
  certificate: string;
  /** PEM, PKCS 8 */
  privateKey: string;
}

const ALGORITHM = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  publicExponent: new Uint8Array([1, 0, 1]),
  modulusLength: 2048,
};
/** Providers keep the certificate they were given; a short life would end sign-ins on a day nobody remembers. */
const LIFETIME = 3650 * DAY;

export async function createSigningCredential(now: Date): Promise<SigningCredential> {
  // Loaded when one is made: it takes longer to load than all of SAML, and most processes never make one.
  const { X509CertificateGenerator } = await import('@peculiar/x509');
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=Vestibule',
    notBefore: later(now, -DAY),
    notAfter: later(now, LIFETIME),
    signingAlgorithm: ALGORITHM,
    keys,
  });
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return { certificate: certificate.toString('pem'), privateKey: pem('PRIVATE KEY', der) };
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`].join('\n');
}

/**
 * SAML 2.0 metadata section 2.4.4, with every certificate by which requests may be signed (2.4.1.1).
 * @param nameIdFormat its URI; null: any.
 */
export function serviceProviderMetadata(
  publicUrl: URL,
  providerId: string,
  { certificates, privateKey }: { certificates: string[]; privateKey: string },
  nameIdFormat: string | null,
): string {
  return nodeSaml().generateServiceProviderMetadata({
    issuer: samlEntityId(publicUrl, providerId),
    callbackUrl: samlAcsUrl(publicUrl, providerId),
    identifierFormat: nameIdFormat,
    wantAssertionsSigned: true,
    privateKey,
    publicCerts: certificates,
    // The same at each reading: who compares it sees no change where none is.
    generateUniqueId: () => `_${providerId}`,
  });
}
