/** What goes out by mail: how often, to whom, with which words, and what is known when it cannot be delivered. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DAY, MINUTE } from '../../../src/kernel/clock.js';
import { refusal, startSmtpServer, type TestSmtpServer } from '../../support/smtp-server.js';
import { until } from '../../support/until.js';
import { type InvitationGround, openInvitationGround } from './invitation-ground.js';

/** What the mail server says to a recipient; null: it takes the mail. */
let answerOf: (address: string) => { code: number; text: string } | null = () => null;
let smtp: TestSmtpServer;
let ground: InvitationGround;
let count = 0;

beforeAll(async () => {
  smtp = await startSmtpServer({
    onRcptTo({ address }, _session, callback) {
      const answer = answerOf(address);
      callback(answer && refusal(answer.code, answer.text));
    },
  });
  ground = await openInvitationGround({ smtp });
});
afterAll(async () => {
  await ground.gateway.stop();
  await smtp.stop();
});

const someone = () => `guest${count++}@fabrikam.example`;
const invite = (input: object = {}) => ground.invite({ email: someone(), sendMail: true, ...input });
const delivered = (id: string, delivery: string) =>
  until(async () => {
    const invitation = await ground.read(id);
    return invitation.delivery === delivery ? invitation : null;
  }, `delivery ${delivery}`);
const jobsNow = () =>
  ground.gateway.sql(
    'select graphile_worker.reschedule_jobs(array(select id from graphile_worker.jobs), run_at => now())',
  );

describe('the mail', () => {
  it('is noted as sent, once', async () => {
    const { invitation } = await invite();
    const sent = await delivered(invitation.id, 'SENT');
    expect(sent).toMatchObject({
      status: 'PENDING',
      deliveryError: null,
      sentAt: expect.any(String),
      lastSentAt: sent.sentAt,
    });
    expect((await ground.events(invitation.id)).map(({ type }) => type)).toEqual(['INVITED', 'MAIL_SENT']);
    await ground.gateway.sql(
      `select graphile_worker.add_job('send_invitation_mail', json_build_object('invitationId', $1::text, 'linkVersion', 1))`,
      [invitation.id],
    );
    await until(
      async () => (await ground.gateway.sql('select from graphile_worker.jobs')).length === 0,
      'the repeated job',
    );
    expect(ground.gateway.mails(invitation.email)).toHaveLength(1);
  });

  it("shows the inviter's words as words, never as HTML", async () => {
    const message = 'Hello <b>Ana</b> <script>alert(1)</script> {{redeemUrl}} & "co"';
    const { invitation, redeemUrl } = await invite({ message, displayName: 'Ana <img src=x>' });
    const { mail } = await ground.gateway.waitForMail(invitation.email);
    expect(mail.html).not.toMatch(/<script|<b>Ana|<img src=x/);
    expect(mail.html).toContain('&lt;script&gt;');
    const links = [...(mail.html ?? '').matchAll(/href="([^"]*redeem[^"]*)"/g)].map(([, link]) => link);
    expect(new Set(links)).toEqual(new Set([redeemUrl]));
    expect(mail.text).toContain('{{redeemUrl}}');
  });

  it('goes to the guest alone; copies are mails of their own, without the link', async () => {
    const copies = [someone(), someone()];
    const { invitation, redeemUrl } = await invite({ ccRecipients: copies, message: 'For your information' });
    const token = redeemUrl.split('/redeem/').at(-1);
    const own = await ground.gateway.waitForMail(invitation.email);
    expect(own.envelope.to).toEqual([invitation.email]);
    expect(own.mail.cc ?? []).toEqual([]);
    for (const copy of copies) {
      const { mail, raw, envelope } = await ground.gateway.waitForMail(copy);
      expect(envelope.to).toEqual([copy]);
      const whole = `${raw} ${mail.text} ${mail.html}`;
      expect(whole).not.toContain('/redeem');
      expect(whole).not.toContain(token);
      expect(mail.text).toContain(invitation.email);
    }
  });

  it('is in the language of the invitation', async () => {
    const { invitation } = await invite({ language: 'ko' });
    expect((await ground.gateway.waitForMail(invitation.email)).mail.text).toMatch(/[가-힣]/);
  });
});

