/**
 * What a SAML response has to say before it counts (SAML 2.0 profiles section 4.1.4.3, core section 2), pure. node-saml
 * verifies signatures, audience and times; it looks neither at Destination, Recipient and Status nor, when only the
 * assertion is signed, at who answers. Everything that decides is read from the assertion as it was signed; what stands
 * around it, signed or not, may refuse, never allow.
 */
import { later, SECOND } from '../../kernel/clock.js';
import type { ProvenIdentity, SamlNameIdFormat, SamlSettings } from './connector.port.js';
import { isMultiFactorContext } from './multi-factor.rules.js';
import type { XmlElement } from './saml-library.js';
import {
  attribute,
  checkAlgorithms,
  children,
  descendants,
  isElement,
  onlyChild,
  requiredChild,
  SamlProblem,
  textOf,
  timeOf,
} from './saml-xml.js';

/** Of the text, in characters. Most responses have 5,000 to 20,000. */
export const MAX_RESPONSE_LENGTH = 256 * 1024;
export const CLOCK_SKEW = 60 * SECOND;

export const nameIdFormatUris: Record<SamlNameIdFormat, string> = {
  PERSISTENT: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
  EMAIL_ADDRESS: 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress',
  UNSPECIFIED: 'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified',
};
const TRANSIENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient';
const ENTITY = 'urn:oasis:names:tc:SAML:2.0:nameid-format:entity';
const BEARER = 'urn:oasis:names:tc:SAML:2.0:cm:bearer';
const STATUS = 'urn:oasis:names:tc:SAML:2.0:status';

/** The database's index of identities takes no longer ones. */
const MAX_SUBJECT_LENGTH = 1000;

export interface ResponseExpectations {
  provider: SamlSettings;
  /** Of the request that is answered; null: of none, and none may be named. */
  requestId: string | null;
  /** Where the response came in: this provider's own place with us. */
  acsUrl: string;
  /** Our name towards this provider. */
  audience: string;
  now: Date;
}

/** The person cancelled, or the provider denied them. */
export class SamlCancellation extends SamlProblem {}

/** @throws SamlProblem for the envelope of anything but a successful answer to our request. */
export function checkEnvelope(response: XmlElement, expected: ResponseExpectations): void {
  if (!isElement(response, 'protocol', 'Response')) throw new SamlProblem('it is no SAML response');
  checkVersion(response);
  if (attribute(response, 'InResponseTo') !== expected.requestId)
    throw new SamlProblem('the response answers another request');
  if (attribute(response, 'Destination') !== expected.acsUrl)
    throw new SamlProblem('the response has another destination than this provider’s place with us');
  checkIssuer(onlyChild(response, 'assertion', 'Issuer'), expected, false);
  checkIssueInstant(response, expected.now);
  checkStatus(response);
  checkAssertions(response);
  checkAlgorithms(response);
}

/** One, and none hidden elsewhere: a second one, anywhere, is there to be taken for the signed one. */
function checkAssertions(response: XmlElement): void {
  if (descendants(response, 'assertion', 'EncryptedAssertion').length > 0)
    throw new SamlProblem('the assertion is encrypted: have the provider sign it and not encrypt it');
  requiredChild(response, 'assertion', 'Assertion');
  if (descendants(response, 'assertion', 'Assertion').length > 1)
    throw new SamlProblem('the response holds more than one assertion');
}

/** @throws SamlCancellation, SamlProblem unless the provider says that it worked. */
function checkStatus(response: XmlElement): void {
  const code = requiredChild(requiredChild(response, 'protocol', 'Status'), 'protocol', 'StatusCode');
  if (attribute(code, 'Value') === `${STATUS}:Success`) return;
  const inner = onlyChild(code, 'protocol', 'StatusCode');
  const reason = inner && attribute(inner, 'Value');
  if (reason === `${STATUS}:AuthnFailed` || reason === `${STATUS}:RequestDenied`)
    throw new SamlCancellation('the provider ended the sign-in: it was cancelled or denied');
  throw new SamlProblem('the provider answers an error instead of an assertion');
}

