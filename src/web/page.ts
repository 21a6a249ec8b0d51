/** A page as data: which template, in which language and colours, with which facts. Pure; `page-renderer.ts` makes it HTML. */
import type { Language } from '../kernel/languages.js';

export const pageTemplates = [
  'link',
  'passcode-send',
  'passcode',
  'sign-in',
  'consent',
  'automatic',
  'terms',
  'leaving',
  'landed',
  'declined',
  'unsubscribe',
  'unsubscribe-passcode',
  'unsubscribe-choice',
  'problem',
  'security',
  'passkey-new',
  'passkey-use',
  'totp-new',
  'recovery-codes',
  'second-factor',
  'second-factor-set-up',
  'second-factor-done',
  'password',
  'sign-in-start',
  'signed-in',
  'unrequested-sign-in',
  'signed-out',
  'apps',
  'account',
  'left',
  'openid-error',
  'openid-access',
  'openid-consent',
  'openid-logout',
  'openid-logged-out',
  'openid-device',
  'openid-device-confirm',
  'openid-device-done',
] as const;
export type PageTemplate = (typeof pageTemplates)[number];

/** What a step of a flow shows; the flow adds the rest. */
export type StepPage = [PageTemplate, Record<string, unknown>];

/** A passkey is asked for by a script; no other page has one. */
export const scriptedTemplates: ReadonlySet<PageTemplate> = new Set(['passkey-new', 'passkey-use']);

export interface PageBrand {
  /** Null: nobody knows whose page this would be. */
  tenant: string | null;
  /** On our own origin: an image elsewhere would tell that place who opens the page. */
  logoPath: string | null;
  /** `#rrggbb` */
  accentColor: string;
  supportEmail: string | null;
  privacyStatementUrl: string | null;
}

export interface Page {
  template: PageTemplate;
  status: number;
  language: Language;
  brand: PageBrand;
  /** Every name the template uses, null where there is nothing to say. */
  facts: Record<string, unknown>;
}

export interface BrandFacts extends Omit<PageBrand, 'tenant'> {
  tenantName: string;
}

export function brandOf({
  tenantName,
  logoPath,
  accentColor,
  supportEmail,
  privacyStatementUrl,
}: BrandFacts): PageBrand {
  return { tenant: tenantName, logoPath, accentColor, supportEmail, privacyStatementUrl };
}

export const noBrand: PageBrand = {
  tenant: null,
  logoPath: null,
  accentColor: '#1f5fbf',
  supportEmail: null,
  privacyStatementUrl: null,
};
