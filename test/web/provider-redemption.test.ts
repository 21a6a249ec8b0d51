import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { cancelSignInAt, FAILURE_TEXT, signInAt } from '../support/openid-provider.js';
import { GuestBrowser, pressContinue, startAt, type WebPage } from './guest-browser.js';
import { addPartner, type Partner } from './partner.js';

let gateway: TestGateway;
let tenantId: string;
let partner: Partner;
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant({ displayName: 'Contoso' })).id;
  partner = await addPartner(gateway, tenantId, 'fabrikam.example');
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

/** To the provider and back, up to the URL the browser is sent to. */
async function signIn(browser: GuestBrowser, page: WebPage, email: string): Promise<URL> {
  const leaving = await browser.submit(page, '/sign-in');
  return signInAt(partner.provider, leaving.refreshTo ?? '', email);
}

async function eventsOf(invitationId: string) {
  return gateway.sql<{ type: string; reason: string | null; detail: string | null }>(
    "select type, reason, detail from event where invitation_id = $1 and type not like 'MAIL%' order by seq",
    [invitationId],
  );
}

describe('a guest whose organisation signs in', () => {
  it('is linked by the provider, its issuer and its subject, and brings the name along', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const leaving = await pressContinue(browser, guest.redeemUrl);
    const consent = await browser.get(await signInAt(partner.provider, leaving.refreshTo ?? '', guest.email));
    await browser.submit(consent, '/accept');
    expect(
      await gateway.sql('select identity_provider_id, issuer, sign_in_type from identity where external_user_id = $1', [
        guest.externalUserId,
      ]),
    ).toEqual([{ identity_provider_id: partner.providerId, issuer: partner.provider.issuer, sign_in_type: 'OIDC' }]);
    expect((await eventsOf(guest.id)).map((event) => event.type)).toEqual([
      'INVITED',
      'STARTED',
      'SIGN_IN_STARTED',
      'IDENTITY_PROVEN',
      'CONSENTED',
      'REDEEMED',
    ]);
  });

  it('is led there by the click that starts, and needs one more click of ours to accept', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const leaving = await pressContinue(browser, guest.redeemUrl);
    expect([leaving.status, new URL(leaving.refreshTo ?? '').origin]).toEqual([200, partner.provider.issuer]);
    const consent = await browser.get(await signInAt(partner.provider, leaving.refreshTo ?? '', guest.email));
    expect((await browser.submit(consent, '/accept')).html).toContain('You are a guest of Contoso now');
  });

  it('is told on the page of the flow when the provider cannot be reached', async () => {
    const browser = new GuestBrowser();
    const other = await addPartner(gateway, tenantId, `down${people}.example`, 'Down');
    await other.provider.stop();
    const { redeemUrl } = await gateway.inviteUser({ tenantId, email: `ada@down${people}.example` });
    const page = await pressContinue(browser, redeemUrl);
    expect([page.status, page.url.searchParams.get('problem')]).toEqual([200, 'IDP_UNAVAILABLE']);
    expect(page.forms.map(({ action }) => action.split('/').at(-1))).toContain('sign-in');
  });

  it('leaves by a page of ours, never by a redirect of the form, and takes no part of the link along', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const leaving = await browser.submit(await startAt(browser, guest.redeemUrl), '/sign-in');
    const to = new URL(leaving.refreshTo ?? '');
    expect([leaving.status, to.origin]).toEqual([200, partner.provider.issuer]);
    expect(leaving.html).toContain(`<a class="button" href="${partner.provider.issuer}`);
    expect(to.searchParams.get('redirect_uri')).toBe(`${gateway.url}/sign-in/callback/${partner.providerId}`);
    expect(decodeURIComponent(to.href)).not.toContain(new URL(guest.redeemUrl).pathname.split('.').at(-1));
  });

  it('is offered no passcode, and gets none by asking for it', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const page = await startAt(browser, guest.redeemUrl);
    expect(page.html).not.toContain('/passcode');
    const csrf = page.forms[0]?.fields.csrf ?? '';
    const answer = await browser.post(`${page.url}/passcode/send`, { csrf });
    expect(answer.status).toBe(403);
    expect(await gateway.sql('select from passcode')).toHaveLength(0);
  });
});

describe('the way back from the provider', () => {
  it('counts once', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const back = await signIn(browser, await startAt(browser, guest.redeemUrl), guest.email);
    await browser.get(back);
    expect((await browser.get(back)).html).toContain('no longer valid');
    expect((await eventsOf(guest.id)).filter((event) => event.type === 'IDENTITY_PROVEN')).toHaveLength(1);
  });

  it('proves nothing in another browser, and is not spent there', async () => {
    const guest = await invite();
    const [mine, stolen] = [new GuestBrowser(), new GuestBrowser()];
    await startAt(stolen, (await invite()).redeemUrl);
    const back = await signIn(mine, await startAt(mine, guest.redeemUrl), guest.email);
    for (const browser of [stolen, new GuestBrowser()]) {
      const answer = await browser.get(back);
      expect([answer.status, answer.html.includes('no longer valid')]).toEqual([404, true]);
    }
    expect((await mine.get(back)).html).toContain('/accept');
  });

  it('is not walked by asking for the head alone', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const back = await signIn(browser, await startAt(browser, guest.redeemUrl), guest.email);
    await browser.request(back, { method: 'HEAD' });
    expect((await browser.get(back)).html).toContain('/accept');
  });

  it('renews the cookie, so that who knew it before holds nothing', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const started = await startAt(browser, guest.redeemUrl);
    const thief = new GuestBrowser();
    for (const [name, value] of browser.cookies) thief.cookies.set(name, value);
    await browser.get(await signIn(browser, started, guest.email));
    expect((await thief.get(started.url)).status).toBe(404);
    expect((await browser.get(started.url)).html).toContain('/accept');
  });
});

