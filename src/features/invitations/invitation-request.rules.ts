/**
 * From what an inviter asks to what can be stored, pure: every problem of a request is found at once and nothing is
 * dropped in silence. Apps and groups have been looked up before (`invitation-targets.ts`).
 */
import { type EmailAddress, parseEmailAddress } from '../../kernel/email-address.js';
import { type UserErrorCode, type UserErrorEntry, userErrorEntry } from '../../kernel/errors.js';
import { supportedLanguage } from '../../kernel/languages.js';
import { isPlainName, MAX_NAME_LENGTH } from '../../kernel/names.js';
import { type DomainPolicy, domainVerdict } from '../tenants/domain-policy.rules.js';
import { DEFAULT_EXPIRES_IN_DAYS, MAX_EXPIRES_IN_DAYS, MIN_EXPIRES_IN_DAYS } from './invitation.states.js';
import type { InvitationTargets } from './invitation-targets.queries.js';

/** What an inviter asks for one address, however it came in. Apps and groups by id; from CSV also by exact name. */
export interface InvitationRequest {
  email: string | null;
  displayName: string | null;
  apps: string[];
  groups: string[];
  landingApp: string | null;
  /** A registered address of one of the tenant's apps. */
  redirectUrl: string | null;
  message: string | null;
  language: string | null;
  cc: string[];
  sendMail: boolean;
  expiresInDays: number | null;
  inviterName: string | null;
}

export interface CheckedInvitation {
  email: EmailAddress;
  displayName: string | null;
  appIds: string[];
  groupIds: string[];
  landingAppId: string | null;
  redirectUrl: string | null;
  message: string | null;
  /** Null: the user's, else the tenant's. */
  language: string | null;
  cc: EmailAddress[];
  sendMail: boolean;
  expiresInDays: number;
  inviterName: string | null;
}

/** What each field is called where the request came from, so that errors point at the caller's own words. */
export interface FieldNames {
  apps: string;
  groups: string;
  landingApp: string;
  cc: string;
}

export const inputFieldNames: FieldNames = {
  apps: 'appIds',
  groups: 'groupIds',
  landingApp: 'landingAppId',
  cc: 'ccRecipients',
};
export const csvFieldNames: FieldNames = { apps: 'apps', groups: 'groups', landingApp: 'landingApp', cc: 'cc' };

const MAX_MESSAGE_LENGTH = 5000;
const MAX_CC_RECIPIENTS = 10;
const MAX_GRANTS = 50;

/** What an address is held against. */
export interface AddressPolicy extends DomainPolicy {
  ownDomains: readonly string[];
}

export type CheckedRequest = { checked: CheckedInvitation; errors: [] } | { checked: null; errors: UserErrorEntry[] };

export function checkRequest(
  request: InvitationRequest,
  tenant: AddressPolicy,
  targets: InvitationTargets,
  names: FieldNames,
): CheckedRequest {
  const errors: UserErrorEntry[] = [];
  const refuse = (code: UserErrorCode, field: string[], message?: string): null => {
    errors.push(userErrorEntry(code, { field, ...(message ? { message } : {}) }));
    return null;
  };
  const email = checkAddress(request.email, tenant, refuse);
  const landing = checkLanding(request, targets, names, refuse);
  const rest = {
    displayName: checkName(request.displayName, 'displayName', refuse),
    inviterName: checkName(request.inviterName, 'inviterName', refuse),
    appIds: checkTargets(request.apps, targets.app, names.apps, refuse),
    groupIds: checkTargets(request.groups, targets.group, names.groups, refuse),
    message: checkMessage(request.message, refuse),
    language: checkLanguage(request.language, refuse),
    cc: checkCopies(request.cc, names.cc, refuse),
    sendMail: request.sendMail,
    expiresInDays: checkExpiry(request.expiresInDays, refuse),
  };
  return email && errors.length === 0
    ? { checked: { email, ...landing, ...rest }, errors: [] }
    : { checked: null, errors };
}

export type Refuse = (code: UserErrorCode, field: string[], message?: string) => null;

