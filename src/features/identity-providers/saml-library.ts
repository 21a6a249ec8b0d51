/**
 * node-saml and its XML parser, loaded when the first SAML provider needs them: most processes never do, and all of them
 * would wait for it at their start.
 */
import { createRequire } from 'node:module';

const load = createRequire(import.meta.url);

export function nodeSaml(): typeof import('@node-saml/node-saml') {
  return load('@node-saml/node-saml');
}

/** An exact version is installed: its main file does not offer this one. */
export function nodeSamlXml(): Pick<typeof import('@node-saml/node-saml/lib/xml.js'), 'getVerifiedXml'> {
  return load('@node-saml/node-saml/lib/xml.js');
}

/** What is used of a DOM element; the whole DOM of browsers has no place in a server's types. */
export interface XmlElement {
  nodeType: number;
  localName: string;
  namespaceURI: string | null;
  textContent: string | null;
  childNodes: ArrayLike<XmlElement>;
  getAttribute(name: string): string | null;
  getElementsByTagNameNS(namespace: string, name: string): ArrayLike<XmlElement>;
}

/** What is used of @xmldom/xmldom; its own types would bring those of browsers into the whole project. */
interface Xmldom {
  DOMParser: new (options: {
    errorHandler: Record<'warning' | 'error' | 'fatalError', () => never>;
  }) => {
    parseFromString(xml: string, type: 'text/xml'): { documentElement: XmlElement | null };
  };
}

export function xmldom(): Xmldom {
  return load('@xmldom/xmldom');
}
