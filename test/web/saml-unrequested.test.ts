/** Sign-ins that begin at a SAML provider's portal: answers that nobody asked for. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { nameIdFormatUris } from '../../src/features/identity-providers/saml-response.rules.js';
import { createSigningCredential } from '../../src/features/identity-providers/service-provider.js';
import { later, MINUTE } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { type ResponseParts, responseXml, signAssertion } from '../support/saml-forge.js';
import { type PostedAnswer, postAnswer, samlSignInAt } from '../support/saml-provider.js';
import { GuestBrowser, startAt } from './guest-browser.js';
import { addSamlPartner, type SamlPartner } from './saml-partner.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let partner: SamlPartner;
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = await gateway.createTenant({ displayName: 'Contoso' });
  partner = await addSamlPartner(gateway, tenant.id, 'fabrikam.example');
  await allow(true);
});
afterAll(async () => {
  await partner.provider.stop();
  await gateway.stop();
});

async function allow(allowsUnrequestedSignIn: boolean) {
  const { updateIdentityProvider } = await gateway.ask(
    `mutation ($input: UpdateIdentityProviderInput!) { updateIdentityProvider(input: $input) {
      identityProvider { saml { allowsUnrequestedSignIn } } userErrors { code field message } } }`,
    { input: { identityProviderId: partner.providerId, saml: { allowsUnrequestedSignIn } } },
  );
  expect(updateIdentityProvider.identityProvider.saml).toEqual({ allowsUnrequestedSignIn });
}

const nameIdOf = (email: string) => Buffer.from(email).toString('hex');

async function invite() {
  const email = `guest${++people}@fabrikam.example`;
  return { email, ...(await gateway.inviteUser({ tenantId: tenant.id, email })) };
}

/** Linked by having redeemed, in a browser of long ago. */
async function accepted() {
  const guest = await invite();
  const browser = new GuestBrowser();
  const leaving = await browser.submit(await startAt(browser, guest.redeemUrl), '/sign-in');
  const { location } = await postAnswer(await samlSignInAt(leaving.refreshTo ?? '', guest.email));
  await browser.submit(await browser.get(location ?? ''), '/accept');
  return guest;
}

/** As a portal sends it. */
function unasked(email: string, change: Partial<ResponseParts> = {}, key = partner.provider.credential): PostedAnswer {
  const now = gateway.clock.now();
  const end = later(now, 5 * MINUTE).toISOString();
  const xml = responseXml({
    responseId: '_response',
    assertionId: `_assertion-${crypto.randomUUID()}`,
    version: '2.0',
    issuer: partner.provider.entityId,
    responseIssuer: partner.provider.entityId,
    destination: partner.acsUrl,
    recipient: partner.acsUrl,
    audience: partner.acsUrl.replace(/acs$/, 'metadata'),
    inResponseTo: '',
    confirmedRequest: '',
    method: 'urn:oasis:names:tc:SAML:2.0:cm:bearer',
    issueInstant: now.toISOString(),
    notBefore: now.toISOString(),
    notOnOrAfter: end,
    confirmedUntil: end,
    sessionUntil: '',
    status: 'urn:oasis:names:tc:SAML:2.0:status:Success',
    innerStatus: '',
    nameId: nameIdOf(email),
    nameIdFormat: nameIdFormatUris.PERSISTENT,
    attributes: { mail: [email] },
    extensions: '',
    authnStatement: '',
    ...change,
  });
  return { action: partner.acsUrl, form: { SAMLResponse: Buffer.from(signAssertion(xml, key)).toString('base64') } };
}

const apps = () => `${gateway.url}/t/${tenant.slug}/apps`;
const isSignedIn = async (browser: GuestBrowser) => (await browser.get(apps())).url.pathname.endsWith('/apps');

