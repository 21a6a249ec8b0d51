import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestGateway, type TestGateway } from '../../support/gateway.js';
import { until } from '../../support/until.js';

const CHANGE =
  'mutation ($input: UpdateTenantInput!) { updateTenant(input: $input) { tenant { id } userErrors { code field message } } }';
const INVITE = 'mutation ($input: InviteUserInput!) { inviteUser(input: $input) { userErrors { code } } }';

describe('a changed tenant, which inviting remembers from one call to the next', () => {
  let gateway: TestGateway;
  let other: TestGateway;
  let tenantId: string;

  beforeAll(async () => {
    gateway = await startTestGateway();
    other = await startTestGateway({ databaseUrl: gateway.databaseUrl, smtp: gateway.smtp });
    tenantId = (await gateway.createTenant()).id;
  });
  afterAll(async () => {
    await other.stop();
    await gateway.stop();
  });

  let guests = 0;
  const inviteAt = async (at: TestGateway, domain: string): Promise<string[]> => {
    const input = { tenantId, email: `guest${++guests}@${domain}`, sendMail: false };
    const { data } = await at.gql(INVITE, { input }, { key: gateway.bootstrapKey });
    return data.inviteUser.userErrors.map((error: { code: string }) => error.code);
  };

  it('is seen at once by the process that changed it', async () => {
    for (let change = 0; change < 20; change++) {
      const domain = `own${change}.example`;
      expect(await inviteAt(gateway, domain)).toEqual([]);
      await gateway.ask(CHANGE, { input: { tenantId, ownDomains: [domain] } });
      expect(await inviteAt(gateway, domain)).toEqual(['OWN_DOMAIN']);
    }
  });

  it('is seen by the other processes as soon as the doorbell has rung', async () => {
    expect(await inviteAt(other, 'late.example')).toEqual([]);
    await gateway.ask(CHANGE, { input: { tenantId, ownDomains: ['late.example'] } });
    await until(async () => (await inviteAt(other, 'late.example'))[0] === 'OWN_DOMAIN', 'the change', 1000);
  });

  it('is unknown to a key of another tenant, however well the process knows it', async () => {
    const stranger = await gateway.createTenant();
    const { secret } = await gateway.createKey({ tenantId: stranger.id, permissions: ['INVITATION_WRITE'] });
    expect(await inviteAt(gateway, 'known.example')).toEqual([]);
    const { data } = await gateway.gql(INVITE, { input: { tenantId, email: 'x@y.example' } }, { key: secret });
    expect(data.inviteUser.userErrors).toEqual([{ code: 'NOT_FOUND' }]);
  });
});
