import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../../support/gateway.js';
import { until } from '../../support/until.js';
import { GuestBrowser, passcodesTo, proveByPasscode, requestPasscode, startAt } from '../../web/guest-browser.js';

let gateway: TestGateway;
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.stop());

interface Text {
  language: string;
  markdown: string;
}

const english: Text = {
  language: 'en',
  markdown: '# House rules\n\nBe **kind**. See [all](https://contoso.example/all).',
};
const korean: Text = { language: 'ko', markdown: '서로 존중합니다.' };

async function publish(tenantId: string, texts: Text[]) {
  const { publishTermsOfUse } = await gateway.ask(
    `mutation ($input: PublishTermsOfUseInput!) { publishTermsOfUse(input: $input) {
      termsOfUse { version publishedBy { kind } texts { language markdown html hash } } userErrors { code field } } }`,
    { input: { tenantId, texts } },
  );
  return publishTermsOfUse;
}

async function tenantWith(...texts: Text[]): Promise<string> {
  const { id } = await gateway.createTenant({ displayName: 'Contoso' });
  if (texts.length > 0) await publish(id, texts);
  return id;
}

async function invite(tenantId: string, input: object = {}) {
  const email = `guest${++people}@fabrikam.example`;
  return { email, ...(await gateway.inviteUser({ tenantId, email, ...input })) };
}

async function acceptancesOf(externalUserId: string) {
  const { node } = await gateway.ask(
    'query ($id: ID!) { node(id: $id) { ... on ExternalUser { termsAcceptances { version language hash acceptedAt } } } }',
    { id: externalUserId },
  );
  return node.termsAcceptances as { version: number; language: string; hash: string }[];
}

describe('publishing terms of use', () => {
  it('makes numbered versions, of which the last is in force and all can be read', async () => {
    const tenantId = await tenantWith(english);
    const second = await publish(tenantId, [{ language: 'en', markdown: 'Be kinder.' }, korean]);
    expect(second.termsOfUse).toMatchObject({
      version: 2,
      publishedBy: { kind: 'API_KEY' },
      texts: [{ language: 'en', html: '<p>Be kinder.</p>\n' }, { language: 'ko' }],
    });
    const { tenant } = await gateway.ask(
      'query ($id: ID) { tenant(id: $id) { now: termsOfUse { version } first: termsOfUse(version: 1) { texts { markdown } } none: termsOfUse(version: 9) { version } } }',
      { id: tenantId },
    );
    expect(tenant).toEqual({ now: { version: 2 }, first: { texts: [{ markdown: english.markdown }] }, none: null });
  });

  it('of the same texts again changes nothing, so that nobody is asked twice', async () => {
    const tenantId = await tenantWith(english, korean);
    expect((await publish(tenantId, [korean, english])).termsOfUse.version).toBe(1);
    expect((await publish(tenantId, [english])).termsOfUse.version).toBe(2);
  });

  it('ends with their withdrawal; the next version has the next number', async () => {
    const tenantId = await tenantWith(english);
    await gateway.ask(
      'mutation ($input: WithdrawTermsOfUseInput!) { withdrawTermsOfUse(input: $input) { termsOfUse { version } userErrors { code } } }',
      { input: { tenantId } },
    );
    const { tenant } = await gateway.ask('query ($id: ID) { tenant(id: $id) { termsOfUse { version } } }', {
      id: tenantId,
    });
    expect(tenant.termsOfUse).toBeNull();
    expect((await publish(tenantId, [english])).termsOfUse.version).toBe(2);
  });

  it('tells every problem of the texts at once', async () => {
    const tenantId = await tenantWith();
    const document =
      'mutation ($input: PublishTermsOfUseInput!) { publishTermsOfUse(input: $input) { termsOfUse { version } userErrors { code field } } }';
    const refused = async (texts: Text[]) =>
      (await gateway.gql(document, { input: { tenantId, texts } })).data.publishTermsOfUse.userErrors;
    expect(await refused([])).toEqual([{ code: 'REQUIRED', field: ['texts'] }]);
    expect(
      await refused([{ language: 'xx', markdown: ' ' }, english, { ...english, markdown: 'x'.repeat(100_001) }]),
    ).toEqual([
      { code: 'REQUIRED', field: ['texts', '0', 'markdown'] },
      { code: 'LANGUAGE_UNSUPPORTED', field: ['texts', '0', 'language'] },
      { code: 'TOO_LONG', field: ['texts', '2', 'markdown'] },
      { code: 'TAKEN', field: ['texts', '2', 'language'] },
    ]);
  });
});

