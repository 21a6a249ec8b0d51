/**
 * What a feature asks the mail folder to say. A feature knows whom to tell what (`invitation.mail.ts`), `mail/` knows how
 * to say it in a language and how to hand it to SMTP; this is the word between them. Pure data, no entity.
 */
import type { Language } from './languages.js';

export interface MailBrand {
  tenantName: string;
  /** Travels inside the mail: opening it asks nobody for anything. */
  logo: { contentType: string; image: Buffer } | null;
  /** `#rrggbb` */
  accentColor: string;
  supportEmail: string | null;
  privacyStatementUrl: string | null;
}

interface MailEnvelope {
  /** Whose mail it is, for the log alone. */
  tenantId?: string;
  language: Language;
  to: { name: string | null; address: string };
  /** The tenant's support address, or null. */
  replyTo: string | null;
  /** Left part of Message-ID without angle brackets or host: the same for a repeat, another one for a resend. */
  messageKey: string;
  brand: MailBrand;
}

/** To the guest, with the link. */
export interface InvitationMail extends MailEnvelope {
  template: 'invitation';
  inviterName: string | null;
  guestName: string | null;
  /** The inviter's own words: plain text, never HTML. */
  message: string | null;
  appName: string | null;
  /** Tells of an access: signing in accepts, without a question. */
  isAutomatic: boolean;
  redeemUrl: string;
  /** To a page that asks for proof, then ends further invitations of this tenant. */
  unsubscribeUrl: string;
  sentAt: Date;
  expiresAt: Date;
}

/** To a cc recipient: tells of the invitation, carries no link. */
export interface InvitationCopyMail extends MailEnvelope {
  template: 'invitation-copy';
  inviterName: string | null;
  /** Whom the invitation itself went to. */
  guestAddress: string;
  message: string | null;
  appName: string | null;
}

export interface PasscodeMail extends MailEnvelope {
  template: 'passcode';
  /** 8 digits. */
  passcode: string;
  validForMinutes: number;
}

export type MailMessage = InvitationMail | InvitationCopyMail | PasscodeMail;