export function checkAddress(text: string | null, tenant: AddressPolicy, refuse: Refuse): EmailAddress | null {
  if (!text?.trim()) return refuse('REQUIRED', ['email']);
  if ((text.match(/@/g) ?? []).length > 1 && /[,;]/.test(text)) return refuse('GROUP_ADDRESS', ['email']);
  const address = parseEmailAddress(text);
  if (!address) return refuse('ADDRESS_INVALID', ['email']);
  const refusal = addressRefusal(tenant, address.domain);
  return refusal ? refuse(refusal, ['email']) : address;
}

/** Why nobody of this domain is invited; null: they may be. */
export function addressRefusal(tenant: AddressPolicy, domain: string): UserErrorCode | null {
  return tenant.ownDomains.includes(domain) ? 'OWN_DOMAIN' : domainVerdict(tenant, domain).refusal;
}

function checkName(name: string | null, field: string, refuse: Refuse): string | null {
  if (!name?.trim()) return null;
  if (name.length > MAX_NAME_LENGTH) return refuse('TOO_LONG', [field], `Use at most ${MAX_NAME_LENGTH} characters.`);
  return isPlainName(name) ? name.trim() : refuse('INVALID', [field], 'A name has no links and no control characters.');
}

function checkTargets(references: string[], find: InvitationTargets['app'], field: string, refuse: Refuse): string[] {
  if (references.length > MAX_GRANTS) {
    refuse('INVALID', [field], `Give at most ${MAX_GRANTS}.`);
    return [];
  }
  const found = references.map((reference, index) => {
    const { target, problem } = find(reference);
    return target ?? refuse(problem ?? 'NOT_FOUND', [field, String(index)]);
  });
  return [...new Set(found.flatMap((target) => (target ? [target.id] : [])))];
}

/** A redirect names its app by belonging to it; it must agree with the landing app when both are given. */
function checkLanding(
  { landingApp, redirectUrl }: InvitationRequest,
  targets: InvitationTargets,
  names: FieldNames,
  refuse: Refuse,
): { landingAppId: string | null; redirectUrl: string | null } {
  const app = landingApp ? targets.app(landingApp) : { target: null, problem: null };
  if (landingApp && !app.target) refuse(app.problem ?? 'NOT_FOUND', [names.landingApp]);
  if (!redirectUrl) return { landingAppId: app.target?.id ?? null, redirectUrl: null };
  const owner = targets.redirect(redirectUrl);
  if (!owner || (app.target && app.target.id !== owner.appId)) {
    refuse('REDIRECT_NOT_REGISTERED', ['redirectUrl']);
    return { landingAppId: null, redirectUrl: null };
  }
  return { landingAppId: owner.appId, redirectUrl: owner.isHomePage ? null : owner.url };
}

function checkMessage(message: string | null, refuse: Refuse): string | null {
  if (!message?.trim()) return null;
  return message.length <= MAX_MESSAGE_LENGTH
    ? message
    : refuse('TOO_LONG', ['message'], `Use at most ${MAX_MESSAGE_LENGTH} characters.`);
}

function checkLanguage(tag: string | null, refuse: Refuse): string | null {
  return tag?.trim() ? (supportedLanguage(tag) ?? refuse('LANGUAGE_UNSUPPORTED', ['language'])) : null;
}

function checkCopies(addresses: string[], field: string, refuse: Refuse): EmailAddress[] {
  if (addresses.length > MAX_CC_RECIPIENTS) {
    refuse('INVALID', [field], `Give at most ${MAX_CC_RECIPIENTS} addresses.`);
    return [];
  }
  const parsed = addresses.map(
    (text, index) => parseEmailAddress(text) ?? refuse('ADDRESS_INVALID', [field, String(index)]),
  );
  const byKey = new Map(parsed.flatMap((address) => (address ? [[address.key, address]] : [])));
  return [...byKey.values()];
}

function checkExpiry(days: number | null, refuse: Refuse): number {
  if (days === null) return DEFAULT_EXPIRES_IN_DAYS;
  if (Number.isInteger(days) && days >= MIN_EXPIRES_IN_DAYS && days <= MAX_EXPIRES_IN_DAYS) return days;
  refuse('INVALID', ['expiresInDays'], `Give ${MIN_EXPIRES_IN_DAYS} to ${MAX_EXPIRES_IN_DAYS} days.`);
  return DEFAULT_EXPIRES_IN_DAYS;
}