describe('a sign-in that begins at the provider’s portal', () => {
  it('signs in whoever is linked, after a click in their browser', async () => {
    const { email } = await accepted();
    const { location } = await postAnswer(unasked(email));
    const browser = new GuestBrowser();
    const asked = await browser.get(location ?? '');
    expect(asked.html).toContain('Sign in to Contoso?');
    expect(asked.html).toContain(email);
    expect(await isSignedIn(browser)).toBe(false);
    expect((await browser.submit(asked, '/sign-in')).url.pathname).toBe(`/t/${tenant.slug}/apps`);
    expect(await isSignedIn(browser)).toBe(true);
  });

  it('redeems no invitation and links nobody', async () => {
    const { email, id, externalUserId } = await invite();
    const page = await postAnswer(unasked(email));
    expect([page.status, page.location]).toEqual([403, null]);
    expect(await gateway.sql('select status from invitation where id = $1', [id])).toEqual([{ status: 'PENDING' }]);
    expect(await gateway.sql('select from identity where external_user_id = $1', [externalUserId])).toEqual([]);
  });

  it('is refused to somebody who is blocked', async () => {
    const { email, externalUserId } = await accepted();
    const { location } = await postAnswer(unasked(email));
    await gateway.ask(
      'mutation ($input: UpdateExternalUserInput!) { updateExternalUser(input: $input) { userErrors { code field message } } }',
      { input: { externalUserId, accountEnabled: false } },
    );
    expect((await postAnswer(unasked(email))).status).toBe(403);
    const browser = new GuestBrowser();
    await browser.submit(await browser.get(location ?? ''), '/sign-in');
    expect(await isSignedIn(browser)).toBe(false);
  });

  it('counts once, within minutes', async () => {
    const { email } = await accepted();
    const answer = unasked(email);
    const { location } = await postAnswer(answer);
    expect((await postAnswer(answer)).location).toBeNull();
    const [first, second] = [new GuestBrowser(), new GuestBrowser()];
    const [one, other] = [await first.get(location ?? ''), await second.get(location ?? '')];
    await first.submit(one, '/sign-in');
    await second.submit(other, '/sign-in');
    expect([await isSignedIn(first), await isSignedIn(second)]).toEqual([true, false]);
    const late = await postAnswer(unasked(email));
    gateway.clock.advance(6 * MINUTE);
    expect((await new GuestBrowser().get(late.location ?? '')).status).toBe(404);
  });

  it('cannot be pressed by another site, nor in another browser than the one that was asked', async () => {
    const { email } = await accepted();
    const { location } = await postAnswer(unasked(email));
    const [victim, attacker] = [new GuestBrowser(), new GuestBrowser()];
    const asked = await attacker.get(location ?? '');
    await victim.get(location ?? '');
    const [form] = asked.forms;
    const action = new URL(form?.action ?? '', asked.url);
    expect((await victim.post(action, form?.fields ?? {})).status).toBe(403);
    expect((await attacker.post(action, form?.fields ?? {}, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect(await isSignedIn(victim)).toBe(false);
  });

  it('is never led on by RelayState', async () => {
    const { email } = await accepted();
    const answer = unasked(email);
    const { location } = await postAnswer({
      ...answer,
      form: { ...answer.form, RelayState: 'https://evil.example/' } as never,
    });
    const browser = new GuestBrowser();
    const landed = await browser.submit(await browser.get(location ?? ''), '/sign-in');
    expect(landed.url.origin).toBe(gateway.url);
    expect(landed.html).not.toContain('evil.example');
  });

  it.each([
    ['confirmed for a request', { confirmedRequest: '_other' }],
    ['of another issuer', { issuer: 'https://login.evil.example/saml' }],
    ['for another audience', { audience: 'https://orders.example/saml' }],
    ['for another place', { recipient: 'https://orders.example/acs' }],
    ['sent elsewhere', { destination: 'https://orders.example/acs' }],
    ['that has expired', { notOnOrAfter: '2020-01-01T00:00:00Z' }],
  ] as [string, Partial<ResponseParts>][])('is refused with an assertion %s', async (_what, change) => {
    const { email } = await accepted();
    const page = await postAnswer(unasked(email, change));
    expect([page.status, page.location]).toEqual([503, null]);
  });

  it('is refused with a signature of another key', async () => {
    const { email } = await accepted();
    const page = await postAnswer(unasked(email, {}, await createSigningCredential(new Date())));
    expect([page.status, page.location]).toEqual([503, null]);
  });

  it('is off unless an operator allows it', async () => {
    const { email } = await accepted();
    await allow(false);
    const page = await postAnswer(unasked(email));
    expect([page.status, page.html.includes('not started here')]).toEqual([403, true]);
    await allow(true);
  });
});
