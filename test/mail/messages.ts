/** Example messages, one per kind, as a feature would hand them over. */
import { DAY, later } from '../../src/kernel/clock.js';
import type { Language } from '../../src/kernel/languages.js';
import type {
  InvitationCopyMail,
  InvitationMail,
  MailBrand,
  MailMessage,
  PasscodeMail,
} from '../../src/kernel/mail-message.js';

export const referenceTime = new Date('2026-11-20T12:00:00Z');
export const redeemUrl = 'https://guests.example.com/redeem/inv_01hzy8-3kT9w2Qm5v7Rb1Xc4Nd6Ff8Gh0Jj2Kk4Ll6Mm8';

export const brand: MailBrand = {
  tenantName: 'Contoso',
  logo: { contentType: 'image/png', image: Buffer.from('89504e470d0a1a0a', 'hex') },
  accentColor: '#0f766e',
  supportEmail: 'help@contoso.example',
  privacyStatementUrl: 'https://contoso.example/privacy',
};

function envelope(language: Language) {
  return {
    language,
    to: { name: 'Ada Lovelace', address: 'ada@fabrikam.example' },
    replyTo: 'help@contoso.example',
    messageKey: 'inv_01hzy8.1.ada',
    brand,
  };
}

export function invitation(changes: Partial<InvitationMail> = {}): InvitationMail {
  return {
    template: 'invitation',
    ...envelope(changes.language ?? 'en'),
    inviterName: 'Kim Min-ji',
    guestName: 'Ada Lovelace',
    message: 'Hello Ada,\n\nthis is the room for our project.\nSee you on Monday!',
    appName: 'Design Review',
    isAutomatic: false,
    redeemUrl,
    unsubscribeUrl: 'https://guests.example.com/unsubscribe/inv_01hzy8.Zz9Yy8Xx7Ww6Vv5Uu4Tt3',
    sentAt: referenceTime,
    expiresAt: later(referenceTime, 30 * DAY),
    ...changes,
  };
}

export function invitationCopy(changes: Partial<InvitationCopyMail> = {}): InvitationCopyMail {
  return {
    template: 'invitation-copy',
    ...envelope(changes.language ?? 'en'),
    to: { name: null, address: 'manager@contoso.example' },
    inviterName: 'Kim Min-ji',
    guestAddress: 'ada@fabrikam.example',
    message: 'Hello Ada,\n\nthis is the room for our project.',
    appName: 'Design Review',
    ...changes,
  };
}

export function passcode(changes: Partial<PasscodeMail> = {}): PasscodeMail {
  return {
    template: 'passcode',
    ...envelope(changes.language ?? 'en'),
    passcode: '40718293',
    validForMinutes: 10,
    ...changes,
  };
}

export function everyMessage(language: Language): MailMessage[] {
  return [invitation({ language }), invitationCopy({ language }), passcode({ language })];
}
