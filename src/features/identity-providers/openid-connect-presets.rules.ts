/**
 * What is known of widely used providers (pure): their issuer, the domains whose mailboxes they host, and how their tokens
 * name a person and say that an address is theirs. A preset never makes a provider entitled to more domains than those.
 * GitHub and Apple are not among them: decision 16.
 */
import { googleDomains, microsoftDomains } from './consumer-domains.rules.js';
import { CONSUMERS_TENANT_ID } from './shared-issuers.rules.js';

export const openIdConnectPresets = [
  'GENERIC',
  'ENTRA',
  'ENTRA_ANY_ORGANIZATION',
  'GOOGLE',
  'MICROSOFT_PERSONAL',
] as const;
export type OpenIdConnectPreset = (typeof openIdConnectPresets)[number];

interface Preset {
  /** Null: the operator gives it. */
  issuer: string | null;
  /** Of `prompt`; null: what the metadata lists. */
  choosesAccountBy: 'select_account' | null;
  /** Domains where everybody gets a mailbox from this provider. */
  consumerDomains: readonly string[];
  /** Whether the operator may name domains. */
  takesDomains: boolean;
}

/** Stands for the organisation's id in Entra's issuer. */
export const ORGANIZATION_PLACEHOLDER = '{tenantid}';

const ofEntra = { choosesAccountBy: 'select_account', consumerDomains: [] } as const;

export const presets: Record<OpenIdConnectPreset, Preset> = {
  GENERIC: { issuer: null, choosesAccountBy: null, consumerDomains: [], takesDomains: true },
  ENTRA: { issuer: null, ...ofEntra, takesDomains: true },
  ENTRA_ANY_ORGANIZATION: {
    issuer: `https://login.microsoftonline.com/${ORGANIZATION_PLACEHOLDER}/v2.0`,
    ...ofEntra,
    takesDomains: false,
  },
  GOOGLE: {
    issuer: 'https://accounts.google.com',
    choosesAccountBy: 'select_account',
    consumerDomains: googleDomains,
    takesDomains: true,
  },
  MICROSOFT_PERSONAL: {
    issuer: `https://login.microsoftonline.com/${CONSUMERS_TENANT_ID}/v2.0`,
    choosesAccountBy: 'select_account',
    consumerDomains: microsoftDomains,
    takesDomains: false,
  },
};

export const socialPresets = openIdConnectPresets.filter((preset) => presets[preset].consumerDomains.length > 0);

export function isOfEntra(preset: OpenIdConnectPreset): boolean {
  return preset === 'ENTRA' || preset === 'ENTRA_ANY_ORGANIZATION' || preset === 'MICROSOFT_PERSONAL';
}
