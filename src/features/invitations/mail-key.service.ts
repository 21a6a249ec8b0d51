/**
 * The key of an invitation's mail: which invitation, which link, and an HMAC over both. It is the left part of the Message-ID
 * and, where the return path has a place for it, of the address bounces come to. Only who got the mail, or carried it,
 * can know it, so that nobody else can say of an invitation that its mail came back.
 */
import { isIdOf } from '../../kernel/ids.js';
import { equalBytes, type Secrets } from '../../kernel/secrets.js';

export interface LinkVersion {
  invitationId: string;
  linkVersion: number;
}

/** 80 bits, in hexadecimal, because mail servers may change the case of an address. */
const MAC_BYTES = 10;
const keyPattern = /\b(inv_[0-9a-z]{26})\.([1-9]\d{0,8})\.([0-9a-f]{20})\b/gi;

export function makeMailKey(secrets: Secrets, { invitationId, linkVersion }: LinkVersion): string {
  const mac = secrets.sign('mail', message({ invitationId, linkVersion })).subarray(0, MAC_BYTES);
  return `${invitationId}.${linkVersion}.${mac.toString('hex')}`;
}

/** The links whose mails a text names, each once; what we did not sign is left out. */
export function findMailKeys(secrets: Secrets, text: string): LinkVersion[] {
  const found = new Map<string, LinkVersion>();
  for (const [, id = '', version = '', mac = ''] of text.matchAll(keyPattern)) {
    const link = { invitationId: id.toLowerCase(), linkVersion: Number(version) };
    if (isIdOf('Invitation', link.invitationId) && isOurs(secrets, link, mac)) found.set(message(link), link);
  }
  return [...found.values()];
}

function isOurs(secrets: Secrets, link: LinkVersion, mac: string): boolean {
  const given = Buffer.from(mac, 'hex');
  return secrets
    .signatures('mail', message(link))
    .some((expected) => equalBytes(expected.subarray(0, MAC_BYTES), given));
}

function message({ invitationId, linkVersion }: LinkVersion): string {
  return `${invitationId}/${linkVersion}`;
}
