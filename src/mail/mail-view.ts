/**
 * What a template may see of a message: flat, plain and safe to print on one line where it must be. Everything a tenant or
 * an inviter wrote stays data; the templates escape it.
 */
import type { Language } from '../kernel/languages.js';
import type { InvitationMail, MailBrand, MailMessage } from '../kernel/mail-message.js';
import { type ButtonColors, buttonColors } from './button-colors.js';
import { oneLine } from './one-line.js';
import { expiryWords, minutesInWords } from './time-words.js';

/** Every key is present, null when there is nothing to say: the templates run in strict mode. */
export interface MailView extends BrandView {
  language: Language;
  /** What only one kind of message has. */
  [fact: string]: unknown;
}

export const LOGO_CONTENT_ID = 'tenant-logo';

interface BrandView {
  tenant: string;
  /** Of the part that carries the logo (RFC 2392). */
  logoUrl: string | null;
  supportEmail: string | null;
  privacyStatementUrl: string | null;
  button: ButtonColors;
}

export function mailView(message: MailMessage): MailView {
  return { ...facts(message), ...brandView(message.brand), language: message.language };
}

function brandView(brand: MailBrand): BrandView {
  return {
    tenant: oneLine(brand.tenantName),
    logoUrl: brand.logo && `cid:${LOGO_CONTENT_ID}`,
    supportEmail: brand.supportEmail,
    privacyStatementUrl: httpsUrl(brand.privacyStatementUrl),
    button: buttonColors(brand.accentColor),
  };
}

function facts(message: MailMessage): Record<string, unknown> {
  switch (message.template) {
    case 'invitation':
      return invitationFacts(message);
    case 'invitation-copy':
      return { guest: message.guestAddress, ...offer(message) };
    case 'passcode':
      return { passcode: message.passcode, validity: minutesInWords(message.language, message.validForMinutes) };
  }
}

function invitationFacts(message: InvitationMail): Record<string, unknown> {
  return {
    automatic: message.isAutomatic,
    preheader: `mail.${message.isAutomatic ? 'invitation-automatic' : 'invitation'}.expiry`,
    guest: nameOrNull(message.guestName),
    address: message.to.address,
    redeemUrl: message.redeemUrl,
    unsubscribeUrl: message.unsubscribeUrl,
    expiry: expiryWords(message.language, message.sentAt, message.expiresAt),
    ...offer(message),
  };
}

type Offer = Pick<InvitationMail, 'inviterName' | 'appName' | 'message'>;

function offer({ inviterName, appName, message }: Offer): Record<string, unknown> {
  return { inviter: nameOrNull(inviterName), app: nameOrNull(appName), messageLines: lines(message) };
}

/** The inviter's lines, blank ones kept, so that each can be marked as theirs. */
function lines(message: string | null): string[] {
  const text = message?.trim();
  return text ? text.split(/\r\n|[\n\r\u2028\u2029]/) : [];
}

function nameOrNull(name: string | null): string | null {
  return oneLine(name ?? '') || null;
}

/** A tenant's URL goes into a mail as https or not at all (`javascript:`, `data:`, plain http). */
function httpsUrl(url: string | null): string | null {
  return url && URL.parse(url)?.protocol === 'https:' ? url : null;
}
