/** Mails that come back: what counts as a bounce, what it changes, and what nobody can do with a report. */
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MINUTE } from '../../../src/kernel/clock.js';
import { deliveryReport, type ReportFacts } from '../../mail/delivery-reports.js';
import { startImapServer, type TestImapServer } from '../../support/imap-server.js';
import { until } from '../../support/until.js';
import { type InvitationGround, openInvitationGround } from './invitation-ground.js';

const SECRET = 'the secret of the bounce hook of the tests';
const OLD_SECRET = 'the secret of the bounce hook that is going';

let imap: TestImapServer;
let ground: InvitationGround;
let people = 0;

beforeAll(async () => {
  imap = await startImapServer();
  ground = await openInvitationGround({
    env: {
      BOUNCE_HOOK_SECRET: `${SECRET},${OLD_SECRET}`,
      BOUNCE_IMAP_URL: imap.url,
      MAIL_RETURN_PATH: 'bounces+*@vestibule.example',
    },
  });
});
afterAll(async () => {
  await ground.gateway.stop();
  await imap.stop();
});

const someone = () => `guest${++people}@fabrikam.example`;

/** Invited by mail, and the mail sent. */
async function invited(input: object = {}) {
  const email = someone();
  const { invitation } = await ground.invite({ email, sendMail: true, ...input });
  const { mail, envelope } = await ground.gateway.waitForMail(email);
  await until(async () => (await ground.read(invitation.id)).delivery === 'SENT', 'the mail');
  return { id: invitation.id as string, email, messageId: (mail.messageId ?? '').slice(1, -1), from: envelope.from };
}

interface Sent {
  body: string;
  type?: string;
  secret?: string;
  at?: number;
  signature?: string;
}

async function post({ body, type = 'message/rfc822', secret = SECRET, at, signature }: Sent) {
  const t = Math.floor((at ?? ground.gateway.clock.now().getTime()) / 1000);
  const v1 = createHmac('sha256', secret).update(`${t}.${body}`).digest('hex');
  const response = await fetch(`${ground.gateway.url}/mail/bounces`, {
    method: 'POST',
    headers: { 'content-type': type, 'vestibule-signature': signature ?? `t=${t},v1=${v1}` },
    body,
  });
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they asked for
  return { status: response.status, answer: (await response.json()) as any };
}

const report = (facts: ReportFacts) => post({ body: deliveryReport(facts) });
const json = (facts: object) => post({ body: JSON.stringify(facts), type: 'application/json' });
const eventsOf = async (id: string) => (await ground.events(id)).map(({ type }) => type);

