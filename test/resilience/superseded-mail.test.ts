/** A mail and the one that was sent anew for it are reported at the same moment: the newer one counts. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { recordDeliveries } from '../../src/features/invitations/delivery.service.js';
import { systemActor } from '../../src/kernel/actor.js';
import { RequestContext } from '../../src/request/request-context.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let tenantId: string;

beforeAll(async () => {
  gateway = await startTestGateway();
  tenantId = (await gateway.createTenant()).id;
});
afterAll(() => gateway.stop());

it.each([[[1, 2, 2]], [[2, 1]]])('reports of the links %j together note the newest, once', async (versions) => {
  const email = `guest-of-${versions.join('-')}@fabrikam.example`;
  const { id } = await gateway.inviteUser({ tenantId, email, sendMail: false });
  await gateway.sql(`update invitation set delivery = 'QUEUED', link_version = 2 where id = $1`, [id]);
  const ctx = new RequestContext(gateway.app.ground, systemActor('test'));
  await recordDeliveries(
    ctx,
    versions.map((linkVersion) => ({ invitationId: id, linkVersion, failure: null })),
  );
  expect(await gateway.sql('select delivery from invitation where id = $1', [id])).toEqual([{ delivery: 'SENT' }]);
  const told = await gateway.sql(`select from event where invitation_id = $1 and type = 'MAIL_SENT'`, [id]);
  expect(told).toHaveLength(1);
});
