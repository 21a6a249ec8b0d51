import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MINUTE } from '../../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../../support/gateway.js';
import { until } from '../../support/until.js';
import { passcodesTo } from '../../web/guest-browser.js';
import { addPartner } from '../../web/partner.js';

const FIELDS = `redemption {
  id status maskedEmail inviterName message language consentRequired consentVersion expiresAt landingUrl
  tenant { displayName branding { accentColor privacyStatementUrl } } landingApp { displayName } methods { kind displayName continueUrl }
} userErrors { code field retryAfterSeconds }`;

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
  const invited = await gateway.inviteUser({ tenantId, email, ...input });
  return { email, token: invited.redeemUrl.split('/').at(-1) as string, ...invited };
}

/** As a stranger: no credential. */
async function call(operation: string, type: string, input: object) {
  const document = `mutation ($input: ${type}!) { payload: ${operation}(input: $input) { ${FIELDS} } }`;
  const { data, errors } = await gateway.gql(document, { input }, { key: null });
  if (errors) throw new Error(JSON.stringify(errors));
  const { redemption, userErrors } = data.payload;
  return { redemption, codes: userErrors.map((error: { code: string }) => error.code) };
}

const begin = (token: string) => call('beginRedemption', 'BeginRedemptionInput', { token });
const send = (redemptionId: string) => call('sendRedemptionPasscode', 'RedemptionIdInput', { redemptionId });
const decline = (redemptionId: string) => call('declineInvitation', 'RedemptionIdInput', { redemptionId });
const redeem = (input: { redemptionId: string; passcode?: string; consent?: boolean; consentVersion: string }) =>
  call('redeemInvitation', 'RedeemInvitationInput', { consent: true, ...input });

async function sent(email: string, count = 1): Promise<string> {
  return until(() => passcodesTo(gateway, email)[count - 1], `passcode to ${email}`);
}

async function beginAndSend(guest: { token: string; email: string }, count = 1) {
  const { redemption } = await begin(guest.token);
  await send(redemption.id);
  return {
    redemptionId: redemption.id as string,
    consentVersion: redemption.consentVersion as string,
    passcode: await sent(guest.email, count),
  };
}

describe('a script that acts for a guest', () => {
  it('begins, gets a code by mail, and redeems', async () => {
    const guest = await invite({ inviterName: 'Ada', message: 'Hello' });
    const { redemption } = await begin(guest.token);
    expect(redemption).toMatchObject({
      status: 'STARTED',
      maskedEmail: 'g•••@f•••.example',
      inviterName: 'Ada',
      message: 'Hello',
      tenant: { displayName: 'Contoso' },
      methods: [{ kind: 'EMAIL_PASSCODE', continueUrl: null }],
      consentRequired: true,
      landingUrl: null,
    });
    await send(redemption.id);
    const done = await redeem({
      redemptionId: redemption.id,
      consentVersion: redemption.consentVersion,
      passcode: await sent(guest.email),
    });
    expect([done.redemption.status, done.redemption.consentRequired, done.codes]).toEqual(['REDEEMED', false, []]);
    expect((await begin(guest.token)).codes).toEqual(['ALREADY_REDEEMED']);
  });

  it('has the refused consent answered before the code is looked at', async () => {
    const guest = await invite();
    const input = await beginAndSend(guest);
    for (let time = 0; time < 6; time++) {
      expect((await redeem({ ...input, passcode: '00000000', consent: false })).codes).toEqual(['CONSENT_REQUIRED']);
      expect((await redeem({ ...input, passcode: '00000000', consentVersion: 'stale' })).codes).toEqual([
        'CONSENT_REQUIRED',
      ]);
    }
    expect((await redeem(input)).codes).toEqual([]);
  });

  it('cannot redeem without a code, nor guess one', async () => {
    const input = await beginAndSend(await invite());
    const { passcode: _passcode, ...withoutCode } = input;
    expect((await redeem(withoutCode)).codes).toEqual(['PROOF_REQUIRED']);
    for (let wrong = 0; wrong < 5; wrong++)
      expect((await redeem({ ...input, passcode: '00000000' })).codes).toEqual(['PASSCODE_WRONG']);
    expect((await redeem(input)).codes).toEqual(['TOO_MANY_ATTEMPTS']);
  });

  it('one of two that race with handles of their own wins', async () => {
    const guest = await invite();
    const [a, b] = [await beginAndSend(guest), await beginAndSend(guest, 2)];
    const answers = await Promise.all([redeem(a), redeem(b)]);
    expect(answers.map((answer) => answer.codes.join()).sort()).toEqual(['', 'ALREADY_REDEEMED']);
  });

  it('is sent to a page of ours where an organisation signs in', async () => {
    const partner = await addPartner(gateway, tenantId, 'partner.example', 'Partner');
    const { redeemUrl } = await gateway.inviteUser({ tenantId, email: 'ada@partner.example' });
    const { redemption } = await begin(redeemUrl.split('/').at(-1) as string);
    expect(redemption.methods).toEqual([{ kind: 'OIDC', displayName: 'Partner', continueUrl: redeemUrl }]);
    expect((await send(redemption.id)).codes).toEqual(['PROOF_REQUIRED']);
    await partner.provider.stop();
  });
});

