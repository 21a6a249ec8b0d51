import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DAY, MINUTE } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';
import { GuestBrowser, passcodesTo, proveByPasscode, startAt, type WebPage } from './guest-browser.js';

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

/** From the footer of the invitation's mail. */
async function linkInMail(email: string): Promise<string> {
  const { mail } = await gateway.waitForMail(email);
  return /(http\S+\/unsubscribe\/\S+)/.exec(mail.text ?? '')?.[1] as string;
}

async function prove(browser: GuestBrowser, email: string): Promise<WebPage> {
  const before = passcodesTo(gateway, email).length;
  const asked = await browser.get(await linkInMail(email));
  const page = await browser.submit(asked, asked.url.pathname);
  const passcode = await until(() => passcodesTo(gateway, email)[before], `passcode to ${email}`);
  return browser.submit(page, '/passcode', { passcode });
}

async function unsubscribe(email: string): Promise<WebPage> {
  const browser = new GuestBrowser();
  return browser.submit(await prove(browser, email), '/unsubscribe');
}

async function inviteAgain(email: string, tenant = tenantId, input: object = {}) {
  const { data } = await gateway.gql(
    `mutation ($input: InviteUserInput!) { inviteUser(input: $input) {
      invitation { id } existingInvitation { id } externalUser { id } userErrors { code field } } }`,
    { input: { tenantId: tenant, email, ...input } },
  );
  return data.inviteUser;
}

async function change(mutation: 'revokeInvitation' | 'resendInvitation', invitationId: string) {
  const { data } = await gateway.gql(
    `mutation ($input: InvitationIdInput!) { payload: ${mutation}(input: $input) { userErrors { code field } } }`,
    { input: { invitationId } },
  );
  return data.payload.userErrors;
}

const refusal = [{ code: 'RECIPIENT_UNSUBSCRIBED', field: ['email'] }];

describe('who wants no more invitations', () => {
  it('says so by the link in the mail and a code, and is not invited again', async () => {
    const { email, id } = await invite();
    const done = await unsubscribe(email);
    expect(done.html).toContain(`Contoso does not invite ${email} any more.`);
    await change('revokeInvitation', id);
    const again = await inviteAgain(email);
    expect(again).toMatchObject({ invitation: null, userErrors: refusal });
    expect((await inviteAgain(email.toUpperCase(), tenantId, { sendMail: false })).userErrors).toEqual(refusal);
    const { explainRedemption } = await gateway.ask(
      'query ($tenantId: ID!, $email: String!) { explainRedemption(tenantId: $tenantId, email: $email) { inviteRefusal { code } } }',
      { tenantId, email },
    );
    expect(explainRedemption.inviteRefusal).toEqual({ code: 'RECIPIENT_UNSUBSCRIBED' });
    const other = await gateway.createTenant();
    expect((await inviteAgain(email, other.id)).userErrors).toEqual([]);
  });

  it('is refused in a batch, row by row, and before it is sent', async () => {
    const { email, id } = await invite();
    await unsubscribe(email);
    await change('revokeInvitation', id);
    const rows = [{ email }, { email: `guest${++people}@fabrikam.example` }];
    for (const dryRun of [true, false]) {
      const { bulkInvite } = await gateway.ask(
        'mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { bulkInvite { id } userErrors { code field message } } }',
        { input: { tenantId, rows, dryRun } },
      );
      const answer = await until(async () => {
        const { node } = await gateway.ask(
          'query ($id: ID!) { node(id: $id) { ... on BulkInvite { status rows { nodes { outcome errors { code } } } } } }',
          { id: bulkInvite.bulkInvite.id },
        );
        return node.status === 'COMPLETED' ? node.rows.nodes : undefined;
      }, 'the batch');
      expect(answer).toEqual([
        { outcome: 'REJECTED', errors: [{ code: 'RECIPIENT_UNSUBSCRIBED' }] },
        { outcome: dryRun ? 'VALID' : 'INVITED', errors: [] },
      ]);
    }
  });

  it('is told nothing about the invitation that is still open: it can be accepted, but not sent again', async () => {
    const { email, id, redeemUrl } = await invite();
    await unsubscribe(email);
    expect(await change('resendInvitation', id)).toEqual([{ code: 'RECIPIENT_UNSUBSCRIBED', field: ['invitationId'] }]);
    const browser = new GuestBrowser();
    const consent = await proveByPasscode(gateway, browser, redeemUrl, email);
    expect((await browser.submit(consent, '/accept')).html).toContain('You are a guest of Contoso now');
  });

  it('sees what is noted and takes it back, with a code each time', async () => {
    const { email, id } = await invite();
    await unsubscribe(email);
    await change('revokeInvitation', id);
    const browser = new GuestBrowser();
    const noted = await prove(browser, email);
    expect(noted.html).toContain('does not invite');
    const lifted = await browser.submit(noted, '/resubscribe');
    expect(lifted.html).toContain(`Contoso may invite ${email} at present.`);
    expect((await inviteAgain(email)).userErrors).toEqual([]);
  });

  it('can say so long after the invitation is over', async () => {
    const { email, id } = await invite({ expiresInDays: 1 });
    await change('revokeInvitation', id);
    gateway.clock.advance(2 * DAY);
    expect((await unsubscribe(email)).html).toContain('does not invite');
  });

  it('is asked for no second proof right after declining', async () => {
    const { email, redeemUrl } = await invite();
    const browser = new GuestBrowser();
    const consent = await proveByPasscode(gateway, browser, redeemUrl, email);
    const declined = await browser.submit(consent, '/decline');
    const choice = await browser.submit(declined, '/unsubscribe');
    expect((await browser.submit(choice, '/unsubscribe')).html).toContain('does not invite');
    expect((await inviteAgain(email)).userErrors).toEqual(refusal);
  });

  it('is led to the proof when the invitation was declined by its link alone', async () => {
    const { redeemUrl } = await invite();
    const browser = new GuestBrowser();
    const declined = await browser.submit(await browser.get(redeemUrl), '/decline');
    const path = /href="(\/unsubscribe\/[^"]+)"/.exec(declined.html)?.[1] as string;
    expect((await browser.get(new URL(path, declined.url))).html).toContain('No more invitations from Contoso');
  });

  it('is listed for operators', async () => {
    const { email } = await invite();
    await unsubscribe(email);
    const { tenant } = await gateway.ask(
      'query ($id: ID) { tenant(id: $id) { unsubscribedRecipients(first: 1) { nodes { email unsubscribedAt } totalCount } } }',
      { id: tenantId },
    );
    expect(tenant.unsubscribedRecipients.nodes).toEqual([{ email, unsubscribedAt: expect.any(String) }]);
  });
});

