/**
 * XML as strangers send it: what is dangerous to parse is refused by its text, before a parser sees it, and what is signed
 * is taken from the signature, never from the document around it. The signature check is node-saml's own and so is the
 * parser; which algorithms count is decided here, because the
 * library still takes SHA-1. Neighbours: `saml-metadata.rules.ts` and `saml-response.rules.ts` say what the XML has to mean.
 */
import { nodeSamlXml, type XmlElement, xmldom } from './saml-library.js';

/** Our own words on what is wrong: safe to log, and to show to an operator. */
export class SamlProblem extends Error {
  override readonly name = 'SamlProblem';
}

export const samlNamespaces = {
  assertion: 'urn:oasis:names:tc:SAML:2.0:assertion',
  protocol: 'urn:oasis:names:tc:SAML:2.0:protocol',
  metadata: 'urn:oasis:names:tc:SAML:2.0:metadata',
  signature: 'http://www.w3.org/2000/09/xmldsig#',
} as const;
export type SamlNamespace = keyof typeof samlNamespaces;

/** Tags, opening and closing. A response has about a hundred; metadata of one organisation a few hundred, of a list more. */
const MAX_TAGS = { message: 2000, document: 10_000 };
/** Equals signs, those in texts too: each may be an attribute's. */
const MAX_ATTRIBUTES_PER_TAG = 2;
/** Every one of them copies those around it. */
const MAX_NAMESPACE_DECLARATIONS = 500;

/**
 * Of metadata. Comments are passed over, document type and entity declarations refused.
 * @returns the root, and the text without comments: what a signature is checked against.
 * @throws SamlProblem
 */
export function parseDocument(xml: string): { root: XmlElement; xml: string } {
  const text = withoutComments(xml);
  if (text.includes('<!')) throw new SamlProblem('the XML declares a document type or entities');
  return { root: parse(text, MAX_TAGS.document), xml: text };
}

/**
 * Of messages, which need neither comments nor processing instructions: a text that one of them splits is read
 * differently by different readers.
 * @throws SamlProblem
 */
export function parseMessage(xml: string): XmlElement {
  const body = xml.replace(/^\s*<\?xml[^<>]*\?>/, '');
  if (/<[!?]/.test(body)) throw new SamlProblem('the XML holds a declaration, a comment or an instruction');
  return parse(xml, MAX_TAGS.message);
}

/** In one pass, whatever is left open. */
function withoutComments(xml: string): string {
  const kept: string[] = [];
  let from = 0;
  for (let start = xml.indexOf('<!--'); start !== -1; start = xml.indexOf('<!--', from)) {
    kept.push(xml.slice(from, start));
    const end = xml.indexOf('-->', start + 4);
    if (end === -1) throw new SamlProblem('the XML cannot be read');
    from = end + 3;
  }
  return kept.join('') + xml.slice(from);
}

function parse(xml: string, maxTags: number): XmlElement {
  const hasTooMany =
    occurrences(xml, '<') > maxTags ||
    occurrences(xml, '=') > maxTags * MAX_ATTRIBUTES_PER_TAG ||
    occurrences(xml, 'xmlns') > MAX_NAMESPACE_DECLARATIONS;
  if (hasTooMany) throw new SamlProblem('the XML has too many parts');
  try {
    const { documentElement } = new (xmldom().DOMParser)({ errorHandler }).parseFromString(xml, 'text/xml');
    if (documentElement) return documentElement;
  } catch {
    // Told below: the parser's own words quote what it read.
  }
  throw new SamlProblem('the XML cannot be read');
}

/** The parser mends mistakes and goes on unless it is stopped; a mended message is another one than was signed. */
const stop = () => {
  throw new Error('not well-formed');
};
const errorHandler = { warning: stop, error: stop, fatalError: stop };

function occurrences(text: string, part: string): number {
  return text.split(part).length - 1;
}