/**
 * @param assertion as it was signed.
 * @throws SamlProblem unless it is about a person, by this provider, for us, for this request and now.
 */
export function readAssertion(assertion: XmlElement, expected: ResponseExpectations): ProvenIdentity {
  if (!isElement(assertion, 'assertion', 'Assertion')) throw new SamlProblem('what is signed is no assertion');
  const { now } = expected;
  checkVersion(assertion);
  checkIssueInstant(assertion, now);
  checkIssuer(requiredChild(assertion, 'assertion', 'Issuer'), expected, true);
  checkConditions(requiredChild(assertion, 'assertion', 'Conditions'), expected);
  const subject = requiredChild(assertion, 'assertion', 'Subject');
  checkConfirmations(children(subject, 'assertion', 'SubjectConfirmation'), expected);
  checkStatements(children(assertion, 'assertion', 'AuthnStatement'), now);
  const assertionId = attribute(assertion, 'ID');
  if (!assertionId) throw new SamlProblem('the assertion has no ID');
  return { ...readIdentity(assertion, subject, expected.provider), assertionId };
}

function checkVersion(element: XmlElement): void {
  if (attribute(element, 'Version') !== '2.0') throw new SamlProblem('it is not of SAML 2.0');
}

function checkIssueInstant(element: XmlElement, now: Date): void {
  const issued = timeOf(element, 'IssueInstant');
  if (!issued || issued > later(now, CLOCK_SKEW)) throw new SamlProblem('it says that it was made in the future');
}

function checkIssuer(issuer: XmlElement | null, { provider }: ResponseExpectations, isRequired: boolean): void {
  if (!issuer && !isRequired) return;
  const format = issuer && attribute(issuer, 'Format');
  if (!issuer || textOf(issuer) !== provider.issuer || (format && format !== ENTITY))
    throw new SamlProblem('it comes from another issuer than the one configured');
}

function checkConditions(conditions: XmlElement, { audience, now }: ResponseExpectations): void {
  checkPeriod(conditions, now);
  const restrictions = children(conditions, 'assertion', 'AudienceRestriction');
  const isForUs = (restriction: XmlElement) =>
    children(restriction, 'assertion', 'Audience').some((element) => textOf(element) === audience);
  if (restrictions.length === 0 || !restrictions.every(isForUs))
    throw new SamlProblem('the assertion is for another audience');
}

function checkConfirmations(confirmations: XmlElement[], expected: ResponseExpectations): void {
  if (!confirmations.some((confirmation) => confirms(confirmation, expected)))
    throw new SamlProblem('the assertion is not confirmed for this request, at this place, at this time');
}

function confirms(confirmation: XmlElement, { requestId, acsUrl, now }: ResponseExpectations): boolean {
  const data = onlyChild(confirmation, 'assertion', 'SubjectConfirmationData');
  return (
    data !== null &&
    attribute(confirmation, 'Method') === BEARER &&
    attribute(data, 'Recipient') === acsUrl &&
    attribute(data, 'InResponseTo') === requestId &&
    timeOf(data, 'NotOnOrAfter') !== null &&
    isWithin(data, now)
  );
}

/** The person has signed in, and that session is not over. */
function checkStatements(statements: XmlElement[], now: Date): void {
  const isOver = (statement: XmlElement) => {
    const end = timeOf(statement, 'SessionNotOnOrAfter');
    return end !== null && end <= later(now, -CLOCK_SKEW);
  };
  if (statements.length === 0 || statements.some(isOver))
    throw new SamlProblem('the assertion tells of no sign-in that still holds');
}

function checkPeriod(element: XmlElement, now: Date): void {
  if (!isWithin(element, now)) throw new SamlProblem('the assertion is not valid now');
}

function isWithin(element: XmlElement, now: Date): boolean {
  const [start, end] = [timeOf(element, 'NotBefore'), timeOf(element, 'NotOnOrAfter')];
  return (start === null || start <= later(now, CLOCK_SKEW)) && (end === null || end > later(now, -CLOCK_SKEW));
}

