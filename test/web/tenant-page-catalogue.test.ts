/** Every page behind a tenant's door, in every language, rich and bare: whole, and without a sentence or a value left out. */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { SignInView } from '../../src/features/sign-in/sign-in.service.js';
import { later, MINUTE } from '../../src/kernel/clock.js';
import { type Language, languages } from '../../src/kernel/languages.js';
import { problem } from '../../src/web/error-pages.js';
import type { Page } from '../../src/web/page.js';
import { PageRenderer } from '../../src/web/page-renderer.js';
import {
  accountPage,
  appsPage,
  leftPage,
  signedInPage,
  signedOutPage,
  signInPage,
  signInStartPage,
} from '../../src/web/tenant-pages.js';

const now = new Date('2026-11-20T12:00:00Z');
const bare = {
  tenantId: 'tnt_1',
  slug: 'contoso',
  tenantName: 'Contoso',
  defaultLanguage: 'en' as const,
  logoPath: null,
  accentColor: '#1f5fbf',
  supportEmail: null,
  privacyStatementUrl: null,
  termsOfUseUrl: null,
};
const rich = {
  ...bare,
  logoPath: '/t/contoso/logo/0123',
  supportEmail: 'help@contoso.example',
  privacyStatementUrl: 'https://contoso.example/privacy',
  termsOfUseUrl: 'https://contoso.example/terms',
};
const provider = { kind: 'OIDC', providerId: 'idp_1', displayName: 'Fabrikam', issuer: 'https://x.example' } as const;
const passcode = { kind: 'EMAIL_PASSCODE', providerId: null, displayName: 'E-mail passcode' } as const;
const terms = { version: 2, language: 'en', hash: 'a hash', markdown: '# House rules' } as const;
const guest = { email: 'ada@fabrikam.example', displayName: 'Ada', preferredLanguage: null };
const csrf = 'csrf';

let renderer: PageRenderer;
beforeAll(async () => {
  renderer = await PageRenderer.load(join(import.meta.dirname, '../../templates'));
});

function viewOf(tenant: typeof bare, language: Language, change: Partial<SignInView> = {}): SignInView {
  const flow = {
    id: 'rdm_1',
    purpose: 'SIGN_IN',
    email: guest.email,
    language,
    hasPasscode: false,
    mismatchedEmail: null,
    secondFactorAt: null,
    amr: [],
    expiresAt: later(now, 30 * MINUTE),
  };
  const view = { flow, tenant, methods: [passcode], isProven: false, guest: null, terms: null, ...change };
  return { ...view, flow: { ...flow, ...change.flow } } as unknown as SignInView;
}

function pagesIn(language: Language): Page[] {
  const setting = { now, language };
  const waiting = { state: 'PENDING_ACCEPTANCE', accountEnabled: true } as unknown as SignInView['guest'];
  const known = { state: 'ACCEPTED', accountEnabled: true } as unknown as SignInView['guest'];
  const sent = { hasPasscode: true } as SignInView['flow'];
  const changing = { hasPasscode: true, purpose: 'CHANGE_ADDRESS' } as SignInView['flow'];
  return [bare, rich as unknown as typeof bare].flatMap((tenant) => {
    const session = { id: 'ses_1', identityId: 'idn_1' } as Parameters<typeof accountPage>[1]['session'];
    const identity = { id: 'idn_1', kind: 'OIDC', providerName: 'Fabrikam', address: null, linkedAt: now } as const;
    const account = {
      guest,
      identities: [
        identity,
        { ...identity, id: 'idn_2', kind: 'EMAIL_PASSCODE', providerName: null, address: guest.email } as const,
      ],
      sessions: [
        { id: 'ses_1', device: null, createdAt: now, lastSeenAt: now },
        { id: 'ses_2', device: 'Firefox on Windows', createdAt: now, lastSeenAt: now },
      ],
      due: null,
    };
    const show = (view: SignInView, more: Parameters<typeof signInPage>[3] = {}) =>
      signInPage(view, csrf, setting, more);
    return [
      signInStartPage(tenant, { csrf, returnTo: null, email: '', withAccount: false }, setting, null),
      signInStartPage(
        tenant,
        { csrf, returnTo: '/t/contoso/apps', email: 'x', withAccount: true },
        setting,
        problem('ADDRESS_INVALID'),
      ),
      show(viewOf(tenant, language)),
      show(viewOf(tenant, language, { flow: sent }), { found: problem('TOO_MANY_ATTEMPTS', 61) }),
      show(viewOf(tenant, language, { flow: changing })),
      show(viewOf(tenant, language, { methods: [provider, passcode] }), { found: problem('NOT_A_GUEST') }),
      show(viewOf(tenant, language, { methods: [] })),
      show(viewOf(tenant, language, { isProven: true, guest: waiting })),
      show(viewOf(tenant, language, { isProven: true, guest: waiting, terms }), { terms }),
      show(viewOf(tenant, language, { isProven: true, guest: known, terms }), { terms }),
      show(viewOf(tenant, language, { isProven: true })),
      signedInPage(tenant, { guest, csrf }, setting, '/t/contoso/apps'),
      appsPage(tenant, { guest: { ...guest, displayName: null }, csrf }, setting, { search: '', found: [] }),
      appsPage(tenant, { guest, csrf }, setting, { search: 'nothing', found: [] }),
      appsPage(tenant, { guest, csrf }, setting, {
        search: '',
        found: [
          {
            appId: 'app_1',
            displayName: 'Orders',
            openPath: '/t/contoso/apps/app_1',
            logoPath: null,
            lastUsedAt: setting.now,
          },
        ],
      } as never),
      accountPage(tenant, { account, session, csrf }, setting, null),
      accountPage(
        tenant,
        { account: { ...account, due: 'SIGN_IN' }, session, csrf },
        setting,
        problem('PROOF_REQUIRED'),
      ),
      accountPage(tenant, { account: { ...account, due: 'SECOND_FACTOR' }, session, csrf }, setting, null),
      signedOutPage(tenant, setting, null),
      signedOutPage(tenant, setting, { name: 'Fabrikam', path: '/t/contoso/sign-out/provider' }),
      leftPage(tenant, setting),
    ];
  });
}

describe.each(languages)('every page of a tenant in %s', (language) => {
  it('is whole, says its language, and leaves no sentence or value out', () => {
    for (const page of pagesIn(language)) {
      const html = renderer.render(page);
      expect(html).toContain(`<html lang="${language}">`);
      expect([page.template, html.match(/<h1/g)?.length]).toEqual([page.template, 1]);
      expect([page.template, html]).toEqual([
        page.template,
        expect.not.stringMatching(/undefined|\[object|\{\{|action=""|href=""/),
      ]);
    }
  });

  it('leads each form that changes something to a path of the tenant or the flow, with its token', () => {
    for (const page of pagesIn(language)) {
      for (const [form] of renderer.render(page).matchAll(/<form[^>]* method="post".*?<\/form>/gs)) {
        expect(form).toMatch(/method="post" action="\/(t\/contoso|s\/rdm_1)(\/[a-z/-]+)?"/);
        expect(form).toContain('<input type="hidden" name="csrf" value="csrf">');
        expect(form.match(/<button/g)).toHaveLength(1);
      }
    }
  });
});