describe('a guest of a tenant with terms of use', () => {
  it('sees them on the page of the consent, and what was agreed to is kept by version, language and hash', async () => {
    const tenantId = await tenantWith(english, korean);
    const guest = await invite(tenantId);
    const browser = new GuestBrowser();
    const consent = await proveByPasscode(gateway, browser, guest.redeemUrl, guest.email);
    expect(consent.html).toContain('<h3>House rules</h3>');
    expect(consent.html).toContain('Be <strong>kind</strong>');
    expect(consent.html).toContain('By accepting you agree to these terms of use of Contoso.');
    expect(consent.html).toContain('Agree to the terms and accept');
    const landed = await browser.submit(consent, '/accept');
    expect(landed.html).toContain('You are a guest of Contoso now');
    const { hash } = (await publish(tenantId, [english, korean])).termsOfUse.texts[0];
    expect(await acceptancesOf(guest.externalUserId)).toEqual([
      { version: 1, language: 'en', hash, acceptedAt: expect.any(String) },
    ]);
    const [consented] = await gateway.sql<{ detail: string }>(
      "select detail from event where invitation_id = $1 and type = 'CONSENTED'",
      [guest.id],
    );
    expect(consented?.detail).toBe('Terms of use, version 1.');
  });

  it('reads them in the language of the invitation, or in the tenant’s where there is none', async () => {
    const both = await tenantWith(english, korean);
    const guest = await invite(both, { language: 'ko' });
    const page = await proveByPasscode(gateway, new GuestBrowser(), guest.redeemUrl, guest.email);
    expect(page.html).toContain('<div class="terms" role="region" aria-labelledby="terms" tabindex="0" lang="ko">');
    expect(page.html).toContain('서로 존중합니다.');
    const one = await tenantWith(english);
    const other = await invite(one, { language: 'ko' });
    const shown = await proveByPasscode(gateway, new GuestBrowser(), other.redeemUrl, other.email);
    expect(shown.html).toContain('lang="en"');
    expect(shown.html).toContain('House rules');
  });

  it('agrees only to what was shown: a version published meanwhile is shown first', async () => {
    const tenantId = await tenantWith(english);
    const guest = await invite(tenantId);
    const browser = new GuestBrowser();
    const consent = await proveByPasscode(gateway, browser, guest.redeemUrl, guest.email);
    await publish(tenantId, [{ language: 'en', markdown: 'Pay us.' }]);
    const again = await browser.submit(consent, '/accept');
    expect([again.status, again.html]).toEqual([422, expect.stringContaining('The terms have changed')]);
    expect(again.html).toContain('Pay us.');
    expect(await acceptancesOf(guest.externalUserId)).toEqual([]);
    expect((await browser.submit(again, '/accept')).html).toContain('You are a guest');
    expect(await acceptancesOf(guest.externalUserId)).toMatchObject([{ version: 2 }]);
  });

  it('is shown them over GraphQL as well, before the consent', async () => {
    const tenantId = await tenantWith(english);
    const guest = await invite(tenantId);
    const { data } = await gateway.gql(
      'mutation ($token: String!) { beginRedemption(input: { token: $token }) { redemption { terms { version language markdown html } } userErrors { code } } }',
      { token: new URL(guest.redeemUrl).pathname.split('/').at(-1) },
      { key: null },
    );
    expect(data.beginRedemption.redemption.terms).toMatchObject({
      version: 1,
      ...english,
      html: expect.stringContaining('<h3>'),
    });
  });

  it('is not asked when the partner settings of the domain say so, the most specific ones', async () => {
    const tenantId = await tenantWith(english);
    const addPartner = (displayName: string, domains: string[], skipsTermsOfUse: boolean) =>
      gateway.ask(
        'mutation ($input: CreatePartnerInput!) { createPartner(input: $input) { partner { skipsTermsOfUse } userErrors { code field message } } }',
        { input: { tenantId, displayName, domains, skipsTermsOfUse } },
      );
    await addPartner('Tailspin', ['tailspin.example', '*.tailspin.example'], true);
    await addPartner('Tailspin Labs', ['labs.tailspin.example'], false);
    const isAsked = async (domain: string) => {
      const { redeemUrl } = await gateway.inviteUser({ tenantId, email: `guest${++people}@${domain}` });
      const { data } = await gateway.gql(
        'mutation ($token: String!) { beginRedemption(input: { token: $token }) { redemption { terms { version } } } }',
        { token: new URL(redeemUrl).pathname.split('/').at(-1) },
        { key: null },
      );
      return data.beginRedemption.redemption.terms !== null;
    };
    const asked = {
      'tailspin.example': false,
      'eu.tailspin.example': false,
      'labs.tailspin.example': true,
      'nottailspin.example': true,
    };
    for (const [domain, expected] of Object.entries(asked))
      expect([domain, await isAsked(domain)]).toEqual([domain, expected]);
  });

  it('is asked nothing more when there are none', async () => {
    const guest = await invite(await tenantWith());
    const browser = new GuestBrowser();
    const { page, passcode } = await requestPasscode(
      gateway,
      browser,
      await startAt(browser, guest.redeemUrl),
      guest.email,
    );
    const consent = await browser.submit(page, '/passcode', { passcode });
    expect(consent.html).not.toContain('class="terms"');
    expect((await browser.submit(consent, '/accept')).html).toContain('You are a guest');
    expect(await acceptancesOf(guest.externalUserId)).toEqual([]);
  });
});

