/** SAML responses made by hand: whatever a provider or somebody in between could send, signed by whichever key. */
import { signXml } from '@node-saml/node-saml/lib/xml.js';
import type { SigningCredential } from '../../src/features/identity-providers/service-provider.js';

/** What stands in a response; an empty value leaves its attribute or element out. */
export interface ResponseParts {
  responseId: string;
  assertionId: string;
  version: string;
  issuer: string;
  responseIssuer: string;
  destination: string;
  recipient: string;
  audience: string;
  inResponseTo: string;
  confirmedRequest: string;
  method: string;
  issueInstant: string;
  notBefore: string;
  notOnOrAfter: string;
  confirmedUntil: string;
  sessionUntil: string;
  status: string;
  innerStatus: string;
  nameId: string;
  nameIdFormat: string;
  /** XML of the attributes' values, by name. */
  attributes: Record<string, string[]>;
  /** XML before the assertion, in its Advice, and in place of AuthnStatement. */
  extensions: string;
  authnStatement: string;
}

const saml = 'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"';
const samlp = 'xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"';
const attr = (name: string, value: string) => (value ? ` ${name}="${value}"` : '');
const element = (name: string, body: string, attributes = '') =>
  body ? `<${name}${attributes}>${body}</${name}>` : '';

export function responseXml(parts: ResponseParts): string {
  return `<samlp:Response ${samlp} ${saml}${attr('ID', parts.responseId)}${attr('Version', parts.version)}${attr('IssueInstant', parts.issueInstant)}${attr('Destination', parts.destination)}${attr('InResponseTo', parts.inResponseTo)}>${element('saml:Issuer', parts.responseIssuer)}${parts.extensions}<samlp:Status><samlp:StatusCode Value="${parts.status}">${parts.innerStatus ? `<samlp:StatusCode Value="${parts.innerStatus}"/>` : ''}</samlp:StatusCode></samlp:Status>${assertionXml(parts)}</samlp:Response>`;
}

function assertionXml(parts: ResponseParts): string {
  const period = `${attr('NotBefore', parts.notBefore)}${attr('NotOnOrAfter', parts.notOnOrAfter)}`;
  const confirmation = `${attr('Recipient', parts.recipient)}${attr('InResponseTo', parts.confirmedRequest)}${attr('NotOnOrAfter', parts.confirmedUntil)}`;
  const restriction = element('saml:AudienceRestriction', element('saml:Audience', parts.audience));
  const attributes = Object.entries(parts.attributes).map(
    ([name, values]) =>
      `<saml:Attribute Name="${name}">${values.map((value) => `<saml:AttributeValue>${value}</saml:AttributeValue>`).join('')}</saml:Attribute>`,
  );
  return `<saml:Assertion ${saml}${attr('ID', parts.assertionId)} Version="2.0"${attr('IssueInstant', parts.issueInstant)}>${element('saml:Issuer', parts.issuer)}<saml:Subject>${element('saml:NameID', parts.nameId, attr('Format', parts.nameIdFormat))}<saml:SubjectConfirmation Method="${parts.method}"><saml:SubjectConfirmationData${confirmation}/></saml:SubjectConfirmation></saml:Subject><saml:Conditions${period}>${restriction}</saml:Conditions>${parts.authnStatement || `<saml:AuthnStatement AuthnInstant="${parts.issueInstant}"${attr('SessionNotOnOrAfter', parts.sessionUntil)}><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>`}<saml:AttributeStatement>${attributes.join('')}</saml:AttributeStatement></saml:Assertion>`;
}

export interface HowSigned {
  signatureAlgorithm?: 'sha1' | 'sha256' | 'sha512';
  digestAlgorithm?: 'sha1' | 'sha256' | 'sha512';
  transforms?: string[];
}

export function signAssertion(xml: string, key: SigningCredential, how: HowSigned = {}): string {
  return sign(xml, "/*[local-name(.)='Response']/*[local-name(.)='Assertion']", key, how);
}

export function signResponse(xml: string, key: SigningCredential, how: HowSigned = {}): string {
  return sign(xml, "/*[local-name(.)='Response']", key, how);
}

/** Of metadata. */
export function signRoot(xml: string, key: SigningCredential): string {
  return signXml(xml, '/*', { reference: '/*', action: 'prepend' }, options(key, {}));
}

function sign(xml: string, path: string, key: SigningCredential, how: HowSigned): string {
  const location = { reference: `${path}/*[local-name(.)='Issuer']`, action: 'after' } as const;
  return signXml(xml, path, location, options(key, how));
}

function options({ privateKey, certificate }: SigningCredential, how: HowSigned) {
  const { signatureAlgorithm = 'sha256', digestAlgorithm = 'sha256', transforms } = how;
  return {
    privateKey,
    publicCert: certificate,
    signatureAlgorithm,
    digestAlgorithm,
    ...(transforms && { xmlSignatureTransforms: transforms }),
  };
}