describe('nobody else', () => {
  const blocked = async (email: string) =>
    (await gateway.sql('select from unsubscribed_recipient where tenant_id = $1 and email_key = $2', [tenantId, email]))
      .length > 0;

  it('unsubscribes a person: opening the link and pressing every button only sends a code', async () => {
    const { email } = await invite();
    const scanner = new GuestBrowser();
    const page = await scanner.get(await linkInMail(email));
    expect(page.html).not.toContain(email);
    const next = await scanner.submit(page, page.url.pathname);
    for (const form of next.forms) await scanner.post(new URL(form.action, next.url), form.fields);
    const key = next.url.pathname;
    for (const step of ['/unsubscribe', '/resubscribe']) {
      const [form] = next.forms;
      await scanner.post(new URL(key + step, next.url), form?.fields ?? {});
    }
    expect(await blocked(email)).toBe(false);
  });

  it('gets in with a code in another browser, with a guessed one, or after too many tries', async () => {
    const { email } = await invite();
    const browser = new GuestBrowser();
    const asked = await browser.get(await linkInMail(email));
    const page = await browser.submit(asked, asked.url.pathname);
    const passcode = await until(() => passcodesTo(gateway, email)[0], `passcode to ${email}`);
    const stranger = new GuestBrowser();
    expect((await stranger.get(page.url)).status).toBe(404);
    for (let attempt = 0; attempt < 5; attempt++)
      expect((await browser.submit(page, '/passcode', { passcode: '0000000x' })).status).toBe(422);
    expect((await browser.submit(page, '/passcode', { passcode })).status).toBe(429);
    const [form] = page.forms;
    const forced = await browser.post(new URL(`${page.url.pathname}/unsubscribe`, page.url), form?.fields ?? {});
    expect(forced.html).toContain('Enter your code');
    expect(await blocked(email)).toBe(false);
  });

  it('makes up a link, or turns the link of an invitation into one', async () => {
    const { id, redeemUrl } = await invite();
    const token = redeemUrl.split('/').at(-1) as string;
    const browser = new GuestBrowser();
    for (const made of [token, id, `${id}.`, `${id}.AAAA`, 'x', '.', `${token}.x`])
      expect([made, (await browser.get(new URL(`/unsubscribe/${made}`, gateway.url))).status]).toEqual([made, 404]);
  });

  it('learns from the page whether an address is unsubscribed', async () => {
    const { email } = await invite();
    const link = await linkInMail(email);
    const before = await new GuestBrowser().get(link);
    await unsubscribe(email);
    expect((await new GuestBrowser().get(link)).html).toBe(before.html);
  });
});

describe('the mail of an invitation', () => {
  it('names the page in List-Unsubscribe, without the one click that a scanner could make', async () => {
    const { email } = await invite();
    const { mail } = await gateway.waitForMail(email);
    const headers = new Map(mail.headers.map(({ key, value }) => [key, value]));
    expect(headers.get('list-unsubscribe')).toBe(`<${await linkInMail(email)}>`);
    expect(headers.has('list-unsubscribe-post')).toBe(false);
  });
});

it('a code is over after 30 minutes', async () => {
  const { email, redeemUrl } = await invite();
  await startAt(new GuestBrowser(), redeemUrl);
  const browser = new GuestBrowser();
  const asked = await browser.get(await linkInMail(email));
  const page = await browser.submit(asked, asked.url.pathname);
  const passcode = await until(() => passcodesTo(gateway, email)[0], `passcode to ${email}`);
  gateway.clock.advance(31 * MINUTE);
  expect((await browser.submit(page, '/passcode', { passcode })).status).toBe(404);
});
