/** A link that came to somebody else: forwarded by its guest, read over a shoulder, found in an archive. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { GuestBrowser, passcodesTo, proveByPasscode, startAt } from '../web/guest-browser.js';

let gateway: TestGateway;
let tenantId: string;
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant({ displayName: 'Contoso' })).id;
});
afterAll(() => gateway.stop());

async function invite() {
  const email = `guest${++people}@fabrikam.example`;
  return { email, ...(await gateway.inviteUser({ tenantId, email })) };
}

async function statusOf(invitationId: string) {
  const [row] = await gateway.sql<{ status: string }>('select status from invitation where id = $1', [invitationId]);
  return row?.status;
}

describe('whoever a link was forwarded to', () => {
  it('does not learn the invited address, and gets no further than a code that comes to its owner', async () => {
    const guest = await invite();
    const stranger = new GuestBrowser();
    const started = await startAt(stranger, guest.redeemUrl);
    const asked = await stranger.submit(started, '/passcode/send');
    for (const page of [started, asked]) expect(page.html).not.toContain(guest.email);
    await gateway.waitForMail(guest.email, 2);
    expect(gateway.mails().every(({ envelope }) => envelope.to.every((to) => to.startsWith('guest')))).toBe(true);
    const { csrf = '' } = asked.forms[0]?.fields ?? {};
    const forced = await stranger.post(new URL(`${started.url.pathname}/accept`, started.url), {
      csrf,
      consentVersion: 'x',
    });
    expect(forced.html).not.toContain('You are a guest');
    expect(await statusOf(guest.id)).toBe('PENDING');
  });

  it('cannot use a code that was sent to the guest’s own browser', async () => {
    const guest = await invite();
    const [own, stranger] = [new GuestBrowser(), new GuestBrowser()];
    const page = await own.submit(await startAt(own, guest.redeemUrl), '/passcode/send');
    await gateway.waitForMail(guest.email, 2);
    const [passcode = ''] = passcodesTo(gateway, guest.email);
    const theirs = await stranger.submit(await startAt(stranger, guest.redeemUrl), '/passcode/send');
    expect((await stranger.submit(theirs, '/passcode', { passcode })).status).toBe(422);
    expect((await own.submit(page, '/passcode', { passcode })).html).toContain('/accept');
  });

  it('finds nothing behind it once it was used: no session, no data, no second guest', async () => {
    const guest = await invite();
    const own = new GuestBrowser();
    await own.submit(await proveByPasscode(gateway, own, guest.redeemUrl, guest.email), '/accept');
    const stranger = new GuestBrowser();
    const page = await stranger.get(guest.redeemUrl);
    expect(page.html).toContain('already been accepted');
    expect(page.html).not.toContain(guest.email);
    expect(page.forms).toEqual([]);
    expect(stranger.cookies.size).toBe(0);
  });

  it('cannot decline for the guest, nor end further invitations', async () => {
    const guest = await invite();
    const stranger = new GuestBrowser();
    const declined = await stranger.submit(await stranger.get(guest.redeemUrl), '/decline');
    const path = /href="(\/unsubscribe\/[^"]+)"/.exec(declined.html)?.[1] as string;
    const asked = await stranger.submit(await stranger.get(new URL(path, declined.url)), path);
    expect(asked.html).toContain('Enter your code');
    const own = new GuestBrowser();
    const consent = await proveByPasscode(gateway, own, guest.redeemUrl, guest.email);
    expect((await own.submit(consent, '/accept')).html).toContain('You are a guest of Contoso now');
  });
});
