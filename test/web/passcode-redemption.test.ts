import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MINUTE } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { GuestBrowser, passcodesTo, proveByPasscode, requestPasscode, startAt, type WebPage } from './guest-browser.js';

let gateway: TestGateway;
let tenantId: string;
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant({ displayName: 'Contoso' })).id;
});
afterAll(() => gateway.stop());

async function invite(input: object = {}) {
  const email = `guest${++people}@fabrikam.example`;
  return { email, ...(await gateway.inviteUser({ tenantId, email, ...input })) };
}

async function registerApp(displayName: string): Promise<string> {
  const data = await gateway.ask(
    'mutation ($input: RegisterAppInput!) { registerApp(input: $input) { app { id } userErrors { code field message } } }',
    {
      input: {
        tenantId,
        displayName,
        homePageUrl: 'https://orders.contoso.example/',
        redirectUris: ['https://orders.contoso.example/cb'],
        roles: [],
      },
    },
  );
  return data.registerApp.app.id;
}

async function createGroup(displayName: string): Promise<string> {
  const data = await gateway.ask(
    'mutation ($input: CreateGroupInput!) { createGroup(input: $input) { group { id } userErrors { code field message } } }',
    { input: { tenantId, displayName } },
  );
  return data.createGroup.group.id;
}

function mutate(name: 'resendInvitation' | 'revokeInvitation', invitationId: string) {
  return gateway.ask(
    `mutation ($input: InvitationIdInput!) { ${name}(input: $input) { ${name === 'resendInvitation' ? 'redeemUrl' : ''} userErrors { code } } }`,
    { input: { invitationId } },
  );
}

async function statusOf(invitationId: string): Promise<string> {
  const [row] = await gateway.sql<{ status: string }>('select status from invitation where id = $1', [invitationId]);
  return row?.status ?? 'none';
}

async function eventsOf(invitationId: string): Promise<string[]> {
  const rows = await gateway.sql<{ type: string }>('select type from event where invitation_id = $1 order by seq', [
    invitationId,
  ]);
  return rows.map((row) => row.type).filter((type) => !type.startsWith('MAIL_'));
}

