/**
 * What metadata of a SAML identity provider says (SAML 2.0 metadata specification), pure: who it is, where its sign-in page
 * is, which certificates its answers are signed with, and how long that holds. Of a list of organisations the one that was
 * asked for is taken.
 */
import { X509Certificate } from 'node:crypto';
import { DAY, HOUR, later, MINUTE, SECOND } from '../../kernel/clock.js';
import type { XmlElement } from './saml-library.js';
import {
  attribute,
  children,
  isElement,
  parseDocument,
  requiredChild,
  SamlProblem,
  textOf,
  timeOf,
  verifiedElement,
} from './saml-xml.js';

export interface SamlMetadata {
  entityId: string;
  /** Of the HTTP-Redirect binding. */
  ssoUrl: string;
  /** PEM; one or more, because keys are rolled over. */
  signingCertificates: string[];
  /** Null: it does not say. */
  validUntil: Date | null;
  /** For how long it may be kept, milliseconds; null: it does not say. */
  cacheDuration: number | null;
}

export interface MetadataExpectations {
  /** Which of several organisations; null: the only one. */
  entityId: string | null;
  /** PEM; the metadata as a whole has to be signed by one of them. None: it is taken as it is. */
  metadataCertificates: string[];
  /** Permits sign-in pages on http. */
  allowInsecure: boolean;
  now: Date;
}

/** Of the text, in bytes of UTF-8. */
export const MAX_METADATA_BYTES = 1024 * 1024;
const REDIRECT_BINDING = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect';
const PROTOCOL = 'urn:oasis:names:tc:SAML:2.0:protocol';
const MAX_ENTITY_ID_LENGTH = 1024;
const MAX_CERTIFICATES = 10;
const MIN_RSA_BITS = 2048;

/** @throws SamlProblem saying what is missing or wrong. */
export function readMetadata(text: string, expected: MetadataExpectations): SamlMetadata {
  if (Buffer.byteLength(text) > MAX_METADATA_BYTES) throw new SamlProblem('it is larger than 1 MB');
  const parsed = parseDocument(text);
  const { metadataCertificates } = expected;
  const root =
    metadataCertificates.length > 0 ? verifiedElement(parsed.xml, parsed.root, metadataCertificates) : parsed.root;
  const [entity, ...around] = findEntity(root, expected.entityId);
  const idp = requiredChild(entity, 'metadata', 'IDPSSODescriptor');
  const protocols = attribute(idp, 'protocolSupportEnumeration')?.split(/\s+/) ?? [];
  if (!protocols.includes(PROTOCOL)) throw new SamlProblem('the organisation does not speak SAML 2.0');
  const validity = [idp, entity, ...around];
  const validUntil = earliest(validity.map((element) => timeOf(element, 'validUntil')));
  if (validUntil !== null && validUntil <= expected.now) throw new SamlProblem('its validity has ended');
  return {
    entityId: attribute(entity, 'entityID') as string,
    ssoUrl: readSsoUrl(idp, expected.allowInsecure),
    signingCertificates: readCertificates(idp),
    validUntil,
    cacheDuration: shortest(validity.map((element) => durationOf(attribute(element, 'cacheDuration')))),
  };
}

/** The organisation and the lists it stands in, from the inside out. */
function findEntity(root: XmlElement, entityId: string | null): [XmlElement, ...XmlElement[]] {
  const found = identityProviders(root).filter(([entity]) => !entityId || attribute(entity, 'entityID') === entityId);
  const [first, ...others] = found;
  if (!first)
    throw new SamlProblem(entityId ? 'it does not describe this entityId' : 'it describes no identity provider');
  if (others.length > 0) throw new SamlProblem('it describes several identity providers: say which by entityId');
  const id = attribute(first[0], 'entityID');
  if (!id || id.length > MAX_ENTITY_ID_LENGTH) throw new SamlProblem('the organisation has no usable entityID');
  return first;
}

