import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { FlowView, Offer } from '../../src/features/redemption/redemption.service.js';
import { later, MINUTE } from '../../src/kernel/clock.js';
import { languages } from '../../src/kernel/languages.js';
import { consentSentences } from '../../src/openid-provider/interaction-pages.js';
import { problem, problemCodes } from '../../src/web/error-pages.js';
import { alertFacts, flowPage, leavingPage, linkPage, page, problemPage } from '../../src/web/guest-pages.js';
import type { Page } from '../../src/web/page.js';
import { PageRenderer } from '../../src/web/page-renderer.js';
import { unsubscribeFlowPage, unsubscribePage } from '../../src/web/unsubscribe-page.js';

const templates = join(import.meta.dirname, '../../templates');
const now = new Date('2026-11-20T12:00:00Z');
const setting = { now, language: 'en' as const };
const signIn = {
  kind: 'OIDC',
  providerId: 'idp_1',
  displayName: 'Fabrikam',
  issuer: 'https://login.fabrikam.example',
} as const;
const passcode = { kind: 'EMAIL_PASSCODE', providerId: null, displayName: 'E-mail passcode' } as const;

const terms = { version: 2, language: 'en', hash: 'a hash', markdown: '# House rules\n\n* Be kind.' } as const;

let renderer: PageRenderer;
beforeAll(async () => {
  renderer = await PageRenderer.load(templates);
});

function offerIn(language: Offer['language'], change: Partial<Offer> = {}): Offer {
  return {
    invitationId: 'inv_1',
    tenantId: 'tnt_1',
    externalUserId: 'usr_1',
    email: 'ada@fabrikam.example',
    emailKey: 'ada@fabrikam.example',
    guestName: 'Ada',
    inviterName: 'Kim Min-ji',
    inviterRevoked: false,
    isOwnDomain: false,
    isAutomatic: false,
    domainRefusal: null,
    accountEnabled: true,
    secondFactorRequired: false,
    hasTotp: false,
    hasLocalAccount: false,
    appGrants: [],
    message: 'Welcome\n\nto the project',
    language,
    startedAt: null,
    status: 'PENDING',
    expiresAt: later(now, 40 * MINUTE),
    linkVersion: 1,
    declineProven: false,
    tenantName: 'Contoso',
    logoUrl: 'https://cdn.example/logo.png',
    logoPath: '/t/contoso/logo/0123',
    accentColor: '#ffe600',
    supportEmail: 'help@contoso.example',
    privacyStatementUrl: 'https://contoso.example/privacy',
    termsOfUseUrl: 'https://contoso.example/terms',
    terms: null,
    appName: 'Order Desk',
    landingUrl: 'https://orders.contoso.example/',
    ...change,
  };
}

function viewOf(offer: Offer, change: Partial<FlowView['flow']> = {}, rest: Partial<FlowView> = {}): FlowView {
  const flow = {
    id: 'rdm_1',
    tenantId: 'tnt_1',
    invitationId: 'inv_1',
    linkVersion: 1,
    purpose: 'REDEEM' as const,
    email: null,
    emailKey: null,
    language: null,
    externalUserId: null,
    sessionId: null,
    returnTo: null,
    amr: [],
    secondFactorAt: null,
    sessionOpenedAt: null,
    status: 'STARTED' as const,
    provenAt: null,
    proofKind: null,
    proofProviderId: null,
    proofIssuer: null,
    proofSubject: null,
    proofDisplayName: null,
    proofEmailKey: null,
    unaddressedIdentity: null,
    mismatchedEmail: null,
    createdAt: now,
    expiresAt: later(now, 30 * MINUTE),
    hasPasscode: false,
    ...change,
  };
  return { flow, offer, methods: [passcode], isProven: false, ...rest };
}