describe('a guest with a passcode', () => {
  it('gets from the link into the app, and what was granted is real then', async () => {
    const appId = await registerApp('Order Desk');
    const groupId = await createGroup('Partners');
    const guest = await invite({ appIds: [appId], groupIds: [groupId], landingAppId: appId });
    const browser = new GuestBrowser();
    const consent = await proveByPasscode(gateway, browser, guest.redeemUrl, guest.email);
    expect(
      await gateway.sql('select from group_member where external_user_id = $1', [guest.externalUserId]),
    ).toHaveLength(0);
    const leaving = await browser.submit(consent, '/accept');
    expect(leaving.status).toBe(200);
    expect(leaving.refreshTo).toBe('https://orders.contoso.example/');
    expect(leaving.html).toContain('href="https://orders.contoso.example/"');
    expect(
      await gateway.sql('select from group_member where external_user_id = $1', [guest.externalUserId]),
    ).toHaveLength(1);
    expect(
      await gateway.sql('select from app_assignment where external_user_id = $1', [guest.externalUserId]),
    ).toHaveLength(1);
    expect(await gateway.sql('select state from external_user where id = $1', [guest.externalUserId])).toEqual([
      { state: 'ACCEPTED' },
    ]);
    expect(
      await gateway.sql('select issuer, subject, sign_in_type from identity where external_user_id = $1', [
        guest.externalUserId,
      ]),
    ).toEqual([{ issuer: 'mail', subject: guest.email, sign_in_type: 'EMAIL_PASSCODE' }]);
    expect(await eventsOf(guest.id)).toEqual([
      'INVITED',
      'STARTED',
      'PASSCODE_SENT',
      'IDENTITY_PROVEN',
      'CONSENTED',
      'REDEEMED',
    ]);
  });

  it('lands in the app again by a second click, in the same browser only', async () => {
    const guest = await invite({ landingAppId: await registerApp('Second Desk') });
    const browser = new GuestBrowser();
    const consent = await proveByPasscode(gateway, browser, guest.redeemUrl, guest.email);
    await browser.submit(consent, '/accept');
    expect((await browser.submit(consent, '/accept')).refreshTo).toBe('https://orders.contoso.example/');
    expect(await eventsOf(guest.id)).toHaveLength(6);
    expect((await browser.get(guest.redeemUrl)).html).toContain('You are a guest of Contoso now');
    const late = await new GuestBrowser().get(guest.redeemUrl);
    expect(late.html).toContain('ALREADY_REDEEMED');
    expect(late.forms).toEqual([]);
  });

  it('who was invited to no app is told that all is done', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const done = await browser.submit(await proveByPasscode(gateway, browser, guest.redeemUrl, guest.email), '/accept');
    expect(done.status).toBe(200);
    expect(done.html).toContain('You are a guest of Contoso now');
  });

  it('may use the earlier of two codes, since mails overtake each other', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const first = await requestPasscode(gateway, browser, await startAt(browser, guest.redeemUrl), guest.email);
    await requestPasscode(gateway, browser, first.page, guest.email);
    expect((await browser.submit(first.page, '/passcode', { passcode: first.passcode })).html).toContain('/accept');
  });

  it('may open the page as often as wanted: that sends nothing and keeps the code', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const { page, passcode } = await requestPasscode(
      gateway,
      browser,
      await startAt(browser, guest.redeemUrl),
      guest.email,
    );
    await browser.get(page.url);
    const again = await startAt(browser, guest.redeemUrl);
    expect(again.url.pathname).toBe(page.url.pathname);
    expect(passcodesTo(gateway, guest.email)).toHaveLength(1);
    const spaced = `${passcode.slice(0, 4)} ${passcode.slice(4)}`;
    expect((await browser.submit(again, '/passcode', { passcode: spaced })).html).toContain('/accept');
  });

  it('can follow two invitations in two tabs of one browser', async () => {
    const [a, b] = [await invite(), await invite()];
    const browser = new GuestBrowser();
    const tabA = await requestPasscode(gateway, browser, await startAt(browser, a.redeemUrl), a.email);
    const tabB = await requestPasscode(gateway, browser, await startAt(browser, b.redeemUrl), b.email);
    expect((await browser.submit(tabA.page, '/passcode', { passcode: tabB.passcode })).html).toContain(
      'This code is not right',
    );
    const consentA = await browser.submit(tabA.page, '/passcode', { passcode: tabA.passcode });
    const consentB = await browser.submit(tabB.page, '/passcode', { passcode: tabB.passcode });
    await browser.submit(consentB, '/accept');
    expect([await statusOf(a.id), await statusOf(b.id)]).toEqual(['PENDING', 'REDEEMED']);
    await browser.submit(consentA, '/accept');
    expect(await statusOf(a.id)).toBe('REDEEMED');
  });
});

describe('guessing', () => {
  it('ends after five tries of a code, and the right one does not help any more', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const { page, passcode } = await requestPasscode(
      gateway,
      browser,
      await startAt(browser, guest.redeemUrl),
      guest.email,
    );
    for (let wrong = 0; wrong < 5; wrong++) {
      expect((await browser.submit(page, '/passcode', { passcode: '00000000' })).status).toBe(422);
    }
    const blocked = await browser.submit(page, '/passcode', { passcode });
    expect([blocked.status, blocked.html.includes('Too many wrong codes')]).toEqual([429, true]);
    const next = await requestPasscode(gateway, browser, page, guest.email);
    expect((await browser.submit(page, '/passcode', { passcode })).html).toContain('This code is not right');
    expect((await browser.submit(page, '/passcode', { passcode: next.passcode })).html).toContain('/accept');
  });

  it('shares the count between a code and the next one', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const first = await requestPasscode(gateway, browser, await startAt(browser, guest.redeemUrl), guest.email);
    for (let wrong = 0; wrong < 3; wrong++) await browser.submit(first.page, '/passcode', { passcode: '1' });
    const second = await requestPasscode(gateway, browser, first.page, guest.email);
    for (let wrong = 0; wrong < 2; wrong++) await browser.submit(first.page, '/passcode', { passcode: '1' });
    expect((await browser.submit(first.page, '/passcode', { passcode: second.passcode })).status).toBe(429);
  });

  it('cannot go on in new flows past 25 wrong codes a day, until the invitation is sent again', async () => {
    const guest = await invite();
    for (let flow = 0; flow < 5; flow++) {
      const browser = new GuestBrowser();
      const { page } = await requestPasscode(gateway, browser, await startAt(browser, guest.redeemUrl), guest.email);
      for (let wrong = 0; wrong < 5; wrong++) await browser.submit(page, '/passcode', { passcode: '00000000' });
    }
    const browser = new GuestBrowser();
    const sixth = await requestPasscode(gateway, browser, await startAt(browser, guest.redeemUrl), guest.email);
    const blocked = await browser.submit(sixth.page, '/passcode', { passcode: sixth.passcode });
    expect(blocked.status).toBe(429);
    expect(Number(blocked.headers.get('retry-after'))).toBeGreaterThan(23 * 60 * 60);
    gateway.clock.advance(11 * MINUTE);
    const { redeemUrl } = (await mutate('resendInvitation', guest.id)).resendInvitation;
    expect((await proveByPasscode(gateway, new GuestBrowser(), redeemUrl, guest.email)).html).toContain('/accept');
  });

  it('by a code of another flow proves nothing', async () => {
    const guest = await invite();
    const [mine, other] = [new GuestBrowser(), new GuestBrowser()];
    const sent = await requestPasscode(gateway, mine, await startAt(mine, guest.redeemUrl), guest.email);
    const theirs = await requestPasscode(gateway, other, await startAt(other, guest.redeemUrl), guest.email);
    expect((await other.submit(theirs.page, '/passcode', { passcode: sent.passcode })).status).toBe(422);
  });

  it('of mails is limited to ten in ten minutes', async () => {
    const guest = await invite({ sendMail: false });
    const browser = new GuestBrowser();
    const page = await startAt(browser, guest.redeemUrl);
    let last = await browser.submit(page, '/passcode/send');
    for (let sent = 1; sent < 11; sent++) last = await browser.submit(last, '/passcode/send');
    expect([last.status, last.html.includes('Too many requests')]).toEqual([429, true]);
    expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});