/** Names by which providers call the two, when nobody configured any: LDAP, eduPerson (OIDs), WS-Federation. */
const usualEmailAttributes = [
  'email',
  'mail',
  'emailaddress',
  'urn:oid:0.9.2342.19200300.100.1.3',
  'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress',
];
const usualNameAttributes = [
  'displayName',
  'urn:oid:2.16.840.1.113730.3.1.241',
  'http://schemas.microsoft.com/identity/claims/displayname',
];

function readIdentity(assertion: XmlElement, subject: XmlElement, provider: SamlSettings): ProvenIdentity {
  const attributes = readAttributes(assertion);
  const nameId = readNameId(subject);
  const { emailAttribute, displayNameAttribute } = provider;
  const email =
    single(attributes, emailAttribute ? [emailAttribute] : usualEmailAttributes) ??
    (!emailAttribute && nameId?.format === nameIdFormatUris.EMAIL_ADDRESS ? nameId.value : null);
  return {
    issuer: provider.issuer,
    subject: readSubject(nameId, attributes, provider),
    email,
    // The organisation itself signed it; whether it speaks for the address's domain is decided by routing.
    emailVerified: email !== null,
    displayName: single(attributes, displayNameAttribute ? [displayNameAttribute] : usualNameAttributes),
    isMultiFactor: isMultiFactor(assertion, attributes),
  };
}

/** Entra and AD FS list the methods in an attribute, whatever the context says. */
const METHODS_ATTRIBUTE = 'http://schemas.microsoft.com/claims/authnmethodsreferences';

function isMultiFactor(assertion: XmlElement, attributes: Attributes): boolean {
  const contexts = children(assertion, 'assertion', 'AuthnStatement')
    .flatMap((statement) => children(statement, 'assertion', 'AuthnContext'))
    .flatMap((context) => children(context, 'assertion', 'AuthnContextClassRef'));
  return [...contexts, ...(attributes.get(METHODS_ATTRIBUTE) ?? [])].map(textOf).some(isMultiFactorContext);
}

interface NameId {
  value: string;
  format: string;
}

function readNameId(subject: XmlElement): NameId | null {
  const element = onlyChild(subject, 'assertion', 'NameID');
  if (!element) return null;
  return { value: textOf(element), format: attribute(element, 'Format') ?? nameIdFormatUris.UNSPECIFIED };
}

/** By what the person is known again: the attribute that was configured, else a NameID of the format agreed on. */
function readSubject(nameId: NameId | null, attributes: Attributes, provider: SamlSettings): string {
  const { subjectAttribute, nameIdFormat } = provider;
  if (!subjectAttribute && nameId) checkFormat(nameId, nameIdFormat);
  const subject = subjectAttribute ? single(attributes, [subjectAttribute]) : nameId?.value;
  if (!subject || subject.length > MAX_SUBJECT_LENGTH)
    throw new SamlProblem('the assertion names nobody by the NameID or attribute agreed on');
  return subject;
}

function checkFormat({ format }: NameId, agreed: SamlNameIdFormat): void {
  if (format === TRANSIENT) throw new SamlProblem('the NameID is transient: the person could not be known again');
  if (agreed !== 'UNSPECIFIED' && format !== nameIdFormatUris[agreed])
    throw new SamlProblem(`the NameID is not of the format agreed on (${agreed})`);
}

type Attributes = Map<string, XmlElement[]>;

function readAttributes(assertion: XmlElement): Attributes {
  const attributes: Attributes = new Map();
  for (const statement of children(assertion, 'assertion', 'AttributeStatement')) {
    for (const element of children(statement, 'assertion', 'Attribute')) {
      const name = attribute(element, 'Name') ?? '';
      const values = children(element, 'assertion', 'AttributeValue');
      attributes.set(name, [...(attributes.get(name) ?? []), ...values]);
    }
  }
  return attributes;
}

/** The one value of the first of these attributes that is there; several different ones say nothing certain. */
function single(attributes: Attributes, names: string[]): string | null {
  const found = names.map((name) => attributes.get(name)).find((values) => values !== undefined && values.length > 0);
  const values = new Set((found ?? []).map(textOf));
  const [value] = values;
  return values.size === 1 && value ? value : null;
}