describe('a handle', () => {
  it('is a secret of 256 bits, no node, and nothing of it is stored', async () => {
    const { redemption } = await begin((await invite()).token);
    expect(redemption.id).toMatch(/^[\w-]{43}$/);
    expect((await gateway.ask('query ($id: ID!) { node(id: $id) { id } }', { id: redemption.id })).node).toBeNull();
    const [flow] = await gateway.sql(
      'select row_to_json(f)::text as flow from redemption_flow f order by created_at desc limit 1',
    );
    expect((flow as { flow: string }).flow).not.toContain(redemption.id);
  });

  it('dies on resend, on revoke and after 30 minutes', async () => {
    const change = (name: string, invitationId: string) =>
      gateway.ask(`mutation ($input: InvitationIdInput!) { ${name}(input: $input) { userErrors { code } } }`, {
        input: { invitationId },
      });
    const [resent, revoked, forgotten] = [await invite(), await invite(), await invite()];
    const inputs = [await beginAndSend(resent), await beginAndSend(revoked), await beginAndSend(forgotten)] as const;
    await change('resendInvitation', resent.id);
    await change('revokeInvitation', revoked.id);
    expect((await redeem(inputs[0])).codes).toEqual(['SUPERSEDED']);
    expect((await redeem(inputs[1])).codes).toEqual(['REVOKED']);
    expect((await begin(resent.token)).codes).toEqual(['SUPERSEDED']);
    expect((await begin(revoked.token)).codes).toEqual(['REVOKED']);
    gateway.clock.advance(31 * MINUTE);
    expect((await redeem(inputs[2])).codes).toEqual(['INVITATION_NOT_FOUND']);
  });

  it('unknown is as unknown as a token that never was', async () => {
    for (const id of ['x', '', 'inv_01h455vb4pex5vsknk084sn02q', 'A'.repeat(43)]) {
      expect((await begin(id)).codes).toEqual(['INVITATION_NOT_FOUND']);
      expect((await send(id)).codes).toEqual(['INVITATION_NOT_FOUND']);
      expect((await decline(id)).codes).toEqual(['INVITATION_NOT_FOUND']);
    }
  });
});

it('a decline by the link alone can be taken back by beginning again', async () => {
  const guest = await invite();
  const { redemption } = await begin(guest.token);
  expect((await decline(redemption.id)).redemption.status).toBe('DECLINED');
  expect((await send(redemption.id)).codes).toEqual(['DECLINED']);
  const again = await begin(guest.token);
  expect(again.redemption.status).toBe('STARTED');
  expect((await send(redemption.id)).codes).toEqual(['DECLINED']);
});

it('the code is gone from the database once its mail is sent', async () => {
  const guest = await invite();
  await beginAndSend(guest);
  await until(async () => {
    const rows = await gateway.sql('select from passcode where sealed_code is not null');
    return rows.length === 0;
  }, 'no sealed code left');
});
