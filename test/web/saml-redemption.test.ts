import { Writable } from 'node:stream';
import { inflateRawSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { pino } from 'pino';
import { nameIdFormatUris } from '../../src/features/identity-providers/saml-response.rules.js';
import { DAY, later, MINUTE } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { signInAt } from '../support/openid-provider.js';
import { responseXml, signAssertion } from '../support/saml-forge.js';
import { type PostedAnswer, postAnswer, samlSignInAt } from '../support/saml-provider.js';
import { until } from '../support/until.js';
import { GuestBrowser, pressContinue, startAt, type WebPage } from './guest-browser.js';
import { addPartner } from './partner.js';
import { addSamlPartner, type SamlPartner } from './saml-partner.js';

let gateway: TestGateway;
let tenantId: string;
let partner: SamlPartner;
let people = 0;

const logged: string[] = [];

beforeAll(async () => {
  const sink = new Writable({
    write(chunk, _encoding, done) {
      logged.push(String(chunk));
      done();
    },
  });
  gateway = await startTestGateway({ log: pino({ level: 'debug' }, sink) });
  tenantId = (await gateway.createTenant({ displayName: 'Contoso' })).id;
  partner = await addSamlPartner(gateway, tenantId, 'fabrikam.example');
});
afterEach(() => {
  for (const quirk of Object.keys(partner.provider.quirks)) delete partner.provider.quirks[quirk as 'isDown'];
});
afterAll(async () => {
  await partner.provider.stop();
  await gateway.stop();
});

async function invite() {
  const email = `guest${++people}@fabrikam.example`;
  return { email, ...(await gateway.inviteUser({ tenantId, email })) };
}

/** To the provider's page and through it, up to the form it would have the browser post. */
async function signIn(browser: GuestBrowser, page: WebPage, email: string): Promise<PostedAnswer> {
  const leaving = await browser.submit(page, '/sign-in');
  return samlSignInAt(leaving.refreshTo ?? '', email);
}

/** The form is posted without our cookie, the redirect after it is followed with it. */
async function comeBack(browser: GuestBrowser, answer: PostedAnswer): Promise<WebPage> {
  const { location, html } = await postAnswer(answer);
  if (!location) throw new Error(`Not sent on: ${html}`);
  return browser.get(location);
}

async function eventsOf(invitationId: string) {
  return gateway.sql<{ type: string; reason: string | null; detail: string | null }>(
    "select type, reason, detail from event where invitation_id = $1 and type not like 'MAIL%' order by seq",
    [invitationId],
  );
}

const statusOf = async (id: string) => (await gateway.sql('select status from invitation where id = $1', [id]))[0];

describe('a guest whose organisation signs in by SAML', () => {
  it('is linked by the provider, its entityID and the persistent NameID, and brings the name along', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const leaving = await pressContinue(browser, guest.redeemUrl);
    const consent = await comeBack(browser, await samlSignInAt(leaving.refreshTo ?? '', guest.email));
    await browser.submit(consent, '/accept');
    expect(
      await gateway.sql(
        'select identity_provider_id, issuer, subject, sign_in_type from identity where external_user_id = $1',
        [guest.externalUserId],
      ),
    ).toEqual([
      {
        identity_provider_id: partner.providerId,
        issuer: partner.provider.entityId,
        subject: Buffer.from(guest.email).toString('hex'),
        sign_in_type: 'SAML',
      },
    ]);
    expect(
      await gateway.sql('select state, display_name from external_user where id = $1', [guest.externalUserId]),
    ).toEqual([{ state: 'ACCEPTED', display_name: 'Ada Lovelace' }]);
    expect((await eventsOf(guest.id)).map((event) => event.type)).toEqual([
      'INVITED',
      'STARTED',
      'SIGN_IN_STARTED',
      'IDENTITY_PROVEN',
      'CONSENTED',
      'REDEEMED',
    ]);
  });

  it('leaves by a page of ours with a signed request, and takes no part of the link along', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const leaving = await browser.submit(await startAt(browser, guest.redeemUrl), '/sign-in');
    const to = new URL(leaving.refreshTo ?? '');
    expect([leaving.status, to.origin]).toEqual([200, new URL(partner.provider.entityId).origin]);
    expect([...to.searchParams.keys()].sort()).toEqual(['SAMLRequest', 'SigAlg', 'Signature', 'login_hint']);
    expect(decodeURIComponent(to.href)).not.toContain(new URL(guest.redeemUrl).pathname.split('.').at(-1));
    to.searchParams.set('Signature', Buffer.from('forged').toString('base64'));
    await expect(samlSignInAt(to, guest.email)).rejects.toThrow('not signed');
  });

  it('is offered no passcode', async () => {
    const browser = new GuestBrowser();
    const page = await startAt(browser, (await invite()).redeemUrl);
    expect(page.forms.map((form) => form.action.split('/').at(-1))).toEqual(['sign-in', 'decline']);
  });
});