describe('a report that a mail came back', () => {
  it('makes the delivery BOUNCED, with a reason people understand and an event, and leaves the invitation open', async () => {
    const guest = await invited();
    expect(await report({ messageId: guest.messageId, recipient: guest.email })).toEqual({
      status: 200,
      answer: { outcome: 'RECORDED' },
    });
    const reason = 'The mail came back: the address does not exist (5.1.1).';
    expect(await ground.read(guest.id)).toMatchObject({
      status: 'PENDING',
      delivery: 'BOUNCED',
      deliveryError: reason,
      isResendable: true,
    });
    expect((await ground.events(guest.id)).at(-1)).toMatchObject({ type: 'MAIL_BOUNCED', detail: reason });
  });

  it('is recorded once, however often and by whatever road it comes', async () => {
    const guest = await invited();
    const facts = { messageId: guest.messageId, recipient: guest.email };
    await report(facts);
    expect((await report(facts)).answer).toEqual({ outcome: 'KNOWN' });
    expect((await json({ ...facts, status: '5.2.2' })).answer).toEqual({ outcome: 'KNOWN' });
    expect((await eventsOf(guest.id)).filter((type) => type === 'MAIL_BOUNCED')).toHaveLength(1);
  });

  it('is recognised by the address it came to, in any case, when nothing else names the mail', async () => {
    const guest = await invited();
    expect(guest.from).toMatch(/^bounces\+inv_[0-9a-z]{26}\.1\.[0-9a-f]{20}@vestibule\.example$/);
    expect(guest.from.indexOf('@')).toBeLessThanOrEqual(64);
    const facts = {
      messageId: 'x',
      recipient: guest.email.toUpperCase(),
      to: guest.from.toUpperCase(),
      returned: null,
    };
    expect((await report(facts)).answer).toEqual({ outcome: 'RECORDED' });
  });

  it('may be told in JSON by a mail service', async () => {
    const guest = await invited();
    const facts = { messageId: `<${guest.messageId}>`, recipient: guest.email, status: '5.2.2' };
    expect((await json({ ...facts, status: '4.2.2' })).answer).toMatchObject({ outcome: 'IGNORED' });
    expect((await json({ ...facts, action: 'delayed' })).answer).toMatchObject({ outcome: 'IGNORED' });
    expect((await json(facts)).answer).toEqual({ outcome: 'RECORDED' });
    expect((await ground.read(guest.id)).deliveryError).toBe('The mail came back: the mailbox is full (5.2.2).');
  });

  it('is counted, and a resend goes out again and is no longer BOUNCED', async () => {
    const counts = async () =>
      (
        await ground.gateway.ask('query ($id: ID!) { tenant(id: $id) { invitationCounts { bounced queued sent } } }', {
          id: ground.tenant.id,
        })
      ).tenant.invitationCounts;
    const before = await counts();
    const guest = await invited();
    await report({ messageId: guest.messageId, recipient: guest.email });
    expect(await counts()).toMatchObject({ bounced: before.bounced + 1, sent: before.sent });
    const { invitation, userErrors } = await ground.resend(guest.id);
    expect(userErrors).toEqual([]);
    expect(invitation).toMatchObject({ delivery: 'QUEUED', deliveryError: null });
    await until(async () => (await ground.read(guest.id)).delivery === 'SENT', 'the resent mail');
    expect(await counts()).toMatchObject({ bounced: before.bounced, sent: before.sent + 1 });
  });

  it('about a mail that was resent since changes nothing; one about the new mail does', async () => {
    const guest = await invited();
    await ground.resend(guest.id);
    const second = await ground.gateway.waitForMail(guest.email, 2);
    await until(async () => (await ground.read(guest.id)).delivery === 'SENT', 'the resent mail');
    expect((await report({ messageId: guest.messageId, recipient: guest.email })).answer).toEqual({
      outcome: 'IGNORED',
      reason: 'A newer mail was sent since.',
    });
    const messageId = (second.mail.messageId ?? '').slice(1, -1);
    expect((await report({ messageId, recipient: guest.email })).answer).toEqual({ outcome: 'RECORDED' });
  });

  it('that says the mail is only late changes nothing', async () => {
    const guest = await invited();
    const facts = { messageId: guest.messageId, recipient: guest.email, action: 'delayed', status: '4.4.1' };
    expect((await report(facts)).answer).toMatchObject({ outcome: 'IGNORED' });
    expect((await ground.read(guest.id)).delivery).toBe('SENT');
  });

  it('of a withdrawn invitation is recorded; the invitation stays withdrawn', async () => {
    const guest = await invited();
    await ground.revoke(guest.id);
    expect((await report({ messageId: guest.messageId, recipient: guest.email })).answer).toEqual({
      outcome: 'RECORDED',
    });
    expect(await ground.read(guest.id)).toMatchObject({ status: 'REVOKED', delivery: 'BOUNCED' });
  });

  it('of a mail whose sending was not noted, because of a kill, tells both', async () => {
    const guest = await invited();
    await ground.gateway.sql(
      `update invitation set delivery = 'QUEUED', sent_at = null, last_sent_at = null where id = $1`,
      [guest.id],
    );
    await ground.gateway.sql(`delete from event where invitation_id = $1 and type = 'MAIL_SENT'`, [guest.id]);
    await report({ messageId: guest.messageId, recipient: guest.email });
    expect(await ground.read(guest.id)).toMatchObject({ delivery: 'BOUNCED', sentAt: expect.any(String) });
    expect(await eventsOf(guest.id)).toEqual(['INVITED', 'MAIL_SENT', 'MAIL_BOUNCED']);
  });
});

