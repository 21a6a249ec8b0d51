import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../../support/gateway.js';

const invite = `mutation ($input: InviteUserInput!) {
  inviteUser(input: $input) {
    invitation { id email status delivery language sendCount expiresAt apps { displayName } groups { displayName } invitedBy { kind displayName } }
    existingInvitation { id }
    externalUser { id email userPrincipalName state userType creationType }
    redeemUrl warnings userErrors { code field message }
  }
}`;

describe('inviting one person', () => {
  let gateway: TestGateway;
  let tenant: { id: string; slug: string };

  beforeAll(async () => {
    gateway = await startTestGateway();
    tenant = await gateway.createTenant({ ownDomains: ['contoso.example'] });
  });
  afterAll(() => gateway.stop());

  const inviteUser = async (input: object) =>
    (await gateway.gql(invite, { input: { tenantId: tenant.id, ...input } })).data.inviteUser;

  it('makes a user awaiting acceptance, a pending invitation and a mail with the link', async () => {
    const { invitation, externalUser, redeemUrl, userErrors } = await inviteUser({
      email: 'Ana+orders@Fabrikam.example',
      displayName: 'Ana',
    });
    expect(userErrors).toEqual([]);
    expect(invitation).toMatchObject({
      email: 'Ana+orders@Fabrikam.example',
      status: 'PENDING',
      delivery: 'QUEUED',
      language: 'en',
      sendCount: 1,
    });
    expect(externalUser).toMatchObject({
      userPrincipalName: `ana+orders_fabrikam.example#EXT#@${tenant.slug}`,
      state: 'PENDING_ACCEPTANCE',
      userType: 'GUEST',
      creationType: 'Invitation',
    });
    const { mail } = await gateway.waitForMail('Ana+orders@Fabrikam.example');
    expect(mail.text).toContain(redeemUrl);
  });

  it('refuses a second invitation for another spelling of the same address, and names the first', async () => {
    const first = await inviteUser({ email: 'bo@fabrikam.example' });
    const second = await inviteUser({ email: 'BO@FABRIKAM.EXAMPLE' });
    expect(second.invitation).toBeNull();
    expect(second.userErrors).toMatchObject([{ code: 'ALREADY_INVITED', field: ['email'] }]);
    expect(second.existingInvitation.id).toBe(first.invitation.id);
  });
});