describe('an identity that does not fit', () => {
  it('is refused with both addresses masked, and the invitation stays', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const back = await signIn(browser, await startAt(browser, guest.redeemUrl), 'stranger@fabrikam.example');
    const page = await browser.get(back);
    expect(page.html).toContain('another account than the one invited');
    expect(page.html).toContain('s•••@f•••.example');
    expect(page.html).toContain('g•••@f•••.example');
    expect(page.html).not.toContain('stranger@');
    expect((await eventsOf(guest.id)).at(-1)).toEqual({
      type: 'IDENTITY_REFUSED',
      reason: 'IDENTITY_MISMATCH',
      detail: 'Signed in as s•••@f•••.example.',
    });
    const second = await browser.get(await signIn(browser, page, guest.email));
    expect(second.html).toContain('/accept');
  });

  it.each([false, null, 'true'])('is refused while the provider says email_verified: %s', async (emailVerified) => {
    partner.provider.quirks.emailVerified = emailVerified;
    const guest = await invite();
    const browser = new GuestBrowser();
    const page = await browser.get(await signIn(browser, await startAt(browser, guest.redeemUrl), guest.email));
    expect(page.html).toContain('Your address is not confirmed');
    expect(page.forms.map((form) => form.action.split('/').at(-1))).toEqual(['sign-in', 'decline']);
  });

  it('is no longer proof once the provider is not entitled any more, neither at the callback nor at the accept', async () => {
    const enable = (enabled: boolean) =>
      gateway.ask(
        'mutation ($input: UpdateIdentityProviderInput!) { updateIdentityProvider(input: $input) { userErrors { code } } }',
        {
          input: { identityProviderId: partner.providerId, enabled },
        },
      );
    const guest = await invite();
    const browser = new GuestBrowser();
    const started = await startAt(browser, guest.redeemUrl);
    const first = await signIn(browser, started, guest.email);
    await enable(false);
    const late = await browser.get(first);
    expect(late.html).not.toContain('/accept');
    await enable(true);
    const consent = await browser.get(await signIn(browser, await browser.get(started.url), guest.email));
    await enable(false);
    const refused = await browser.submit(consent, '/accept');
    await enable(true);
    expect(refused.status).toBe(403);
    expect(await gateway.sql('select status from invitation where id = $1', [guest.id])).toEqual([
      { status: 'PENDING' },
    ]);
  });
});

describe('a provider in trouble', () => {
  it('that is down adds no other way in, and may be tried again', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const started = await startAt(browser, guest.redeemUrl);
    const back = await signIn(browser, started, guest.email);
    partner.provider.quirks.isDown = true;
    const page = await browser.get(back);
    expect(page.html).toContain('Your organisation does not answer');
    expect(page.forms.map((form) => form.action.split('/').at(-1))).toEqual(['sign-in', 'decline']);
    expect((await eventsOf(guest.id)).at(-1)).toMatchObject({ type: 'IDENTITY_REFUSED', reason: 'IDP_UNAVAILABLE' });
    partner.provider.quirks.isDown = false;
    expect((await browser.get(await signIn(browser, page, guest.email))).html).toContain('/accept');
  });

  it('that answers an error is not quoted', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const back = await signIn(browser, await startAt(browser, guest.redeemUrl), guest.email);
    partner.provider.quirks.failsAt = '/token';
    const page = await browser.get(back);
    expect(page.html).toContain('Your organisation does not answer');
    expect(page.html).not.toContain(FAILURE_TEXT);
  });

  it('where the guest cancels leads back to the choice', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const leaving = await browser.submit(await startAt(browser, guest.redeemUrl), '/sign-in');
    const page = await browser.get(await cancelSignInAt(partner.provider, leaving.refreshTo ?? ''));
    expect(page.forms.map((form) => form.action.split('/').at(-1))).toEqual(['sign-in', 'decline']);
    expect(await gateway.sql('select status from invitation where id = $1', [guest.id])).toEqual([
      { status: 'PENDING' },
    ]);
  });

  it('that cannot even be reached first says so on the same page', async () => {
    const gone = await addPartner(gateway, tenantId, 'gone.example', 'Gone');
    await gone.provider.stop();
    const { redeemUrl } = await gateway.inviteUser({ tenantId, email: 'a@gone.example' });
    const browser = new GuestBrowser();
    const page = await browser.submit(await startAt(browser, redeemUrl), '/sign-in');
    expect([page.status, page.html.includes('Your organisation does not answer')]).toEqual([503, true]);
  });
});