/** Every kind of page, rich and bare. */
function pagesIn(language: Offer['language']): Page[] {
  const bare = {
    inviterName: null,
    message: null,
    appName: null,
    landingUrl: null,
    logoUrl: null,
    logoPath: null,
    supportEmail: null,
    privacyStatementUrl: null,
    termsOfUseUrl: null,
  };
  return [offerIn(language), offerIn(language, bare)].flatMap((offer) => [
    linkPage({ offer, refusal: null, isDeclined: false, isRedeemedHere: false }, 'token', 'csrf', setting),
    linkPage({ offer, refusal: null, isDeclined: true, isRedeemedHere: false }, 'token', 'csrf', setting),
    linkPage(
      { offer, refusal: 'ALREADY_REDEEMED', isDeclined: false, isRedeemedHere: false },
      'token',
      'csrf',
      setting,
    ),
    flowPage(viewOf(offer), 'csrf', setting),
    flowPage(viewOf(offer, { hasPasscode: true }), 'csrf', setting, { found: problem('RATE_LIMITED', 61) }),
    flowPage(viewOf(offer, {}, { methods: [signIn] }), 'csrf', setting),
    flowPage(viewOf(offer, {}, { methods: [signIn, passcode] }), 'csrf', setting),
    flowPage(viewOf(offer, { hasPasscode: true }, { methods: [signIn, passcode] }), 'csrf', setting),
    flowPage(viewOf(offer, {}, { methods: [passcode, signIn] }), 'csrf', setting),
    flowPage(viewOf(offer, { mismatchedEmail: 's•••@x•••.example' }, { methods: [signIn] }), 'csrf', setting),
    flowPage(viewOf({ ...offer, isAutomatic: true }, { status: 'PROVEN' }, { isProven: true }), 'csrf', setting),
    flowPage(viewOf(offer, { status: 'PROVEN' }, { isProven: true }), 'csrf', setting),
    flowPage(viewOf(offer, { status: 'PROVEN' }, { isProven: true }), 'csrf', setting, { terms }),
    flowPage(viewOf(offer, { status: 'REDEEMED' }), 'csrf', setting),
    flowPage(viewOf(offer, { status: 'DECLINED' }), 'csrf', setting, { unsubscribePath: '/unsubscribe/token' }),
    flowPage(viewOf(offer, { status: 'DECLINED', provenAt: now }), 'csrf', setting),
    unsubscribePage(offer, 'token', 'csrf'),
    unsubscribeFlowPage(
      { flowId: 'rdm_1', recipient: offer, isProven: false, isUnsubscribed: false },
      'csrf',
      problem('PASSCODE_WRONG'),
    ),
    unsubscribeFlowPage({ flowId: 'rdm_1', recipient: offer, isProven: true, isUnsubscribed: false }, 'csrf', null),
    unsubscribeFlowPage({ flowId: 'rdm_1', recipient: offer, isProven: true, isUnsubscribed: true }, 'csrf', null),
    leavingPage(offer, { url: 'https://orders.contoso.example/?a=1&b=2', name: 'Order Desk', reason: 'app' }),
    leavingPage(offer, { url: 'https://login.fabrikam.example/', name: 'Fabrikam', reason: 'provider' }),
    page('unrequested-sign-in', offer, {
      action: '/saml/rdm_1/sign-in',
      csrf: 'csrf',
      state: 'state',
      email: offer.email,
      provider: 'Fabrikam',
    }),
    page('terms', offer, {
      ...alertFacts(null, language),
      flowPath: '/r/rdm_1',
      startPath: '/t/contoso/sign-in',
      csrf: 'csrf',
      consentVersion: 'version',
      terms: { language, html: '<h3>House rules</h3>' },
    }),
    ...problemCodes.map((code) => problemPage(problem(code), setting, { offer, continueTo: '/r/rdm_1' })),
  ]);
}

const voidElements = new Set(['meta', 'link', 'img', 'input', '!doctype']);

/** Names of elements left open or closed out of order. */
function unbalanced(html: string): string[] {
  const open: string[] = [];
  for (const [, slash, name = ''] of html.matchAll(/<(\/?)(!?[a-z0-9]+)/g)) {
    if (voidElements.has(name)) continue;
    if (!slash) open.push(name);
    else if (open.pop() !== name) return [name];
  }
  return open;
}

describe.each(languages)('every page in %s', (language) => {
  it('is whole, says its language, and leaves no sentence or value out', () => {
    for (const page of pagesIn(language)) {
      const html = renderer.render(page);
      expect([page.template, unbalanced(html)]).toEqual([page.template, []]);
      expect(html).toContain(`<html lang="${language}">`);
      expect(html.match(/<h1/g)).toHaveLength(1);
      expect(html).not.toMatch(/undefined|\[object|\{\{|action=""|href=""/);
    }
  });

  it('leads each form to a step of its own, with its token', () => {
    for (const page of pagesIn(language)) {
      for (const [form] of renderer.render(page).matchAll(/<form.*?<\/form>/gs)) {
        expect(form).toMatch(
          /method="post" action="\/(redeem\/token|r\/rdm_1|unsubscribe\/token|u\/rdm_1|saml\/rdm_1)(\/[a-z/-]+)?"/,
        );
        expect(form).toContain('<input type="hidden" name="csrf" value="csrf">');
        expect(form.match(/<button/g)).toHaveLength(1);
      }
    }
  });
});

it('a logo comes from our own origin, never from where the tenant keeps it', () => {
  const html = renderer.render(flowPage(viewOf(offerIn('en')), 'csrf', setting));
  expect(html).toContain('<img class="logo" src="/t/contoso/logo/0123" alt="Contoso"');
  expect(html).not.toContain('cdn.example');
});

it('no sentence for pages is left unused', () => {
  const files = readdirSync(join(templates, 'web'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.hbs'),
  );
  const source = files.map((file) => readFileSync(join(templates, 'web', file), 'utf8')).join('\n');
  const used = new Set([...source.matchAll(/\bt "([^"]+)"/g)].map(([, key]) => key));
  for (const code of problemCodes) for (const part of ['title', 'text']) used.add(`web.problem.${code}.${part}`);
  for (const key of consentSentences) used.add(key);
  const catalogue = JSON.parse(readFileSync(join(templates, 'locales/en.json'), 'utf8')) as { web: object };
  // Looked up by a name that is known at run time only: `web.openid.consent.scopes.${scope}`.
  const code = sourcesIn(join(import.meta.dirname, '../../src/openid-provider'));
  const prefixes = [...code.join('\n').matchAll(/`(web\.[\w.]+\.)\$\{/g)].map(([, prefix = '']) => prefix);
  const isUsed = (key: string) => used.has(key) || prefixes.some((prefix) => key.startsWith(prefix));
  expect(keysOf(catalogue.web, 'web').filter((key) => !isUsed(key))).toEqual([]);
});

function sourcesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(directory, file), 'utf8'));
}

function keysOf(value: object, prefix: string): string[] {
  return Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === 'string' ? [`${prefix}.${key}`] : keysOf(inner as object, `${prefix}.${key}`),
  );
}