describe('the answer of a SAML provider', () => {
  it('counts once, whether posted again or opened again', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const answer = await signIn(browser, await startAt(browser, guest.redeemUrl), guest.email);
    const { location } = await postAnswer(answer);
    const replayed = await postAnswer(answer);
    expect([replayed.status, replayed.location, replayed.html.includes('no longer valid')]).toEqual([404, null, true]);
    expect((await browser.get(location ?? '')).html).toContain('/accept');
    expect((await browser.get(location ?? '')).html).toContain('no longer valid');
    expect((await eventsOf(guest.id)).filter((event) => event.type === 'IDENTITY_PROVEN')).toHaveLength(1);
  });

  it('is taken once when it is posted several times at once', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const answer = await signIn(browser, await startAt(browser, guest.redeemUrl), guest.email);
    const answers = await Promise.all(Array.from({ length: 8 }, () => postAnswer(answer)));
    expect(answers.map(({ status }) => status).sort()).toEqual([303, ...Array(7).fill(404)]);
  });

  it('proves nothing in another browser, and is not spent there', async () => {
    const guest = await invite();
    const [mine, stolen] = [new GuestBrowser(), new GuestBrowser()];
    await startAt(stolen, (await invite()).redeemUrl);
    const answer = await signIn(mine, await startAt(mine, guest.redeemUrl), guest.email);
    const { location } = await postAnswer(answer);
    for (const browser of [stolen, new GuestBrowser()]) {
      const page = await browser.get(location ?? '');
      expect([page.status, page.html.includes('no longer valid')]).toEqual([404, true]);
    }
    expect((await mine.get(location ?? '')).html).toContain('/accept');
  });

  it('waits a few minutes for the browser, not longer', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const { location } = await postAnswer(await signIn(browser, await startAt(browser, guest.redeemUrl), guest.email));
    gateway.clock.advance(6 * MINUTE);
    const page = await browser.get(location ?? '');
    expect(page.forms.map((form) => form.action.split('/').at(-1))).toEqual(['sign-in', 'decline']);
    expect(page.html).not.toContain('/accept');
  });

  it('is taken once by its assertion too, whatever request it says to answer', async () => {
    const answers: PostedAnswer[] = [];
    for (const browser of [new GuestBrowser(), new GuestBrowser()]) {
      const guest = await invite();
      const leaving = await browser.submit(await startAt(browser, guest.redeemUrl), '/sign-in');
      const [, requestId = ''] = / ID="([^"]+)"/.exec(decodeRequest(leaving.refreshTo ?? '')) ?? [];
      answers.push(answerBy(requestId, guest.email));
    }
    const [first, second] = answers as [PostedAnswer, PostedAnswer];
    expect((await postAnswer(first)).status).toBe(303);
    expect((await postAnswer(second)).status).toBe(404);
    gateway.clock.advance(DAY + MINUTE);
    await gateway.sql("select graphile_worker.add_job('clean_up')");
    const spent = () => gateway.sql('select from spent_saml_assertion');
    await until(async () => (await spent()).length === 0, 'the replay cache to be swept');
  });

  it('is refused at the place of another provider, also of the same organisation at another tenant', async () => {
    const elsewhere = await gateway.createTenant();
    const other = await addSamlPartner(gateway, elsewhere.id, 'fabrikam.example', partner.provider);
    const guest = await invite();
    const browser = new GuestBrowser();
    const answer = await signIn(browser, await startAt(browser, guest.redeemUrl), guest.email);
    const misplaced = await postAnswer({ ...answer, action: other.acsUrl });
    expect([misplaced.status, misplaced.location]).toEqual([404, null]);
    expect((await comeBack(browser, answer)).html).toContain('/accept');
  });

  it('says nothing about a sign-in by another protocol, and does not spend it', async () => {
    const oidc = await addPartner(gateway, tenantId, 'litware.example', 'Litware');
    const email = 'ada@litware.example';
    const browser = new GuestBrowser();
    const { redeemUrl } = await gateway.inviteUser({ tenantId, email });
    const leaving = await browser.submit(await startAt(browser, redeemUrl), '/sign-in');
    const state = new URL(leaving.refreshTo ?? '').searchParams.get('state') ?? '';
    const action = partner.acsUrl.replace(partner.providerId, oidc.providerId);
    const page = await postAnswer({ ...answerBy(state, email), action });
    expect([page.status, page.location]).toEqual([404, null]);
    expect((await browser.get(await signInAt(oidc.provider, leaving.refreshTo ?? '', email))).html).toContain(
      '/accept',
    );
    await oidc.provider.stop();
  });

  it('to no request of ours is refused with a page that says so, and spends nothing', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const answer = await signIn(browser, await startAt(browser, guest.redeemUrl), guest.email);
    const xml = Buffer.from(answer.form.SAMLResponse, 'base64').toString();
    const unasked = Buffer.from(xml.replaceAll(/ InResponseTo="[^"]*"/g, '')).toString('base64');
    for (const SAMLResponse of [unasked, '', 'bm8geG1s', Buffer.from('<a>').toString('base64')]) {
      const page = await postAnswer({ action: answer.action, form: { SAMLResponse } });
      expect([page.status, page.html.includes('not started here')]).toEqual([403, true]);
    }
    expect(await statusOf(guest.id)).toEqual({ status: 'PENDING' });
    expect((await comeBack(browser, answer)).html).toContain('/accept');
  });

  it('is never led on by RelayState', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const answer = await signIn(browser, await startAt(browser, guest.redeemUrl), guest.email);
    const form = { ...answer.form, RelayState: 'https://evil.example/' };
    const { location } = await postAnswer({ ...answer, form });
    expect(location?.origin).toBe(gateway.url);
  });

  it('larger than any answer is refused before it is read', async () => {
    const page = await postAnswer({ action: partner.acsUrl, form: { SAMLResponse: 'A'.repeat(400 * 1024) } });
    expect(page.status).toBe(400);
  });
});

