/** Every page about credentials, with everything and with nothing, in every language. */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { AccountSecurity } from '../../src/features/credentials/account-security.service.js';
import type { CredentialRow } from '../../src/features/credentials/second-factors.queries.js';
import { type Language, languages } from '../../src/kernel/languages.js';
import { problem } from '../../src/web/error-pages.js';
import { factorStepPage } from '../../src/web/factor-step.js';
import type { Page } from '../../src/web/page.js';
import { PageRenderer } from '../../src/web/page-renderer.js';
import {
  codesPage,
  type FactorSetting,
  newPasskeyFactorPage,
  passwordPage,
  setUpPage,
  totpFactorPage,
  useCodePage,
  usePasskeyPage,
} from '../../src/web/second-factor-facts.js';
import { newPasskeyPage, recoveryCodesPage, securityPage, totpPage } from '../../src/web/security-page-facts.js';

const now = new Date('2026-11-20T12:00:00Z');
const codes = ['abcde-12345', 'fghjk-67890'];
const enrolment = { sealedSeed: 'sealed', seed: 'ABCDEFGH', uri: 'otpauth://totp/Contoso:ada?secret=ABCDEFGH' };
const all = { passkeys: 2, hasTotp: true, recoveryCodes: 3 };
const none = { passkeys: 0, hasTotp: false, recoveryCodes: 0 };
const options = { challenge: '"><script>', rpId: 'contoso.example' };

let renderer: PageRenderer;
beforeAll(async () => {
  renderer = await PageRenderer.load(join(import.meta.dirname, '../../templates'));
});

const brand = {
  tenantName: 'Contoso',
  logoPath: null,
  accentColor: '#1f5fbf',
  supportEmail: 'help@contoso.example',
  privacyStatementUrl: null,
};

function credential(kind: CredentialRow['kind'], more: Partial<CredentialRow> = {}): CredentialRow {
  return {
    externalUserId: 'usr_1',
    kind,
    id: null,
    label: null,
    createdAt: now,
    lastUsedAt: null,
    remaining: null,
    ...more,
  };
}

function securityIn(change: Partial<AccountSecurity>): AccountSecurity {
  const owner = {
    tenantId: 'tnt_1',
    externalUserId: 'usr_1',
    email: 'ada@fabrikam.example',
    emailKey: 'ada@fabrikam.example',
    displayName: 'Ada',
    tenantName: 'Contoso',
    tenantSlug: 'contoso',
  };
  const credentials = [
    credential('PASSWORD', { lastUsedAt: now }),
    credential('PASSKEY', { id: 'pky_1', label: 'Work <laptop>', lastUsedAt: now }),
    credential('PASSKEY', { id: 'pky_2', label: '' }),
    credential('TOTP'),
    credential('RECOVERY_CODES', { remaining: 3 }),
  ];
  return { owner, credentials, factors: all, due: null, hasLocalAccount: true, ...change };
}

function pagesIn(language: Language): Page[] {
  const tenant = { ...brand, tenantId: 'tnt_1', slug: 'contoso', defaultLanguage: language, termsOfUseUrl: null };
  const account = { now, language, tenant, csrf: 'csrf', found: null };
  const inFlow: FactorSetting = {
    branded: { ...brand, language },
    csrf: 'csrf',
    found: null,
    root: '/r/rdm_1/second-factor',
    query: '',
    declinePath: '/r/rdm_1/decline',
    flowPath: '/r/rdm_1',
  };
  const inSession = {
    ...inFlow,
    root: '/t/contoso/second-factor',
    query: '?return_to=x',
    declinePath: null,
    flowPath: null,
  };
  return [
    securityPage(securityIn({}), account),
    securityPage(securityIn({ due: 'SIGN_IN' }), { ...account, found: problem('PROOF_REQUIRED') }),
    securityPage(securityIn({ due: 'SECOND_FACTOR', hasLocalAccount: false }), account),
    securityPage(securityIn({ credentials: [], factors: none }), { ...account, found: problem('PASSWORD_GUESSABLE') }),
    newPasskeyPage(options, account),
    totpPage(enrolment, { ...account, found: problem('SECOND_FACTOR_WRONG') }),
    recoveryCodesPage(codes, account),
    ...[inFlow, inSession, { ...inFlow, found: problem('SECOND_FACTOR_LOCKED', 61) }].flatMap((setting) => [
      usePasskeyPage(options, all, setting),
      usePasskeyPage(options, null, setting),
      newPasskeyFactorPage(options, setting),
      useCodePage(all, setting),
      useCodePage({ ...none, recoveryCodes: 1 }, setting),
      setUpPage(setting),
      totpFactorPage(enrolment, setting),
      codesPage(codes, setting, { nextPath: '/t/contoso/apps', donePath: null }),
      codesPage(codes, setting, { nextPath: null, donePath: '/s/rdm_1/second-factor/done' }),
      passwordPage('ada@fabrikam.example', { ...setting, flowPath: '/s/rdm_1' }),
      passwordPage(null, { ...setting, flowPath: '/r/rdm_1' }),
    ]),
  ];
}

describe.each(languages)('every page about credentials in %s', (language) => {
  it('is whole, says its language, and leaves no sentence or value out', () => {
    for (const page of pagesIn(language)) {
      const html = renderer.render(page);
      expect(html).toContain(`<html lang="${language}">`);
      expect([page.template, html.match(/<h1/g)?.length]).toEqual([page.template, 1]);
      expect(html).not.toMatch(/undefined|\[object|\{\{|action=""|href=""/);
    }
  });

  it('has a token and one button in each form, and a name for each field', () => {
    for (const page of pagesIn(language)) {
      const html = renderer.render(page);
      for (const [form] of html.matchAll(/<form.*?<\/form>/gs)) {
        expect(form).toMatch(/method="post" action="\/(r|s|t)\/[\w/?&#;-]+"/);
        expect(form).toContain('<input type="hidden" name="csrf" value="csrf">');
        expect(form.match(/<button/g)).toHaveLength(1);
        for (const [, id] of form.matchAll(/<input class="[^"]*" id="([^"]*)"/g))
          expect(form).toContain(`<label for="${id}">`);
      }
    }
  });

  it('takes names and options for text', () => {
    const html = pagesIn(language).map((page) => renderer.render(page));
    expect(html.join('')).not.toContain('"><script>');
    expect(html.join('')).not.toContain('<laptop>');
  });
});

it('a flow shows the quickest factor there is', () => {
  const shown = (factors: typeof all) => factorStepPage({ factors, passkeyOptions: {} }, '/r/rdm_1/second-factor')[0];
  expect(shown(all)).toBe('passkey-use');
  expect(shown({ ...none, hasTotp: true })).toBe('second-factor');
  expect(shown(none)).toBe('second-factor-set-up');
  expect(shown({ ...none, recoveryCodes: 2 })).toBe('second-factor-set-up');
});
