/** Resending, revoking and running out: what each does to the invitation, its link and the feed. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DAY } from '../../../src/kernel/clock.js';
import { until } from '../../support/until.js';
import { type InvitationGround, openInvitationGround } from './invitation-ground.js';

let ground: InvitationGround;
let count = 0;

beforeAll(async () => {
  ground = await openInvitationGround();
});
afterAll(() => ground.gateway.stop());

const someone = () => `guest${count++}@fabrikam.example`;
const codes = ({ userErrors }: { userErrors: { code: string }[] }) => userErrors.map(({ code }) => code);
const types = async (id: string) => (await ground.events(id)).map(({ type }) => type);
/** An invitation of one day, a day later. */
async function expired() {
  const email = someone();
  const answer = await ground.invite({ email, expiresInDays: 1 });
  ground.gateway.clock.advance(DAY);
  return { ...answer, email };
}

describe('resending', () => {
  it('makes a new link by a new mail; the old one dies and says so', async () => {
    const email = someone();
    const first = await ground.invite({ email, sendMail: true });
    await until(async () => (await types(first.invitation.id)).includes('MAIL_SENT'), 'the first mail to be noted');
    const second = await ground.resend(first.invitation.id);
    expect(second.userErrors).toEqual([]);
    expect(second.invitation).toMatchObject({
      id: first.invitation.id,
      status: 'PENDING',
      sendCount: 2,
      expiresAt: first.invitation.expiresAt,
    });
    expect(second.redeemUrl).not.toBe(first.redeemUrl);
    const [one, two] = [await ground.gateway.waitForMail(email, 1), await ground.gateway.waitForMail(email, 2)];
    expect(two.mail.text).toContain(second.redeemUrl);
    expect(two.mail.messageId).not.toBe(one.mail.messageId);
    await until(async () => (await types(first.invitation.id)).length === 4, 'the second mail to be noted');
    expect((await types(first.invitation.id)).filter((type) => type !== 'MAIL_SENT')).toEqual(['INVITED', 'RESENT']);
    expect(await ground.openLink(first.redeemUrl)).toBe('SUPERSEDED');
    expect(await ground.openLink(second.redeemUrl)).toBeNull();
  });

  it('sends what was invited without a mail', async () => {
    const email = someone();
    const { invitation } = await ground.invite({ email });
    expect((await ground.resend(invitation.id)).invitation).toMatchObject({
      sendCount: 1,
      delivery: expect.stringMatching(/QUEUED|SENT/),
    });
    await ground.gateway.waitForMail(email);
  });

  it('revives an invitation that has run out, for another 30 days', async () => {
    const { invitation, redeemUrl } = await expired();
    expect(await ground.openLink(redeemUrl)).toBe('EXPIRED');
    const { invitation: revived, redeemUrl: link } = await ground.resend(invitation.id);
    expect(revived).toMatchObject({ status: 'PENDING', expiredAt: null, isRevocable: true });
    expect(Date.parse(revived.expiresAt)).toBeGreaterThan(ground.gateway.clock.now().getTime() + 29 * DAY);
    expect(await ground.openLink(link)).toBeNull();
  });

  it('does not revive one that a newer invitation has replaced', async () => {
    const { invitation, email } = await expired();
    await ground.invite({ email });
    expect(codes(await ground.resend(invitation.id))).toEqual(['ALREADY_INVITED']);
  });

  it.each([
    ['REVOKED', 'REVOKED'],
    ['DECLINED', 'DECLINED'],
    ['REDEEMED', 'ALREADY_REDEEMED'],
  ])('and revoking are refused for one that is %s', async (status, code) => {
    const { invitation } = await ground.invite({ email: someone() });
    await ground.gateway.sql('update invitation set status = $2 where id = $1', [invitation.id, status]);
    for (const act of [ground.resend, ground.revoke]) {
      const answer = await act(invitation.id);
      expect(answer.invitation).toBeNull();
      expect(answer.userErrors).toMatchObject([{ code, field: ['invitationId'] }]);
    }
    expect(await ground.read(invitation.id)).toMatchObject({
      status,
      isResendable: false,
      isRevocable: false,
      sendCount: 0,
    });
    expect(await types(invitation.id)).toEqual(['INVITED']);
  });

  it.each(['', 'x', 'inv_00000000000000000000000000'])(
    'and revoking of %j, which is nothing, is NOT_FOUND',
    async (id) => {
      for (const act of [ground.resend, ground.revoke])
        expect((await act(id)).userErrors).toMatchObject([{ code: 'NOT_FOUND', field: ['invitationId'] }]);
    },
  );
});

