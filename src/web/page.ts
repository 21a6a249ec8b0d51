/** A page as data: which template, in which language and colours, with which facts. Pure; `page-renderer.ts` makes it HTML. */
import type { Language } from '../kernel/languages.js';

export const pageTemplates = [
  'link',
  'passcode-send',
  'passcode',
  'sign-in',
  'consent',
  'leaving',
  'landed',
  'declined',
  'problem',
] as const;
export type PageTemplate = (typeof pageTemplates)[number];

export interface PageBrand {
  /** Null: nobody knows whose page this would be. */
  tenant: string | null;
  /** On our own origin, or none. */
  logoUrl: string | null;
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

export function brandOf(facts: BrandFacts, publicUrl: URL): PageBrand {
  return {
    tenant: facts.tenantName,
    logoUrl: facts.logoUrl && URL.parse(facts.logoUrl)?.origin === publicUrl.origin ? facts.logoUrl : null,
    accentColor: facts.accentColor,
    supportEmail: facts.supportEmail,
    privacyStatementUrl: facts.privacyStatementUrl,
  };
}

export const noBrand: PageBrand = {
  tenant: null,
  logoUrl: null,
  accentColor: '#1f5fbf',
  supportEmail: null,
  privacyStatementUrl: null,
};
