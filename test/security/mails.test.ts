/** What other people wrote, on its way into a mail: it stays text, adds no header, and never carries the link further. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MAILS_PER_ADDRESS } from '../../src/features/invitations/mail-limits.service.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/until.js';

let gateway: TestGateway;
let people = 0;

beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.stop());

const address = () => `guest${++people}@fabrikam.example`;
const INVITE =
  'mutation ($input: InviteUserInput!) { inviteUser(input: $input) { invitation { id ccRecipients } warnings userErrors { code field } } }';

describe('a header', () => {
  const injection = 'x\r\nBcc: victim@evil.example';

  it.each([
    ['displayName', { displayName: injection }, ['INVALID', 'displayName']],
    ['inviterName', { inviterName: injection }, ['INVALID', 'inviterName']],
    ['email', { email: `a@x.example\r\nBcc: victim@evil.example` }, ['ADDRESS_INVALID', 'email']],
    ['ccRecipients', { ccRecipients: [`a@x.example\nBcc: v@evil.example`] }, ['ADDRESS_INVALID', 'ccRecipients']],
    ['language', { language: `en\r\nBcc: v@evil.example` }, ['LANGUAGE_UNSUPPORTED', 'language']],
  ])('cannot be added by %s: it is refused', async (_field, input, [code, field]) => {
    const tenant = await gateway.createTenant();
    const { data } = await gateway.gql(INVITE, { input: { tenantId: tenant.id, email: address(), ...input } });
    expect(data.inviteUser.userErrors).toMatchObject([{ code, field: expect.arrayContaining([field]) }]);
  });

  it('cannot be added by the tenant: its name and support address are refused', async () => {
    const { data } = await gateway.gql(
      `mutation ($input: CreateTenantInput!) { createTenant(input: $input) { userErrors { code field } } }`,
      { input: { slug: 'injector', displayName: injection } },
    );
    expect(data.createTenant.userErrors).toEqual([{ code: 'INVALID', field: ['displayName'] }]);
    const { id } = await gateway.createTenant();
    const branding = await gateway.gql(
      'mutation ($input: UpdateTenantBrandingInput!) { updateTenantBranding(input: $input) { userErrors { code field } } }',
      { input: { tenantId: id, supportEmail: 'a@x.example\r\nBcc: victim@evil.example' } },
    );
    expect(branding.data.updateTenantBranding.userErrors).toEqual([
      { code: 'ADDRESS_INVALID', field: ['supportEmail'] },
    ]);
  });

  it('holds what is odd but allowed as text, to the one recipient only', async () => {
    const tenant = await gateway.createTenant({ displayName: '"Con, toso" <boss> =?utf-8?q?x?= %0d%0aBcc: v' });
    const email = address();
    await gateway.inviteUser({
      tenantId: tenant.id,
      email,
      displayName: 'Ada, "the" <first>; (comment)',
      inviterName: 'Kim: Min-ji; \\',
      message: 'Hello\r\nBcc: victim@evil.example\r\n\r\n.\r\nMAIL FROM:<x@evil.example>\r\n',
    });
    const { envelope, mail, raw } = await gateway.waitForMail(email);
    const [head = ''] = raw.split('\r\n\r\n');
    expect(envelope).toMatchObject({ from: 'no-reply@vestibule.example', to: [email] });
    expect(head).not.toMatch(/^(bcc|cc|reply-to|x-injected):/im);
    expect([mail.to?.length, mail.to?.[0]?.address, mail.from?.address]).toEqual([
      1,
      email,
      'no-reply@vestibule.example',
    ]);
  });
});

describe('the body', () => {
  it('shows markup, templates and placeholders of other people as they were typed', async () => {
    const name = '<b>Bold</b> {{redeemUrl}} $t(mail.greeting) {{- tenant}}';
    const tenant = await gateway.createTenant({ displayName: name });
    const email = address();
    await gateway.inviteUser({
      tenantId: tenant.id,
      email,
      displayName: name,
      inviterName: name,
      message: `</blockquote><script>alert(1)</script><a href="https://evil.example">x</a>\n{{redeemUrl}} $t(mail.greeting)`,
    });
    const { mail } = await gateway.waitForMail(email);
    expect(mail.text).toContain(name);
    expect(mail.subject).toContain('{{redeemUrl}} $t(mail.greeting)');
    expect(mail.html).toContain('&lt;b&gt;Bold&lt;/b&gt; {{redeemUrl}}');
    expect(mail.html).not.toMatch(/<script|<b>Bold|href="https:\/\/evil/);
    expect(mail.text?.match(/\/redeem\//g)).toHaveLength(1);
  });

  it('links to the gateway and nowhere else, and loads nothing', async () => {
    const tenant = await gateway.createTenant();
    const email = address();
    const { redeemUrl } = await gateway.inviteUser({ tenantId: tenant.id, email });
    const { mail } = await gateway.waitForMail(email);
    const targets = [...(mail.html ?? '').matchAll(/(?:href|src|background)="([^"]*)"/g)].map(([, target]) => target);
    const unsubscribeUrl = /(http\S+\/unsubscribe\/\S+)/.exec(mail.text ?? '')?.[1] ?? '';
    expect(new URL(unsubscribeUrl).origin).toBe(gateway.url);
    const links = new Set([redeemUrl, unsubscribeUrl]);
    expect(new Set(targets.map((target) => target?.replaceAll('&#x3D;', '=')))).toEqual(links);
    expect(mail.html).not.toMatch(/@import|url\(/);
  });
});

describe('a copy', () => {
  it('has no link, no token and no reply to the guest', async () => {
    const tenant = await gateway.createTenant();
    const [email, copied] = [address(), address()];
    const { redeemUrl } = await gateway.inviteUser({ tenantId: tenant.id, email, ccRecipients: [copied] });
    const copy = await gateway.waitForMail(copied);
    const guests = await gateway.waitForMail(email);
    expect(copy.raw + copy.mail.text + copy.mail.html).not.toMatch(/redeem|https?:/);
    expect(copy.raw).not.toContain(redeemUrl.split('.').at(-1));
    expect([copy.envelope.to, guests.envelope.to, guests.mail.cc]).toEqual([[copied], [email], undefined]);
  });

  it('counts for who gets it: nobody is flooded by being copied', async () => {
    const tenant = await gateway.createTenant();
    const victim = address();
    const invite = (email: string) =>
      gateway.gql(INVITE, { input: { tenantId: tenant.id, email, ccRecipients: [victim.toUpperCase()] } });
    for (let sent = 0; sent < MAILS_PER_ADDRESS; sent++) {
      expect((await invite(address())).data.inviteUser.userErrors).toEqual([]);
    }
    const { invitation, userErrors, warnings } = (await invite(address())).data.inviteUser;
    expect([userErrors, warnings]).toEqual([[], [expect.stringContaining('gets no copy')]]);
    expect(invitation.ccRecipients).toEqual([]);
    await until(() => gateway.mails(victim).length >= MAILS_PER_ADDRESS, 'the copies');
    expect(gateway.mails(victim)).toHaveLength(MAILS_PER_ADDRESS);
  });

  it('counts in a bulk invite too: rows beyond the limit are invited without the copy, and say so', async () => {
    const tenant = await gateway.createTenant();
    const victim = address();
    const rows = Array.from({ length: MAILS_PER_ADDRESS + 3 }, () => ({ email: address(), ccRecipients: [victim] }));
    const { bulkInvite } = await gateway.ask(
      'mutation ($input: BulkInviteInput!) { bulkInvite(input: $input) { bulkInvite { id } userErrors { code field message } } }',
      { input: { tenantId: tenant.id, rows } },
    );
    const { id } = bulkInvite.bulkInvite;
    const done = await until(async () => {
      const { node } = await gateway.ask(
        'query ($id: ID!) { node(id: $id) { ... on BulkInvite { status invitedRows rows { nodes { errors { code field } } } } } }',
        { id },
      );
      return node.status === 'COMPLETED' && node;
    }, 'the bulk invite');
    expect(done.invitedRows).toBe(MAILS_PER_ADDRESS + 3);
    const sent = Array(MAILS_PER_ADDRESS).fill({ errors: [] });
    expect(done.rows.nodes).toEqual([...sent, ...Array(3).fill({ errors: [{ code: 'RATE_LIMITED', field: ['cc'] }] })]);
  });

  it('counts when the invitation is sent again', async () => {
    const tenant = await gateway.createTenant();
    const [first, second, victim] = [address(), address(), address()];
    const ids = [];
    for (const email of [first, second]) {
      ids.push((await gateway.inviteUser({ tenantId: tenant.id, email, ccRecipients: [victim] })).id);
    }
    const resend = async (invitationId = '') =>
      (
        await gateway.gql(
          'mutation ($input: InvitationIdInput!) { resendInvitation(input: $input) { warnings userErrors { code } } }',
          { input: { invitationId } },
        )
      ).data.resendInvitation;
    for (let sent = 2; sent < MAILS_PER_ADDRESS; sent++)
      expect(await resend(ids[sent % 2])).toEqual({ warnings: [], userErrors: [] });
    expect(await resend(ids[0])).toEqual({ warnings: [expect.stringContaining('gets no copy')], userErrors: [] });
  });
});