describe('the accept', () => {
  it('is won by exactly one of two browsers', async () => {
    const guest = await invite();
    const browsers = [new GuestBrowser(), new GuestBrowser()];
    const pages: WebPage[] = [];
    for (const browser of browsers) pages.push(await proveByPasscode(gateway, browser, guest.redeemUrl, guest.email));
    const answers = await Promise.all(browsers.map((browser, at) => browser.submit(pages[at] as WebPage, '/accept')));
    expect(answers.map((answer) => answer.html.includes('You are a guest')).sort()).toEqual([false, true]);
    expect(answers.filter((answer) => answer.html.includes('ALREADY_REDEEMED'))).toHaveLength(1);
    expect((await eventsOf(guest.id)).filter((type) => type === 'REDEEMED')).toHaveLength(1);
  });

  it('needs a proof of the last 15 minutes', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const consent = await proveByPasscode(gateway, browser, guest.redeemUrl, guest.email);
    gateway.clock.advance(16 * MINUTE);
    const answer = await browser.submit(consent, '/accept');
    expect([answer.status, answer.html.includes('once more who you are')]).toEqual([403, true]);
    expect(await statusOf(guest.id)).toBe('PENDING');
  });

  it('needs consent to the terms as they are at that moment', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const consent = await proveByPasscode(gateway, browser, guest.redeemUrl, guest.email);
    const brand = (termsOfUseUrl: string | null) =>
      gateway.ask(
        'mutation ($input: UpdateTenantBrandingInput!) { updateTenantBranding(input: $input) { userErrors { code } } }',
        {
          input: { tenantId, termsOfUseUrl },
        },
      );
    await brand('https://contoso.example/new-terms');
    const again = await browser.submit(consent, '/accept');
    await brand(null);
    expect([again.status, again.html.includes('https://contoso.example/new-terms')]).toEqual([422, true]);
    expect(await statusOf(guest.id)).toBe('PENDING');
  });

  it('is refused to a disabled account', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const consent = await proveByPasscode(gateway, browser, guest.redeemUrl, guest.email);
    await gateway.ask(
      'mutation ($input: UpdateExternalUserInput!) { updateExternalUser(input: $input) { userErrors { code } } }',
      {
        input: { externalUserId: guest.externalUserId, accountEnabled: false },
      },
    );
    expect((await browser.submit(consent, '/accept')).html).toContain('account is disabled');
    expect(await statusOf(guest.id)).toBe('PENDING');
  });

  it('is refused when the key that invited was revoked', async () => {
    const key = await gateway.createKey({
      tenantId,
      permissions: ['INVITATION_WRITE', 'REDEEM_URL_READ', 'EXTERNAL_USER_READ', 'INVITATION_READ'],
    });
    const email = `guest${++people}@fabrikam.example`;
    const data = await gateway.ask(
      'mutation ($input: InviteUserInput!) { inviteUser(input: $input) { redeemUrl userErrors { code field } } }',
      { input: { tenantId, email } },
      { key: key.secret },
    );
    const browser = new GuestBrowser();
    const consent = await proveByPasscode(gateway, browser, data.inviteUser.redeemUrl, email);
    await gateway.ask('mutation ($input: ApiKeyIdInput!) { revokeApiKey(input: $input) { userErrors { code } } }', {
      input: { apiKeyId: key.id },
    });
    const answer = await browser.submit(consent, '/accept');
    expect([answer.status, answer.html.includes('can no longer be accepted')]).toEqual([403, true]);
  });
});