describe('a guest who comes back', () => {
  async function comeBack(slug: string, email: string) {
    const browser = new GuestBrowser();
    const before = passcodesTo(gateway, email).length;
    const start = await browser.get(`${gateway.url}/t/${slug}/sign-in`);
    const page = await browser.submit(start, '/sign-in', { email });
    const passcode = await until(() => passcodesTo(gateway, email)[before], 'the passcode');
    return { browser, page: await browser.submit(page, '/passcode', { passcode }) };
  }

  it('agrees to a new version before the session, once, and not to what was not shown', async () => {
    const { id, slug } = await gateway.createTenant({ displayName: 'Contoso' });
    const guest = await invite(id);
    const first = new GuestBrowser();
    await first.submit(await proveByPasscode(gateway, first, guest.redeemUrl, guest.email), '/accept');
    expect((await comeBack(slug, guest.email)).page.url.pathname).toBe(`/t/${slug}/apps`);
    await publish(id, [english]);
    const { browser, page } = await comeBack(slug, guest.email);
    expect(page.html).toContain('<h1 id="terms">New terms of use of Contoso</h1>');
    expect((await browser.get(`${gateway.url}/t/${slug}/apps`)).url.pathname).toBe(`/t/${slug}/sign-in`);
    await publish(id, [{ language: 'en', markdown: 'Pay us.' }]);
    const again = await browser.submit(page, '/accept');
    expect(again.html).toContain('Pay us.');
    expect(await acceptancesOf(guest.externalUserId)).toEqual([]);
    expect((await browser.submit(again, '/accept')).url.pathname).toBe(`/t/${slug}/apps`);
    expect(await acceptancesOf(guest.externalUserId)).toMatchObject([{ version: 2, language: 'en' }]);
    expect((await comeBack(slug, guest.email)).page.url.pathname).toBe(`/t/${slug}/apps`);
  });
});