describe('an identity that does not fit', () => {
  it('is refused with both addresses masked, and the invitation stays', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const page = await comeBack(
      browser,
      await signIn(browser, await startAt(browser, guest.redeemUrl), 'stranger@fabrikam.example'),
    );
    expect(page.html).toContain('another account than the one invited');
    expect(page.html).toContain('s•••@f•••.example');
    expect((await eventsOf(guest.id)).at(-1)).toMatchObject({ type: 'IDENTITY_REFUSED', reason: 'IDENTITY_MISMATCH' });
    const leaving = await browser.submit(page, '/sign-in');
    expect(decodeRequest(leaving.refreshTo ?? '')).toContain('ForceAuthn="true"');
    const second = await comeBack(browser, await samlSignInAt(leaving.refreshTo ?? '', guest.email));
    expect(second.html).toContain('/accept');
  });

  it('is no longer proof once the provider is not entitled any more, neither on the way back nor at the accept', async () => {
    const enable = (enabled: boolean) =>
      gateway.ask(
        'mutation ($input: UpdateIdentityProviderInput!) { updateIdentityProvider(input: $input) { userErrors { code } } }',
        { input: { identityProviderId: partner.providerId, enabled } },
      );
    const guest = await invite();
    const browser = new GuestBrowser();
    const started = await startAt(browser, guest.redeemUrl);
    const first = await signIn(browser, started, guest.email);
    await enable(false);
    expect((await comeBack(browser, first)).html).not.toContain('/accept');
    await enable(true);
    const consent = await comeBack(browser, await signIn(browser, await browser.get(started.url), guest.email));
    await enable(false);
    const refused = await browser.submit(consent, '/accept');
    await enable(true);
    expect([refused.status, await statusOf(guest.id)]).toEqual([403, { status: 'PENDING' }]);
  });
});

