/** Inviting one person: what comes of it, and every reason why nothing does. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DAY } from '../../../src/kernel/clock.js';
import { type InvitationGround, openInvitationGround } from './invitation-ground.js';

let ground: InvitationGround;

beforeAll(async () => {
  ground = await openInvitationGround();
});
afterAll(() => ground.gateway.stop());

const problems = ({ userErrors }: { userErrors: { code: string; field: string[] | null }[] }) =>
  userErrors.map(({ code, field }) => [code, field?.join('.') ?? null]);
const pendingFor = (emailKey: string) =>
  ground.gateway.sql<{ id: string }>(
    `select id from invitation where tenant_id = $1 and email_key = $2 and status = 'PENDING'`,
    [ground.tenant.id, emailKey],
  );

describe('inviting', () => {
  it('makes a user awaiting acceptance, a pending invitation and a mail with the link', async () => {
    const email = 'Ana+orders@Fabrikam.example';
    const { invitation, externalUser, redeemUrl, userErrors } = await ground.invite({
      email,
      displayName: 'Ana',
      sendMail: true,
    });
    expect(userErrors).toEqual([]);
    expect(invitation).toMatchObject({
      email,
      displayName: 'Ana',
      status: 'PENDING',
      delivery: 'QUEUED',
      language: 'en',
      sendCount: 1,
      isResendable: true,
      isRevocable: true,
    });
    expect(externalUser).toMatchObject({
      userPrincipalName: `ana+orders_fabrikam.example#EXT#@${ground.tenant.slug}`,
      state: 'PENDING_ACCEPTANCE',
      userType: 'GUEST',
      creationType: 'Invitation',
    });
    const { mail } = await ground.gateway.waitForMail(email);
    expect(mail.text).toContain(redeemUrl);
  });

  it('without a mail makes the link only', async () => {
    const { invitation, redeemUrl } = await ground.invite({ email: 'quiet@fabrikam.example' });
    expect(invitation).toMatchObject({ delivery: 'SUPPRESSED', sendCount: 0, sentAt: null });
    expect(await ground.openLink(redeemUrl)).toBeNull();
    expect(ground.gateway.mails('quiet@fabrikam.example')).toEqual([]);
  });

  it('remembers what it is to give, who asked and how long it lasts', async () => {
    const { gateway, tenant } = ground;
    const make = async (document: string, input: object) =>
      (await gateway.ask(document, { input: { tenantId: tenant.id, ...input } })).made;
    const { app } = await make(
      'mutation ($input: RegisterAppInput!) { made: registerApp(input: $input) { app { id } userErrors { code } } }',
      {
        displayName: 'Orders',
        homePageUrl: 'https://orders.contoso.example/',
      },
    );
    const { group } = await make(
      'mutation ($input: CreateGroupInput!) { made: createGroup(input: $input) { group { id } userErrors { code } } }',
      {
        displayName: 'Buyers',
      },
    );
    const { invitation } = await ground.invite({
      email: 'grants@fabrikam.example',
      appIds: [app.id, app.id],
      groupIds: [group.id],
      landingAppId: app.id,
      message: 'Welcome',
      language: 'ko-KR',
      ccRecipients: ['boss@fabrikam.example', 'BOSS@fabrikam.example'],
      expiresInDays: 7,
    });
    expect(invitation).toMatchObject({
      apps: [{ displayName: 'Orders' }],
      groups: [{ displayName: 'Buyers' }],
      landingApp: { displayName: 'Orders' },
      message: 'Welcome',
      language: 'ko',
      ccRecipients: [expect.stringMatching(/^boss@fabrikam.example$/i)],
      invitedBy: { kind: 'API_KEY' },
    });
    expect(Date.parse(invitation.expiresAt) - Date.parse(invitation.createdAt)).toBe(7 * DAY);
  });
});

describe('addresses', () => {
  it.each([
    ['', 'REQUIRED'],
    ['   ', 'REQUIRED'],
    ['ana', 'ADDRESS_INVALID'],
    ['ana@', 'ADDRESS_INVALID'],
    ['ana@localhost', 'ADDRESS_INVALID'],
    ['ana@fabrikam..example', 'ADDRESS_INVALID'],
    ['ana@[127.0.0.1]', 'ADDRESS_INVALID'],
    ['"ana b"@fabrikam.example', 'ADDRESS_INVALID'],
    ['Ana <ana@fabrikam.example>', 'ADDRESS_INVALID'],
    ['ana@fabrikam.example\r\nbcc: x@evil.example', 'ADDRESS_INVALID'],
    ['ana@fabrikam.example, bo@fabrikam.example', 'GROUP_ADDRESS'],
    ['ana@fabrikam.example;bo@fabrikam.example', 'GROUP_ADDRESS'],
    ['ana@contoso.example', 'OWN_DOMAIN'],
    ['ANA@CONTOSO.EXAMPLE', 'OWN_DOMAIN'],
  ])('%j are refused as %s', async (email, code) => {
    expect(problems(await ground.invite({ email }))).toEqual([[code, 'email']]);
  });

  it("of a domain below the tenant's own are from outside", async () => {
    expect(problems(await ground.invite({ email: 'ana@partners.contoso.example' }))).toEqual([]);
  });

  it('are the same in another spelling: upper case, spaces around, Unicode or ASCII domain', async () => {
    const first = await ground.invite({ email: ' Jürgen@München.example ' });
    expect(first.invitation.email).toMatch(/^Jürgen@münchen\.example$/i);
    for (const email of [
      'Jürgen@münchen.example',
      'jürgen@MÜNCHEN.example',
      'jürgen@xn--mnchen-3ya.example',
      'ju\u0308rgen@münchen.example',
    ]) {
      const second = await ground.invite({ email });
      expect(problems(second)).toEqual([['ALREADY_INVITED', 'email']]);
      expect(second.existingInvitation.id).toBe(first.invitation.id);
      expect(second.externalUser.id).toBe(first.externalUser.id);
      expect(second.invitation).toBeNull();
    }
  });

  it('with another plus tag are another person', async () => {
    const first = await ground.invite({ email: 'tag+1@fabrikam.example' });
    const second = await ground.invite({ email: 'tag+2@fabrikam.example' });
    expect(second.userErrors).toEqual([]);
    expect(second.externalUser.id).not.toBe(first.externalUser.id);
  });
});

describe('an input with mistakes', () => {
  it('is told all of them at once, each at its place, and nothing is made', async () => {
    const answer = await ground.invite({
      email: 'nobody',
      displayName: 'see https://evil.example',
      appIds: ['app_00000000000000000000000000', 'x'],
      groupIds: ['grp_00000000000000000000000000'],
      landingAppId: 'x',
      message: 'x'.repeat(5001),
      language: 'xx',
      ccRecipients: ['ok@fabrikam.example', 'not ok'],
      expiresInDays: 91,
    });
    expect(problems(answer).sort()).toEqual(
      [
        ['ADDRESS_INVALID', 'email'],
        ['INVALID', 'displayName'],
        ['NOT_FOUND', 'appIds.0'],
        ['NOT_FOUND', 'appIds.1'],
        ['NOT_FOUND', 'groupIds.0'],
        ['NOT_FOUND', 'landingAppId'],
        ['TOO_LONG', 'message'],
        ['LANGUAGE_UNSUPPORTED', 'language'],
        ['ADDRESS_INVALID', 'ccRecipients.1'],
        ['INVALID', 'expiresInDays'],
      ].sort(),
    );
    expect(answer).toMatchObject({ invitation: null, externalUser: null, redeemUrl: null });
  });

  it.each([0, -1, 91, 1_000_000])('such as %i days to expire is refused', async (expiresInDays) => {
    expect(problems(await ground.invite({ email: 'days@fabrikam.example', expiresInDays }))).toEqual([
      ['INVALID', 'expiresInDays'],
    ]);
  });

  it('such as more than ten copies is refused', async () => {
    const ccRecipients = Array.from({ length: 11 }, (_, index) => `copy${index}@fabrikam.example`);
    expect(problems(await ground.invite({ email: 'copies@fabrikam.example', ccRecipients }))).toEqual([
      ['INVALID', 'ccRecipients'],
    ]);
  });

  it('such as a redirect to an address no app has registered is refused', async () => {
    expect(
      problems(await ground.invite({ email: 'redirect@fabrikam.example', redirectUrl: 'https://evil.example/' })),
    ).toEqual([['REDIRECT_NOT_REGISTERED', 'redirectUrl']]);
  });
});

describe('who is already there', () => {
  it('as a member is not invited again', async () => {
    const { externalUser, invitation } = await ground.invite({ email: 'member@fabrikam.example' });
    await ground.gateway.sql(`update external_user set state = 'ACCEPTED' where id = $1`, [externalUser.id]);
    await ground.gateway.sql(`update invitation set status = 'REDEEMED' where id = $1`, [invitation.id]);
    expect(problems(await ground.invite({ email: 'Member@fabrikam.example' }))).toEqual([['ALREADY_MEMBER', 'email']]);
  });

  it('with a disabled account is not invited', async () => {
    const { externalUser, invitation } = await ground.invite({ email: 'disabled@fabrikam.example' });
    await ground.revoke(invitation.id);
    await ground.gateway.sql('update external_user set account_enabled = false where id = $1', [externalUser.id]);
    expect(problems(await ground.invite({ email: 'disabled@fabrikam.example' }))).toEqual([
      ['ACCOUNT_DISABLED', 'email'],
    ]);
  });

  it('and whose invitation was revoked is invited anew, as the same user', async () => {
    const first = await ground.invite({ email: 'again@fabrikam.example' });
    await ground.revoke(first.invitation.id);
    const second = await ground.invite({ email: 'again@fabrikam.example' });
    expect(second.userErrors).toEqual([]);
    expect(second.externalUser.id).toBe(first.externalUser.id);
    expect(second.invitation.id).not.toBe(first.invitation.id);
  });

  it('and invited by many at once has exactly one pending invitation', async () => {
    const spellings = Array.from({ length: 12 }, (_, index) =>
      index % 2 ? 'Race@fabrikam.example' : 'race@fabrikam.example',
    );
    const answers = await Promise.all(spellings.map((email) => ground.invite({ email })));
    const made = answers.filter(({ invitation }) => invitation !== null);
    expect(made).toHaveLength(1);
    for (const answer of answers.filter(({ invitation }) => invitation === null))
      expect(problems(answer)).toEqual([['ALREADY_INVITED', 'email']]);
    expect(await pendingFor('race@fabrikam.example')).toEqual([{ id: made[0].invitation.id }]);
    expect(await ground.events(made[0].invitation.id)).toMatchObject([{ type: 'INVITED' }]);
    expect(
      await ground.gateway.sql('select from external_user where email_key = $1', ['race@fabrikam.example']),
    ).toHaveLength(1);
  });
});

describe('an idempotency key', () => {
  it('with the same input answers the same invitation, the link not again', async () => {
    const input = { email: 'idem@fabrikam.example', displayName: 'Ida', idempotencyKey: 'key-1' };
    const first = await ground.invite(input);
    const second = await ground.invite(input);
    expect(second.userErrors).toEqual([]);
    expect(second.invitation.id).toBe(first.invitation.id);
    expect(second.externalUser.id).toBe(first.externalUser.id);
    expect(first.redeemUrl).not.toBeNull();
    expect(second.redeemUrl).toBeNull();
    expect(second.warnings).toHaveLength(1);
    expect(await ground.events(first.invitation.id)).toHaveLength(1);
  });

  it('with another input is refused', async () => {
    await ground.invite({ email: 'other@fabrikam.example', idempotencyKey: 'key-2' });
    for (const input of [
      { email: 'another@fabrikam.example' },
      { email: 'other@fabrikam.example', message: 'Hello' },
    ]) {
      expect(problems(await ground.invite({ ...input, idempotencyKey: 'key-2' }))).toEqual([
        ['IDEMPOTENCY_KEY_REUSED', 'idempotencyKey'],
      ]);
    }
  });

  it('sent many times at once makes one invitation, and all answers name it', async () => {
    const input = { email: 'twins@fabrikam.example', idempotencyKey: 'key-3' };
    const answers = await Promise.all(Array.from({ length: 10 }, () => ground.invite(input)));
    expect(answers.flatMap(problems)).toEqual([]);
    expect(new Set(answers.map(({ invitation }) => invitation.id)).size).toBe(1);
    expect(answers.filter(({ redeemUrl }) => redeemUrl !== null)).toHaveLength(1);
  });

  it('is not used up by a request that was refused', async () => {
    expect(problems(await ground.invite({ email: 'race@fabrikam.example', idempotencyKey: 'key-4' }))).toEqual([
      ['ALREADY_INVITED', 'email'],
    ]);
    expect(problems(await ground.invite({ email: 'fresh@fabrikam.example', idempotencyKey: 'key-4' }))).toEqual([]);
  });

  it('belongs to the key that sent it', async () => {
    const { secret } = await ground.gateway.createKey({
      tenantId: ground.tenant.id,
      permissions: ['INVITATION_WRITE', 'APP_READ', 'GROUP_READ'],
    });
    const first = await ground.invite({ email: 'mine@fabrikam.example', idempotencyKey: 'key-5' });
    const theirs = await ground.invite({ email: 'theirs@fabrikam.example', idempotencyKey: 'key-5' }, secret);
    expect(theirs.userErrors).toEqual([]);
    expect(theirs.invitation.id).not.toBe(first.invitation.id);
  });

  it.each(['', 'x'.repeat(201)])('of the wrong length is refused', async (idempotencyKey) => {
    expect(problems(await ground.invite({ email: 'length@fabrikam.example', idempotencyKey }))).toEqual([
      ['INVALID', 'idempotencyKey'],
    ]);
  });

  it('keeps no address and no link', async () => {
    const { redeemUrl } = await ground.invite({ email: 'secret@fabrikam.example', idempotencyKey: 'key-6' });
    const stored = JSON.stringify(
      await ground.gateway.sql(`select encode(input_hash, 'escape') as hash, result from idempotency_record`),
    );
    expect(stored).not.toContain('secret@');
    expect(stored).not.toContain(redeemUrl.split('.').at(-1));
  });
});