describe('a mail server', () => {
  it('that is down for a while gets the mail later; until then it is QUEUED', async () => {
    const email = someone();
    let attempts = 0;
    answerOf = (address) => {
      if (address !== email) return null;
      attempts += 1;
      return { code: 451, text: 'try later' };
    };
    const { invitation } = await invite({ email });
    await until(() => attempts > 0, 'the first attempt');
    expect(await ground.read(invitation.id)).toMatchObject({ delivery: 'QUEUED', status: 'PENDING', sentAt: null });
    answerOf = () => null;
    await until(async () => {
      await jobsNow();
      return ground.gateway.mails(email).length > 0;
    }, 'the mail');
    await delivered(invitation.id, 'SENT');
    expect((await ground.events(invitation.id)).map(({ type }) => type)).toEqual(['INVITED', 'MAIL_SENT']);
  });

  it('that refuses the address for good makes the delivery FAILED, with a reason in our words', async () => {
    const email = someone();
    answerOf = (address) => (address === email ? { code: 550, text: 'no such user here, call +1 555 0100' } : null);
    const { invitation, redeemUrl } = await invite({ email });
    const failed = await delivered(invitation.id, 'FAILED');
    expect(failed).toMatchObject({ status: 'PENDING', deliveryError: expect.stringMatching(/\w/), sentAt: null });
    expect(await ground.events(invitation.id)).toMatchObject([
      { type: 'INVITED' },
      { type: 'MAIL_FAILED', detail: failed.deliveryError },
    ]);
    expect(failed.deliveryError).not.toContain('555');
    expect(await ground.openLink(redeemUrl)).toBeNull();

    answerOf = () => null;
    await ground.resend(invitation.id);
    expect(await delivered(invitation.id, 'SENT')).toMatchObject({ deliveryError: null });
  });

  it("that refuses a copy does not stop the guest's mail, nor repeat it", async () => {
    const copy = someone();
    answerOf = (address) => (address === copy ? { code: 550, text: 'no' } : null);
    const { invitation } = await invite({ ccRecipients: [copy] });
    await delivered(invitation.id, 'SENT');
    await until(
      async () => (await ground.gateway.sql('select from graphile_worker.jobs')).length === 0,
      'the copy to be given up',
    );
    expect(ground.gateway.mails(invitation.email)).toHaveLength(1);
    answerOf = () => null;
  });
});

describe('send limits', () => {
  const ask = (id: string) => ground.resend(id);

  it('let an address have ten mails in ten minutes, resends included', async () => {
    const { invitation } = await invite();
    for (let sent = 1; sent < 10; sent++) expect((await ask(invitation.id)).userErrors).toEqual([]);
    const { userErrors, invitation: none } = await ask(invitation.id);
    expect(none).toBeNull();
    expect(userErrors).toMatchObject([{ code: 'RATE_LIMITED' }]);
    expect(userErrors[0].retryAfterSeconds).toBeGreaterThan(0);
    expect(userErrors[0].retryAfterSeconds).toBeLessThanOrEqual(600);
    expect(await ground.read(invitation.id)).toMatchObject({ sendCount: 10 });

    ground.gateway.clock.advance(10 * MINUTE);
    expect((await ask(invitation.id)).userErrors).toEqual([]);
  });

  it('count copies for the address they go to, in any spelling, resent ones too', async () => {
    const copy = someone();
    const { invitation } = await invite({ ccRecipients: [copy.toUpperCase()] });
    for (let sent = 1; sent < 10; sent++) await ask(invitation.id);
    const { userErrors } = await invite({ email: copy });
    expect(userErrors).toMatchObject([{ code: 'RATE_LIMITED', field: ['email'] }]);
  });

  it('do not stand in the way of an invitation without a mail', async () => {
    const { invitation, userErrors } = await invite();
    for (let sent = 1; sent < 10; sent++) await ask(invitation.id);
    expect(userErrors).toEqual([]);
    await ground.revoke(invitation.id);
    expect((await ground.invite({ email: invitation.email })).userErrors).toEqual([]);
  });

  it('let an address have fifty from all tenants together', async () => {
    const email = someone();
    await ground.gateway.sql(
      `insert into mail_request (tenant_id, address_key, requested_at) select 'tnt_' || n, $1, $2 from generate_series(1, 50) n`,
      [email, ground.gateway.clock.now()],
    );
    expect((await invite({ email })).userErrors).toMatchObject([{ code: 'RATE_LIMITED' }]);
  });

  it('hold a tenant to its quota of the hour, which ends with the hour', async () => {
    const small = await openInvitationGround({ env: { MAILS_PER_TENANT_PER_HOUR: '3' } });
    try {
      const send = (index: number, ccRecipients: string[] = []) =>
        small.invite({ email: `quota${index}@fabrikam.example`, sendMail: true, ccRecipients });
      expect((await send(1, ['copy@fabrikam.example'])).userErrors).toEqual([]);
      expect((await send(2)).userErrors).toEqual([]);
      expect((await send(3)).userErrors).toMatchObject([
        { code: 'QUOTA_EXCEEDED', field: ['email'], retryAfterSeconds: expect.any(Number) },
      ]);
      const elsewhere = await small.gateway.createTenant();
      expect(
        (await small.invite({ tenantId: elsewhere.id, email: 'quota3@fabrikam.example', sendMail: true })).userErrors,
      ).toEqual([]);
      small.gateway.clock.advance(DAY / 24);
      expect((await send(3)).userErrors).toEqual([]);
    } finally {
      await small.gateway.stop();
    }
  });
});
