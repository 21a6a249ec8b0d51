/** An invitation that ran out is not a way to rights that whoever revives it could not give. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { DAY } from '../../src/kernel/clock.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let tenant: { id: string; slug: string };

beforeAll(async () => {
  gateway = await startTestGateway();
  tenant = await gateway.createTenant();
});
afterAll(() => gateway.stop());

it('a resend by who may not fill a group that bears a role revives no invitation into it', async () => {
  const { createGroup } = await gateway.ask(
    'mutation ($input: CreateGroupInput!) { createGroup(input: $input) { group { id } userErrors { code } } }',
    { input: { tenantId: tenant.id, displayName: 'Admins' } },
  );
  const groupId = createGroup.group.id;
  await gateway.ask('mutation ($input: AssignRoleInput!) { assignRole(input: $input) { userErrors { code } } }', {
    input: { tenantId: tenant.id, role: 'TENANT_ADMIN', groupId },
  });
  const { id } = await gateway.inviteUser({
    tenantId: tenant.id,
    email: 'ana@fabrikam.example',
    groupIds: [groupId],
    expiresInDays: 1,
  });
  gateway.clock.advance(2 * DAY);
  const inviter = await gateway.createKey({
    tenantId: tenant.id,
    permissions: ['INVITATION_WRITE', 'INVITATION_READ'],
  });
  const resend = (key: string) =>
    gateway.gql(
      'mutation ($input: InvitationIdInput!) { resendInvitation(input: $input) { userErrors { code } } }',
      { input: { invitationId: id } },
      { key },
    );
  const refused = await resend(inviter.secret);
  expect(refused.errors?.[0]?.extensions.code ?? refused.data.resendInvitation).toBe('FORBIDDEN');
  expect((await resend(gateway.bootstrapKey)).data.resendInvitation.userErrors).toEqual([]);
});