describe('what happens to the invitation meanwhile', () => {
  it('a new link ends the flow of the old one, which says so kindly', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const consent = await proveByPasscode(gateway, browser, guest.redeemUrl, guest.email);
    await mutate('resendInvitation', guest.id);
    for (const page of [
      await browser.submit(consent, '/accept'),
      await browser.get(consent.url),
      await browser.get(guest.redeemUrl),
    ]) {
      expect([page.status, page.html.includes('SUPERSEDED'), page.forms.length]).toEqual([410, true, 0]);
    }
    expect(await statusOf(guest.id)).toBe('PENDING');
  });

  it('a withdrawal ends it, in every page', async () => {
    const guest = await invite({ groupIds: [await createGroup('Withdrawn')] });
    const browser = new GuestBrowser();
    const consent = await proveByPasscode(gateway, browser, guest.redeemUrl, guest.email);
    await mutate('revokeInvitation', guest.id);
    for (const page of [
      await browser.submit(consent, '/accept'),
      await browser.get(consent.url),
      await browser.get(guest.redeemUrl),
    ]) {
      expect([page.status, page.html.includes('This invitation was withdrawn')]).toEqual([410, true]);
    }
    expect(
      await gateway.sql('select from group_member where external_user_id = $1', [guest.externalUserId]),
    ).toHaveLength(0);
  });

  it('its end of time ends it', async () => {
    const guest = await invite({ expiresInDays: 1 });
    const browser = new GuestBrowser();
    const started = await startAt(browser, guest.redeemUrl);
    await gateway.sql("update invitation set expires_at = now() + interval '0.2 seconds' where id = $1", [guest.id]);
    gateway.clock.advance(MINUTE);
    for (const page of [await browser.get(guest.redeemUrl), await browser.submit(started, '/passcode/send')]) {
      expect([page.status, page.html.includes('This invitation has expired')]).toEqual([410, true]);
    }
  });

  it('a flow ends after 30 minutes, the invitation does not', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const page = await startAt(browser, guest.redeemUrl);
    gateway.clock.advance(31 * MINUTE);
    expect((await browser.submit(page, '/passcode/send')).html).toContain('no longer valid');
    expect((await proveByPasscode(gateway, browser, guest.redeemUrl, guest.email)).html).toContain('/accept');
  });
});

describe('declining', () => {
  it('by the link alone is taken back by the same link', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    await browser.submit(await browser.get(guest.redeemUrl), '/decline');
    expect(await statusOf(guest.id)).toBe('DECLINED');
    const page = await browser.get(guest.redeemUrl);
    expect(page.html).toContain('Continue anyway');
    expect(page.forms.some((form) => form.action.endsWith('/decline'))).toBe(false);
    await proveByPasscode(gateway, browser, guest.redeemUrl, guest.email);
    expect(await statusOf(guest.id)).toBe('PENDING');
    expect(await eventsOf(guest.id)).toEqual(['INVITED', 'DECLINED', 'STARTED', 'PASSCODE_SENT', 'IDENTITY_PROVEN']);
  });

  it('does not come back to life once the address was invited anew', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    await browser.submit(await browser.get(guest.redeemUrl), '/decline');
    await gateway.inviteUser({ tenantId, email: guest.email });
    expect((await startAt(browser, guest.redeemUrl)).html).toContain('SUPERSEDED');
  });

  it('after the proof is final', async () => {
    const guest = await invite();
    const browser = new GuestBrowser();
    const declined = await browser.submit(
      await proveByPasscode(gateway, browser, guest.redeemUrl, guest.email),
      '/decline',
    );
    expect(declined.html).toContain('ask for a new invitation');
    const late = await browser.get(guest.redeemUrl);
    expect([late.status, late.forms.length]).toEqual([410, 0]);
  });
});
