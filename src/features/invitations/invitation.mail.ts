/** What an invitation's mails say, pure: facts in, message out. How it is said, in which words, is `mail/`. */
import type { Row } from '../../database/table.js';
import { fallbackLanguage, supportedLanguage } from '../../kernel/languages.js';
import type { InvitationCopyMail, InvitationMail, MailBrand } from '../../kernel/mail-message.js';
import type { Tenant } from '../tenants/tenant.entity.js';
import type { Invitation } from './invitation.entity.js';

export interface MailFacts {
  invitation: Pick<
    Row<Invitation>,
    | 'id'
    | 'linkVersion'
    | 'email'
    | 'displayName'
    | 'inviterName'
    | 'message'
    | 'language'
    | 'ccRecipients'
    | 'expiresAt'
  >;
  tenant: Pick<Row<Tenant>, 'displayName' | 'accentColor' | 'supportEmail' | 'privacyStatementUrl'>;
  logo: MailBrand['logo'];
  /** Name of the landing app, when there is one. */
  appName: string | null;
  /** The tenant and the guest's organisation have agreed: the guest is told, not asked. */
  isAutomatic: boolean;
}

export interface InvitationLinks {
  redeemUrl: string;
  unsubscribeUrl: string;
}

/** @param mailKey see `mail-key.service.ts` */
export function invitationMail(
  facts: MailFacts,
  mailKey: string,
  links: InvitationLinks,
  sentAt: Date,
): InvitationMail {
  const { invitation } = facts;
  return {
    template: 'invitation',
    ...envelope(facts, mailKey),
    to: { name: invitation.displayName, address: invitation.email },
    guestName: invitation.displayName,
    ...content(facts),
    isAutomatic: facts.isAutomatic,
    ...links,
    sentAt,
    expiresAt: invitation.expiresAt,
  };
}

/** Tells of the invitation, carries no link: whoever is copied cannot redeem in the guest's place. */
export function invitationCopyMail(facts: MailFacts, recipient: string, copy: number): InvitationCopyMail {
  const { invitation } = facts;
  return {
    template: 'invitation-copy',
    ...envelope(facts, `${invitation.id}.${invitation.linkVersion}.copy-${copy}`),
    to: { name: null, address: recipient },
    guestAddress: invitation.email,
    ...content(facts),
  };
}

function brandOf({ tenant, logo }: MailFacts): MailBrand {
  return {
    tenantName: tenant.displayName,
    logo,
    accentColor: tenant.accentColor,
    supportEmail: tenant.supportEmail,
    privacyStatementUrl: tenant.privacyStatementUrl,
  };
}

/** Message-ID is per invitation, link version and recipient: a repeat is recognised, a resend is not swallowed. */
function envelope(facts: MailFacts, messageKey: string) {
  const { invitation, tenant } = facts;
  const language = supportedLanguage(invitation.language) ?? fallbackLanguage;
  return { language, replyTo: tenant.supportEmail, messageKey, brand: brandOf(facts) };
}

function content({ invitation, appName }: MailFacts) {
  return { inviterName: invitation.inviterName, message: invitation.message, appName };
}
