/** Invitations ready to be accepted over GraphQL: made by the gateway, with a flow and a passcode each as its own operations would leave them. */
import { randomInt } from 'node:crypto';
import type pg from 'pg';
import { consentVersionOf } from '../src/features/redemption/consent.js';
import { newId } from '../src/kernel/ids.js';
import { hashToken, randomToken, type Secrets } from '../src/kernel/secrets.js';

export const acceptDocument = `mutation ($input: RedeemInvitationInput!) {
  redeemInvitation(input: $input) { redemption { id status landingUrl } userErrors { code field message } }
}`;

/** Variables of one call of `acceptDocument` each. */
export async function prepareAcceptances(
  client: pg.Client,
  secrets: Secrets,
  tenantId: string,
): Promise<{ input: object }[]> {
  const { rows: terms } = await client.query(
    'select display_name as "tenantName", privacy_statement_url as "privacyStatementUrl", terms_of_use_url as "termsOfUseUrl" from tenant where id = $1',
    [tenantId],
  );
  const { rows: invitations } = await client.query<{ id: string }>(
    `select id from invitation i where tenant_id = $1 and status = 'PENDING'
      and not exists (select from redemption_flow f where f.invitation_id = i.id)`,
    [tenantId],
  );
  const flows = invitations.map(({ id: invitationId }) => ({
    invitationId,
    id: newId('RedemptionFlow'),
    handle: randomToken(),
    passcodeId: newId('Passcode'),
    passcode: String(randomInt(100_000_000)).padStart(8, '0'),
  }));
  await client.query(
    `insert into redemption_flow (id, tenant_id, invitation_id, link_version, handle_hash, status, passcode_tries, created_at, expires_at)
     select id, $1, invitation_id, 1, handle_hash, 'STARTED', 0, now(), now() + interval '30 minutes'
     from unnest($2::text[], $3::text[], $4::bytea[]) as flow (id, invitation_id, handle_hash)`,
    [
      tenantId,
      flows.map((flow) => flow.id),
      flows.map((flow) => flow.invitationId),
      flows.map((flow) => hashToken(flow.handle)),
    ],
  );
  await client.query(
    `insert into passcode (id, tenant_id, flow_id, code_hash, created_at, expires_at)
     select id, $1, flow_id, code_hash, now(), now() + interval '30 minutes'
     from unnest($2::text[], $3::text[], $4::bytea[]) as code (id, flow_id, code_hash)`,
    [
      tenantId,
      flows.map((flow) => flow.passcodeId),
      flows.map((flow) => flow.id),
      flows.map((flow) => secrets.sign('passcode', `${flow.id}/${flow.passcode}`)),
    ],
  );
  await client.query('analyze redemption_flow, passcode, invitation, external_user');
  const consentVersion = consentVersionOf(terms[0]);
  return flows.map(({ handle: redemptionId, passcode }) => ({
    input: { redemptionId, passcode, consent: true, consentVersion },
  }));
}
