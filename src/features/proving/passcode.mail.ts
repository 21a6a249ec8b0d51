/** What the passcode's mail says, pure: facts in, message out. */
import { MINUTE } from '../../kernel/clock.js';
import type { Language } from '../../kernel/languages.js';
import type { PasscodeMail } from '../../kernel/mail-message.js';

export interface PasscodeFacts {
  passcodeId: string;
  passcode: string;
  expiresAt: Date;
  email: string;
  guestName: string | null;
  language: Language;
  tenantName: string;
  logo: PasscodeMail['brand']['logo'];
  accentColor: string;
  supportEmail: string | null;
  privacyStatementUrl: string | null;
}

export function passcodeMail(facts: PasscodeFacts, now: Date): PasscodeMail {
  const { tenantName, logo, accentColor, supportEmail, privacyStatementUrl } = facts;
  return {
    template: 'passcode',
    language: facts.language,
    to: { name: facts.guestName, address: facts.email },
    replyTo: supportEmail,
    messageKey: facts.passcodeId,
    brand: { tenantName, logo, accentColor, supportEmail, privacyStatementUrl },
    passcode: facts.passcode,
    validForMinutes: Math.max(1, Math.round((facts.expiresAt.getTime() - now.getTime()) / MINUTE)),
  };
}
