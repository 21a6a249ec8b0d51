/**
 * Ids are TypeIDs: a prefix that tells the type and a UUIDv7 in Crockford base 32, so that they sort by time of making
 * and `node(id)` needs no lookup table. They are opaque to clients and stored as text collate "C".
 */
import { typeid } from 'typeid-js';

const idPrefixes = {
  Tenant: 'tnt',
  ApiKey: 'key',
  ExternalUser: 'usr',
  Identity: 'idn',
  Group: 'grp',
  App: 'app',
  AppAssignment: 'asg',
  IdentityProvider: 'idp',
  Partner: 'ptn',
  Invitation: 'inv',
  BulkInvite: 'blk',
  RedemptionFlow: 'rdm',
  Passcode: 'psc',
  Passkey: 'pky',
  Session: 'ses',
  SigningKey: 'sgk',
  RoleAssignment: 'rol',
  UnsubscribeFlow: 'uns',
} as const;

export type IdType = keyof typeof idPrefixes;

const typesByPrefix = new Map(Object.entries(idPrefixes).map(([type, prefix]) => [prefix as string, type as IdType]));
const idPattern = /^([a-z]{3})_[0-7][0-9a-hjkmnp-tv-z]{25}$/;

export function newId(type: IdType): string {
  return typeid(idPrefixes[type]).toString();
}

/** The type an id belongs to, or null when it is malformed or of no type of ours. */
export function typeOfId(id: string): IdType | null {
  const match = idPattern.exec(id);
  return match ? (typesByPrefix.get(match[1] as string) ?? null) : null;
}

export function isIdOf(type: IdType, id: string): boolean {
  return typeOfId(id) === type;
}
