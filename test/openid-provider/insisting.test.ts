/** Apps that ask for a certain guest, for single claims, for several audiences, for what there is not: each gets an answer. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import * as client from 'openid-client';
import { MINUTE } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { GuestBrowser } from '../web/guest-browser.js';
import { type Guest, open, signInGuest } from './guest.js';
import { discover, issuerOf, registerApp } from './relying-party.js';
import { authorize, beginAuthorization, finishAuthorization } from './sign-in.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };
let ana: Guest;
let ben: Guest;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = await gateway.createTenant();
  ana = await signInGuest(gateway, tenant.id);
  ben = await signInGuest(gateway, tenant.id);
  await gateway.sql("update guest_session set authenticated_at = authenticated_at - interval '1 minute'");
});
afterAll(() => gateway.stop());

const config = async (input: object = {}) =>
  discover(issuerOf(gateway, tenant.slug), await registerApp(gateway, tenant.id, input));
const requested = (claims: object) => ({ claims: JSON.stringify(claims) });

describe.each(['PUBLIC', 'PAIRWISE'])('an app with %s subjects that asks for a certain guest', (subjectType) => {
  it.each(['id_token_hint', 'claims'])('by %s gets no other one who happens to be signed in', async (way) => {
    const app = await config({ subjectType });
    const { id_token: hint = '' } = await authorize(app, ana.browser);
    const { sub } = decodeJwt(hint);
    const asking = way === 'claims' ? requested({ id_token: { sub: { value: sub } } }) : { id_token_hint: hint };
    expect(decodeJwt((await authorize(app, ana.browser, asking)).id_token ?? '').sub).toBe(sub);

    const attempt = await beginAuthorization(app, asking);
    const { page } = await open(ben.browser, attempt.url);
    expect([page.url.pathname, page.url.searchParams.get('prompt')]).toEqual([`/t/${tenant.slug}/sign-in`, 'login']);
    // The one asked for has taken over meanwhile.
    const returnTo = new URL(page.url.searchParams.get('return_to') as string, gateway.url);
    const browser = new GuestBrowser();
    for (const [name, value] of ben.browser.cookies) browser.cookies.set(name, value);
    for (const [name, value] of ana.browser.cookies)
      if (name.startsWith('vestibule_s_')) browser.cookies.set(name, value);
    const { url } = await open(browser, returnTo);
    expect((await finishAuthorization(attempt, url as URL)).claims()?.sub).toBe(sub);

    gateway.clock.advance(MINUTE);
    const justNow = await signInGuest(gateway, tenant.id);
    const { url: refused } = await open(justNow.browser, (await beginAuthorization(app, asking)).url);
    expect(refused?.searchParams.get('error')).toBe('login_required');
  });
});

it('an authentication context that there is not is refused', async () => {
  const asking = requested({ id_token: { acr: { essential: true, value: 'urn:example:gold' } } });
  const { url } = await open(ana.browser, (await beginAuthorization(await config(), asking)).url);
  expect(url?.searchParams.get('error')).toBe('unmet_authentication_requirements');
});

it('claims asked for one by one are shown as what they are, and given when the guest says yes', async () => {
  const app = await config({ consentRequired: true });
  const attempt = await beginAuthorization(app, requested({ id_token: { email: null } }));
  const { page } = await open(ana.browser, attempt.url);
  expect(page.html).toMatch(/your email address|your e-mail address/i);
  const leaving = await ana.browser.submit(page, '/accept');
  const { url } = await open(ana.browser, leaving.refreshTo as string);
  const tokens = await finishAuthorization(attempt, url as URL);
  expect(decodeJwt(tokens.id_token ?? '').email).toBe(ana.email);
});

it('the API asked for beside another audience is asked about, too', async () => {
  const registered = await registerApp(gateway, tenant.id, { apiAccess: true });
  const app = await discover(issuerOf(gateway, tenant.slug), registered);
  const resource = `${gateway.url}/graphql`;
  const attempt = await beginAuthorization(app, { scope: 'openid read', resource });
  attempt.url.searchParams.append('resource', `urn:vestibule:app:${registered.clientId}`);
  const { page } = await open(ana.browser, attempt.url);
  const leaving = await ana.browser.submit(page, '/accept');
  const { url } = await open(ana.browser, leaving.refreshTo as string);
  const tokens = await client.authorizationCodeGrant(app, url as URL, attempt.checks, { resource });
  expect(decodeJwt(tokens.access_token)).toMatchObject({ aud: resource, scope: 'read' });
});