describe('an answer that does not verify', () => {
  it('leads back to the flow, is told in the feed, and adds no other way in', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const answer = await signIn(browser, await startAt(browser, guest.redeemUrl), guest.email);
    const xml = Buffer.from(answer.form.SAMLResponse, 'base64').toString();
    const forged = Buffer.from(xml.replaceAll('Ada Lovelace', 'Eve')).toString('base64');
    const page = await comeBack(browser, { ...answer, form: { SAMLResponse: forged } });
    expect(page.html).toContain('Your organisation does not answer');
    expect(page.forms.map((form) => form.action.split('/').at(-1))).toEqual(['sign-in', 'decline']);
    expect((await eventsOf(guest.id)).at(-1)).toMatchObject({ type: 'IDENTITY_REFUSED', reason: 'IDP_UNAVAILABLE' });
    expect((await comeBack(browser, await signIn(browser, page, guest.email))).html).toContain('/accept');
  });
});

it('what waits for a browser holds no address, no NameID and no handle in the clear', async () => {
  const guest = await invite();
  const browser = new GuestBrowser();
  const { location } = await postAnswer(await signIn(browser, await startAt(browser, guest.redeemUrl), guest.email));
  const [flow] = await gateway.sql('select f::text from redemption_flow f where invitation_id = $1', [guest.id]);
  const kept = JSON.stringify(flow);
  for (const secret of [location?.searchParams.get('state') ?? '', Buffer.from(guest.email).toString('hex')]) {
    expect(secret).not.toBe('');
    expect(kept).not.toContain(secret);
    expect(kept).not.toContain(Buffer.from(secret).toString('hex'));
  }
});

it('no log line tells who signed in, by what, or how to go on', async () => {
  const guest = await invite();
  const browser = new GuestBrowser();
  const answer = await signIn(browser, await startAt(browser, guest.redeemUrl), guest.email);
  const { location } = await postAnswer(answer);
  await browser.get(location ?? '');
  const all = logged.join('');
  const nameId = Buffer.from(guest.email).toString('hex');
  const secrets = [guest.email, nameId, answer.form.SAMLResponse.slice(0, 200), 'PRIVATE KEY', 'Ada Lovelace'];
  for (const secret of [...secrets, location?.searchParams.get('state') ?? 'none']) expect(all).not.toContain(secret);
  expect(all).toContain('/saml/:providerId/acs');
});

/** By the provider's key, with an assertion whose id is always the same. */
function answerBy(requestId: string, email: string): PostedAnswer {
  const now = gateway.clock.now();
  const end = later(now, 5 * MINUTE).toISOString();
  const xml = responseXml({
    responseId: '_response',
    assertionId: '_always-the-same',
    version: '2.0',
    issuer: partner.provider.entityId,
    responseIssuer: partner.provider.entityId,
    destination: partner.acsUrl,
    recipient: partner.acsUrl,
    audience: partner.acsUrl.replace(/acs$/, 'metadata'),
    inResponseTo: requestId,
    confirmedRequest: requestId,
    method: 'urn:oasis:names:tc:SAML:2.0:cm:bearer',
    issueInstant: now.toISOString(),
    notBefore: now.toISOString(),
    notOnOrAfter: end,
    confirmedUntil: end,
    sessionUntil: '',
    status: 'urn:oasis:names:tc:SAML:2.0:status:Success',
    innerStatus: '',
    nameId: 'p-1',
    nameIdFormat: nameIdFormatUris.PERSISTENT,
    attributes: { mail: [email] },
    extensions: '',
    authnStatement: '',
  });
  const SAMLResponse = Buffer.from(signAssertion(xml, partner.provider.credential)).toString('base64');
  return { action: partner.acsUrl, form: { SAMLResponse } };
}

function decodeRequest(url: string): string {
  const request = new URL(url).searchParams.get('SAMLRequest') ?? '';
  return inflateRawSync(Buffer.from(request, 'base64')).toString();
}