describe('revoking', () => {
  it('ends the invitation and its link, and is told once', async () => {
    const { invitation, redeemUrl } = await ground.invite({ email: someone() });
    const { invitation: revoked } = await ground.revoke(invitation.id);
    expect(revoked).toMatchObject({
      status: 'REVOKED',
      revokedAt: expect.any(String),
      isResendable: false,
      isRevocable: false,
    });
    expect(await ground.openLink(redeemUrl)).toBe('REVOKED');
    expect(codes(await ground.revoke(invitation.id))).toEqual(['REVOKED']);
    expect(await types(invitation.id)).toEqual(['INVITED', 'REVOKED']);
  });

  it('by many at once happens once', async () => {
    const { invitation } = await ground.invite({ email: someone() });
    const answers = await Promise.all(Array.from({ length: 8 }, () => ground.revoke(invitation.id)));
    expect(answers.flatMap(codes)).toEqual(Array(7).fill('REVOKED'));
    expect(await types(invitation.id)).toEqual(['INVITED', 'REVOKED']);
  });

  it('one that has run out is refused as EXPIRED', async () => {
    const { invitation } = await expired();
    expect(codes(await ground.revoke(invitation.id))).toEqual(['EXPIRED']);
  });

  it('keeps a mail that waits from being sent', async () => {
    const email = someone();
    const { invitation } = await ground.invite({ email });
    // Queued, but not for now: as after a failed attempt.
    await ground.gateway.sql(`update invitation set delivery = 'QUEUED' where id = $1`, [invitation.id]);
    await ground.revoke(invitation.id);
    await ground.gateway.sql(
      `select graphile_worker.add_job('send_invitation_mail', json_build_object('invitationId', $1::text, 'linkVersion', 1))`,
      [invitation.id],
    );
    await until(
      async () => (await ground.gateway.sql('select from graphile_worker.jobs')).length === 0,
      'the job to run',
    );
    expect(ground.gateway.mails(email)).toEqual([]);
  });
});

describe('running out', () => {
  it('is seen at once by every reader, and becomes an event when the sweeper comes by', async () => {
    const { invitation } = await expired();
    const stored = () =>
      ground.gateway.sql<{ status: string }>('select status from invitation where id = $1', [invitation.id]);
    const seen = { status: 'EXPIRED', expiredAt: invitation.expiresAt, isRevocable: false, isResendable: true };
    expect(await ground.read(invitation.id)).toMatchObject(seen);
    await ground.runJob('expire_invitations');
    await until(async () => (await stored())[0]?.status === 'EXPIRED', 'the sweeper');
    expect(await ground.read(invitation.id)).toMatchObject(seen);
    expect(await ground.events(invitation.id)).toMatchObject([
      { type: 'INVITED' },
      { type: 'EXPIRED', at: invitation.expiresAt },
    ]);
    await ground.runJob('expire_invitations');
    await until(
      async () => (await ground.gateway.sql('select from graphile_worker.jobs')).length === 0,
      'the second sweep',
    );
    expect(await types(invitation.id)).toEqual(['INVITED', 'EXPIRED']);
  });

  it('does not stand in the way of a new invitation, swept or not', async () => {
    const { invitation, externalUser, email } = await expired();
    const second = await ground.invite({ email });
    expect(second.userErrors).toEqual([]);
    expect(second.externalUser.id).toBe(externalUser.id);
    expect(await types(invitation.id)).toEqual(['INVITED', 'EXPIRED']);
    expect((await ground.read(invitation.id)).status).toBe('EXPIRED');
    expect((await ground.read(second.invitation.id)).status).toBe('PENDING');
  });

  it('and inviting anew by many at once leaves one pending invitation', async () => {
    const { invitation, email } = await expired();
    const answers = await Promise.all(Array.from({ length: 8 }, () => ground.invite({ email })));
    expect(answers.filter(({ invitation: made }) => made !== null)).toHaveLength(1);
    expect(await types(invitation.id)).toEqual(['INVITED', 'EXPIRED']);
  });
});