/** RFC 9231 names; SHA-1 is broken, HMAC takes the public certificate for a key. */
const allowedAlgorithms: Record<string, ReadonlySet<string>> = {
  SignatureMethod: new Set([
    'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
  ]),
  DigestMethod: new Set(['http://www.w3.org/2001/04/xmlenc#sha256', 'http://www.w3.org/2001/04/xmlenc#sha512']),
  CanonicalizationMethod: new Set(['http://www.w3.org/2001/10/xml-exc-c14n#']),
  Transform: new Set([
    'http://www.w3.org/2000/09/xmldsig#enveloped-signature',
    'http://www.w3.org/2001/10/xml-exc-c14n#',
  ]),
};

/** SAML 2.0 core section 5.4 allows no other transforms. @throws SamlProblem for any signature, wherever it stands. */
export function checkAlgorithms(root: XmlElement): void {
  for (const [method, allowed] of Object.entries(allowedAlgorithms)) {
    for (const element of descendants(root, 'signature', method)) {
      if (!allowed.has(attribute(element, 'Algorithm') ?? ''))
        throw new SamlProblem(`a signature uses an algorithm that is not taken (${method}): use RSA with SHA-256`);
    }
  }
}

/**
 * The element as it was signed by one of these certificates, read anew from the signed bytes.
 * @param xml the whole text that the element is from.
 * @throws SamlProblem when it carries no signature of theirs over itself as a whole.
 */
export function verifiedElement(xml: string, element: XmlElement, certificates: string[]): XmlElement {
  checkAlgorithms(element);
  const verified = verifiedText(xml, element, certificates);
  if (verified === null) throw new SamlProblem('it is not signed by a certificate that was given for it');
  return parse(verified, MAX_TAGS.document);
}

function verifiedText(xml: string, element: XmlElement, certificates: string[]): string | null {
  try {
    return nodeSamlXml().getVerifiedXml(xml, element as never, certificates);
  } catch {
    return null;
  }
}

export function isElement(element: XmlElement | null, namespace: SamlNamespace, name: string): element is XmlElement {
  return element?.namespaceURI === samlNamespaces[namespace] && element.localName === name;
}

/** Direct children only: what is nested deeper says something else. */
export function children(parent: XmlElement, namespace: SamlNamespace, name: string): XmlElement[] {
  return Array.from(parent.childNodes).filter((node) => isElement(node, namespace, name));
}

/** However deep. */
export function descendants(root: XmlElement, namespace: SamlNamespace, name: string): XmlElement[] {
  return Array.from(root.getElementsByTagNameNS(samlNamespaces[namespace], name));
}

/** @throws SamlProblem when there are several. */
export function onlyChild(parent: XmlElement, namespace: SamlNamespace, name: string): XmlElement | null {
  const found = children(parent, namespace, name);
  if (found.length > 1) throw new SamlProblem(`there is more than one ${name}`);
  return found[0] ?? null;
}

/** @throws SamlProblem when there is none, or several. */
export function requiredChild(parent: XmlElement, namespace: SamlNamespace, name: string): XmlElement {
  const found = onlyChild(parent, namespace, name);
  if (!found) throw new SamlProblem(`there is no ${name}`);
  return found;
}

/** Null when absent or empty. */
export function attribute(element: XmlElement, name: string): string | null {
  return element.getAttribute(name)?.trim() || null;
}

/** All of an element's text. @throws SamlProblem when something else stands in between. */
export function textOf(element: XmlElement): string {
  if (Array.from(element.childNodes).some((node) => node.nodeType !== TEXT_NODE))
    throw new SamlProblem(`${element.localName} is not plain text`);
  return (element.textContent ?? '').trim();
}

const TEXT_NODE = 3;

/** xs:dateTime in UTC, as SAML 2.0 core section 1.3.3 asks. @throws SamlProblem */
export function timeOf(element: XmlElement, name: string): Date | null {
  const text = attribute(element, name);
  if (text === null) return null;
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(time)) throw new SamlProblem(`${name} is not a time`);
  return new Date(time);
}
