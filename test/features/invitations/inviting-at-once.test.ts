/** Invitations asked for in the same moment are written by shared statements; nobody may notice. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type InvitationGround, openInvitationGround } from './invitation-ground.js';

let ground: InvitationGround;
beforeAll(async () => {
  ground = await openInvitationGround();
});
afterAll(() => ground.gateway.stop());

const numbers = Array.from({ length: 40 }, (_, index) => index);

test('forty at once are forty invitations, each with its own link, person and one event', async () => {
  const answers = await Promise.all(
    numbers.map((n) => ground.invite({ email: `guest-${n}@fabrikam.example`, displayName: `Guest ${n}` })),
  );
  expect(answers.map(({ invitation }) => [invitation.email, invitation.displayName])).toEqual(
    numbers.map((n) => [`guest-${n}@fabrikam.example`, `Guest ${n}`]),
  );
  expect(new Set(answers.map(({ redeemUrl }) => redeemUrl)).size).toBe(40);
  expect(new Set(answers.map(({ externalUser }) => externalUser.id)).size).toBe(40);
  const [row] = await ground.gateway.sql<{ count: number }>(
    `select count(*)::int as count from event where type = 'INVITED' and invitation_id = any($1)`,
    [answers.map(({ invitation }) => invitation.id)],
  );
  expect(row?.count).toBe(40);
});

test('links of invitations made together open their own invitation', async () => {
  const answers = await Promise.all(
    numbers.slice(0, 8).map((n) => ground.invite({ email: `link-${n}@fabrikam.example` })),
  );
  expect(await Promise.all(answers.map(({ redeemUrl }) => ground.openLink(redeemUrl)))).toEqual(
    answers.map(() => null),
  );
});

test('one address asked for by many at once is invited once; the others are told who was first', async () => {
  const answers = await Promise.all(numbers.map(() => ground.invite({ email: 'same@fabrikam.example' })));
  const made = answers.filter(({ invitation }) => invitation !== null);
  expect(made).toHaveLength(1);
  for (const { userErrors, existingInvitation } of answers.filter(({ invitation }) => invitation === null)) {
    expect(userErrors[0].code).toBe('ALREADY_INVITED');
    expect(existingInvitation.id).toBe(made[0].invitation.id);
  }
});

test('a refused address among others refuses nobody else', async () => {
  await ground.invite({ email: 'known@fabrikam.example' });
  const answers = await Promise.all(
    ['new-1@fabrikam.example', 'known@fabrikam.example', 'someone@contoso.example', 'new-2@fabrikam.example'].map(
      (email) => ground.invite({ email }),
    ),
  );
  expect(answers.map(({ userErrors }) => userErrors[0]?.code ?? null)).toEqual([
    null,
    'ALREADY_INVITED',
    'OWN_DOMAIN',
    null,
  ]);
});

test('two keys that invite at once each stand for their own invitations', async () => {
  const keys = await Promise.all(
    ['Alpha', 'Beta'].map((name) =>
      ground.gateway.createKey({
        tenantId: ground.tenant.id,
        name,
        permissions: [
          'INVITATION_READ',
          'INVITATION_WRITE',
          'EXTERNAL_USER_READ',
          'APP_READ',
          'GROUP_READ',
          'REDEEM_URL_READ',
        ],
      }),
    ),
  );
  const answers = await Promise.all(
    numbers.map((n) => ground.invite({ email: `by-${n}@fabrikam.example` }, keys[n % 2]?.secret)),
  );
  expect(answers.map(({ invitation }) => invitation.invitedBy.displayName)).toEqual(
    numbers.map((n) => (n % 2 === 0 ? 'Alpha' : 'Beta')),
  );
});

test('mails asked for together count one by one towards the limit of an address', async () => {
  const copies = await Promise.all(
    numbers.slice(0, 15).map((n) =>
      ground.invite({
        email: `copied-${n}@fabrikam.example`,
        sendMail: true,
        ccRecipients: ['boss@fabrikam.example'],
      }),
    ),
  );
  expect(copies.every(({ invitation }) => invitation !== null)).toBe(true);
  const [row] = await ground.gateway.sql<{ count: number }>(
    `select count(*)::int as count from mail_request where address_key = 'boss@fabrikam.example'`,
  );
  expect(row?.count).toBeGreaterThanOrEqual(10);
  expect(row?.count).toBe(copies.filter(({ warnings }) => warnings.length === 0).length);
});