describe('a forged report', () => {
  it('without the signed key of the mail changes nothing: ids alone do not make one', async () => {
    const guest = await invited();
    for (const messageId of [
      `${guest.id}.1@localhost`,
      `${guest.id}.1.00000000000000000000@localhost`,
      guest.messageId.replace('.1.', '.2.'),
    ]) {
      expect((await report({ messageId, recipient: guest.email })).answer).toEqual({
        outcome: 'IGNORED',
        reason: 'It names no mail of an invitation of ours.',
      });
    }
    expect((await ground.read(guest.id)).delivery).toBe('SENT');
  });

  it('by the recipient of a copy changes nothing: a copy has another key', async () => {
    const copy = someone();
    const guest = await invited({ ccRecipients: [copy] });
    const { mail, envelope } = await ground.gateway.waitForMail(copy);
    const messageId = (mail.messageId ?? '').slice(1, -1);
    for (const recipient of [guest.email, copy])
      expect((await report({ messageId, recipient, to: envelope.from })).answer).toMatchObject({ outcome: 'IGNORED' });
  });

  it('about another address than the invited one changes nothing', async () => {
    const guest = await invited();
    expect((await report({ messageId: guest.messageId, recipient: someone() })).answer).toEqual({
      outcome: 'IGNORED',
      reason: 'It is about another address than the invited one.',
    });
  });
});

describe('the hook', () => {
  const body = '{"messageId":"x","recipient":"y","status":"5.1.1"}';
  const type = 'application/json';

  it('takes the newer and the older secret, and no other', async () => {
    expect((await post({ body, type, secret: OLD_SECRET })).status).toBe(200);
    expect((await post({ body, type, secret: 'x'.repeat(40) })).status).toBe(401);
  });

  it('takes a signature for five minutes, of this body only', async () => {
    const now = ground.gateway.clock.now().getTime();
    expect((await post({ body, type, at: now - 4 * MINUTE })).status).toBe(200);
    expect((await post({ body, type, at: now - 6 * MINUTE })).status).toBe(401);
    expect((await post({ body, type, at: now + 6 * MINUTE })).status).toBe(401);
    const t = Math.floor(now / 1000);
    const signature = `t=${t},v1=${createHmac('sha256', SECRET).update(`${t}.{}`).digest('hex')}`;
    expect((await post({ body, type, signature })).status).toBe(401);
    expect((await post({ body, type, signature: '' })).answer.errors[0].extensions.code).toBe('UNAUTHENTICATED');
  });

  it('says what it cannot read, and reads nothing before the signature', async () => {
    expect(await post({ body: '{}', type })).toMatchObject({
      status: 400,
      answer: { errors: [{ extensions: { code: 'BAD_REQUEST' } }] },
    });
    expect((await post({ body: 'nonsense', type, signature: 'nonsense' })).status).toBe(401);
    expect((await post({ body, type: 'text/plain' })).status).toBe(415);
    expect((await post({ body: `"${'x'.repeat(1024 * 1024)}"`, type })).status).toBe(413);
    expect((await post({ body: 'Subject: Out of office\r\n\r\nI am away.' })).answer).toEqual({
      outcome: 'IGNORED',
      reason: 'It is no delivery report.',
    });
  });
});

describe('the mailbox', () => {
  it('is read: reports are recorded, other mail is left alone, all of it is marked as seen', async () => {
    const [first, second] = [await invited(), await invited()];
    imap.put('From: someone@fabrikam.example\r\nSubject: Out of office\r\n\r\nI am away.');
    imap.put(deliveryReport({ messageId: first.messageId, recipient: first.email }));
    imap.put(deliveryReport({ messageId: 'x', recipient: second.email, to: second.from, returned: null }));
    await ground.runJob('read_bounces');
    await until(() => imap.seen().length === 3 && imap.seen().every(Boolean), 'the mailbox to be read');
    for (const { id } of [first, second]) expect((await ground.read(id)).delivery).toBe('BOUNCED');
  });
});
