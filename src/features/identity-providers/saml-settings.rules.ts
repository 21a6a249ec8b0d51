/** What an operator may say about a SAML provider (pure). What its metadata says is `saml-metadata.rules.ts`. */
import type { Validation } from '../../request/validation.js';
import type { SamlNameIdFormat } from './connector.port.js';
import { certificateOf } from './saml-metadata.rules.js';
import type { SamlProvider } from './saml-provider.entity.js';

export interface SamlChange {
  metadataUrl?: string | null;
  metadataXml?: string | null;
  metadataCertificates?: string[] | null;
  entityId?: string | null;
  nameIdFormat?: SamlNameIdFormat | null;
  emailAttribute?: string | null;
  displayNameAttribute?: string | null;
  subjectAttribute?: string | null;
  allowsUnrequestedSignIn?: boolean | null;
}

/** How assertions name people, and whether they count without having been asked for. */
export type Naming = Pick<
  SamlProvider,
  'nameIdFormat' | 'emailAttribute' | 'displayNameAttribute' | 'subjectAttribute' | 'allowsUnrequestedSignIn'
>;

const MAX_CERTIFICATES = 10;
const MAX_NAME_LENGTH = 500;
const MAX_URL_LENGTH = 2000;
const visible = /^\S(?:[^\p{Cc}]*\S)?$/u;

export function checkMetadataUrl(valid: Validation, text: string, allowInsecure: boolean): void {
  const url = text.length <= MAX_URL_LENGTH ? URL.parse(text) : null;
  const isSecure = url?.protocol === 'https:' || (allowInsecure && url?.protocol === 'http:');
  if (!isSecure || url.username || url.password || url.hash)
    valid.add('INVALID', ['saml', 'metadataUrl'], 'Give the https URL at which the provider publishes its metadata.');
}

/** @returns PEM */
export function checkCertificates(valid: Validation, given: string[]): string[] {
  return valid.list(given, MAX_CERTIFICATES, 'saml', 'metadataCertificates').map((text, index) => {
    const certificate = certificateOf(text);
    const field = ['saml', 'metadataCertificates', String(index)];
    if (!certificate) valid.add('INVALID', field, 'Give a certificate in PEM with an RSA key of 2048 bits or more.');
    return certificate ?? text;
  });
}

export function checkNaming(valid: Validation, input: SamlChange): Partial<Naming> {
  const { nameIdFormat, emailAttribute, displayNameAttribute, subjectAttribute, allowsUnrequestedSignIn } = input;
  return {
    ...(nameIdFormat != null && { nameIdFormat }),
    ...(allowsUnrequestedSignIn != null && { allowsUnrequestedSignIn }),
    ...(emailAttribute !== undefined && { emailAttribute: checkedText(valid, emailAttribute, 'emailAttribute') }),
    ...(displayNameAttribute !== undefined && {
      displayNameAttribute: checkedText(valid, displayNameAttribute, 'displayNameAttribute'),
    }),
    ...(subjectAttribute !== undefined && {
      subjectAttribute: checkedText(valid, subjectAttribute, 'subjectAttribute'),
    }),
  };
}

export function checkedText(valid: Validation, text: string | null, name: string): string | null {
  if (text === null || text === '') return null;
  if (text.length > MAX_NAME_LENGTH)
    valid.add('TOO_LONG', ['saml', name], `Use at most ${MAX_NAME_LENGTH} characters.`);
  else valid.pattern(text, visible, 'Give the name exactly as the provider writes it.', 'saml', name);
  return text;
}
