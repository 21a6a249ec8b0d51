/** The pages of a guest's own credentials, pure: what they have and what went wrong in, a page out. */
import type { AccountSecurity } from '../features/credentials/account-security.service.js';
import type { CredentialRow } from '../features/credentials/second-factors.queries.js';
import type { TotpEnrolment } from '../features/credentials/totp.service.js';
import type { TenantPage } from '../features/sign-in/tenant-page.queries.js';
import type { Language } from '../kernel/languages.js';
import { dateInWords } from '../mail/time-words.js';
import type { Problem } from './error-pages.js';
import { alertFacts, page as pageOf, type Setting } from './guest-pages.js';
import type { Page, PageTemplate } from './page.js';
import { qrCode } from './qr-code.js';
import { inFours } from './second-factor-facts.js';
import { accountPath, brandedFor, signInPath } from './tenant-pages.js';

export interface SecuritySetting extends Setting {
  tenant: TenantPage;
  csrf: string;
  /** What went wrong in the step before. */
  found: Problem | null;
}

export function securityPage(
  { owner, credentials, due, hasLocalAccount }: AccountSecurity,
  setting: SecuritySetting,
): Page {
  const { language } = setting;
  const one = (kind: CredentialRow['kind']) =>
    credentialFacts(
      language,
      credentials.find((each) => each.kind === kind),
    );
  return page('security', setting, {
    email: owner.email,
    mayChange: due === null,
    provePath: due && provePath(due, setting),
    proveBySecondFactor: due === 'SECOND_FACTOR',
    hasLocalAccount,
    accountPath: accountPath(setting.tenant),
    password: one('PASSWORD'),
    passkeys: credentials
      .filter(({ kind }) => kind === 'PASSKEY')
      .map((passkey) => ({ ...credentialFacts(language, passkey), id: passkey.id, label: passkey.label || null })),
    totp: one('TOTP'),
    recoveryCodes: one('RECOVERY_CODES'),
  });
}

export function newPasskeyPage(options: object, setting: SecuritySetting): Page {
  return page('passkey-new', setting, { options: JSON.stringify(options), backPath: rootOf(setting), otherPath: null });
}

export function totpPage({ sealedSeed, seed, uri }: TotpEnrolment, setting: SecuritySetting): Page {
  return page('totp-new', setting, {
    sealedSeed,
    seed: inFours(seed),
    qr: qrCode(uri),
    backPath: rootOf(setting),
    otherPath: null,
  });
}

export function recoveryCodesPage(codes: readonly string[], setting: SecuritySetting): Page {
  return page('recovery-codes', setting, { codes, nextPath: rootOf(setting), donePath: null });
}

function rootOf({ tenant }: SecuritySetting): string {
  return `/t/${tenant.slug}/account/security`;
}

function provePath(due: 'SIGN_IN' | 'SECOND_FACTOR', setting: SecuritySetting): string {
  const returnTo = new URLSearchParams({ return_to: rootOf(setting) });
  if (due === 'SIGN_IN') return `${signInPath(setting.tenant)}?prompt=login&${returnTo}`;
  return `/t/${setting.tenant.slug}/second-factor?${returnTo}`;
}

function credentialFacts(language: Language, credential: CredentialRow | undefined) {
  if (!credential) return null;
  const { createdAt, lastUsedAt, remaining } = credential;
  return {
    since: dateInWords(language, createdAt),
    lastUsed: lastUsedAt && dateInWords(language, lastUsedAt),
    remaining: remaining === null ? null : String(remaining),
  };
}

function page(template: PageTemplate, setting: SecuritySetting, facts: Record<string, unknown>): Page {
  const { tenant, csrf, found, language } = setting;
  const shared = { ...alertFacts(found, language), csrf, root: rootOf(setting), declinePath: null, query: '' };
  return { ...pageOf(template, brandedFor(tenant, setting), { ...shared, ...facts }), status: found?.status ?? 200 };
}