function identityProviders(root: XmlElement, around: XmlElement[] = []): [XmlElement, ...XmlElement[]][] {
  if (isElement(root, 'metadata', 'EntityDescriptor'))
    return children(root, 'metadata', 'IDPSSODescriptor').length > 0 ? [[root, ...around]] : [];
  if (!isElement(root, 'metadata', 'EntitiesDescriptor')) throw new SamlProblem('it is no SAML metadata');
  return [
    ...children(root, 'metadata', 'EntityDescriptor'),
    ...children(root, 'metadata', 'EntitiesDescriptor'),
  ].flatMap((child) => identityProviders(child, [root, ...around]));
}

function readSsoUrl(idp: XmlElement, allowInsecure: boolean): string {
  const service = children(idp, 'metadata', 'SingleSignOnService').find(
    (element) => attribute(element, 'Binding') === REDIRECT_BINDING,
  );
  const url = URL.parse((service && attribute(service, 'Location')) ?? '');
  if (!url) throw new SamlProblem('it names no sign-in page for the HTTP-Redirect binding');
  const isSecure = url.protocol === 'https:' || (allowInsecure && url.protocol === 'http:');
  if (!isSecure || url.username || url.password || url.hash)
    throw new SamlProblem('the address of the sign-in page is not https');
  return url.href;
}

function readCertificates(idp: XmlElement): string[] {
  const found = children(idp, 'metadata', 'KeyDescriptor')
    .filter((key) => (attribute(key, 'use') ?? 'signing') === 'signing')
    .flatMap((key) => children(key, 'signature', 'KeyInfo'))
    .flatMap((info) => children(info, 'signature', 'X509Data'))
    .flatMap((data) => children(data, 'signature', 'X509Certificate'))
    .slice(0, MAX_CERTIFICATES)
    .flatMap((element) => certificateOf(textOf(element)) ?? []);
  if (found.length === 0) throw new SamlProblem('it names no usable signing certificate: RSA of 2048 bits or more');
  return [...new Set(found)];
}

/** @param text PEM, or base64 of the DER form. @returns PEM; null unless it holds an RSA key that is long enough. */
export function certificateOf(text: string): string | null {
  try {
    const der = Buffer.from(text.replace(/-----(?:BEGIN|END) CERTIFICATE-----/g, ''), 'base64');
    const certificate = new X509Certificate(der);
    const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey;
    const isUsable = asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS;
    return isUsable ? certificate.toString().trim() : null;
  } catch {
    return null;
  }
}

function earliest(times: (Date | null)[]): Date | null {
  const known = times.filter((time) => time !== null).map((time) => time.getTime());
  return known.length > 0 ? new Date(Math.min(...known)) : null;
}

function shortest(durations: (number | null)[]): number | null {
  const known = durations.filter((duration) => duration !== null);
  return known.length > 0 ? Math.min(...known) : null;
}

/** xs:duration in milliseconds, a month taken for 30 days; null when absent or none. */
function durationOf(text: string | null): number | null {
  const units = [365 * DAY, 30 * DAY, DAY, HOUR, MINUTE, SECOND];
  const match = /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/.exec(
    text ?? '',
  );
  if (!match) return null;
  return units.reduce((sum, unit, index) => sum + Number(match[index + 1] ?? 0) * unit, 0);
}

const LONGEST_WAIT = DAY;
const SHORTEST_WAIT = 10 * MINUTE;

/** When to fetch it again: well before it ends, so that a failure can be tried again; once a day at least. */
export function refreshTimeOf({ validUntil, cacheDuration }: SamlMetadata, now: Date): Date {
  const left = validUntil === null ? LONGEST_WAIT : (validUntil.getTime() - now.getTime()) / 2;
  const wait = Math.min(LONGEST_WAIT, left, cacheDuration === null ? LONGEST_WAIT : cacheDuration / 2);
  return later(now, Math.max(SHORTEST_WAIT, wait));
}

export function retryTimeOf(now: Date): Date {
  return later(now, SHORTEST_WAIT);
}
