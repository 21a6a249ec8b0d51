/**
 * The accept: everything that was checked on the way is checked again under the lock, then the invitation is spent, the
 * person becomes an accepted user, and what the invitation grants becomes real, all in one transaction.
 */
import { sql } from 'kysely';
import { refuse } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import { type ConsentAnswer, checkConsent } from './consent.js';
import { isEntitled } from './methods.js';
import { loadMethods } from './redemption.queries.js';
import { isProven } from './redemption.states.js';
import { checkFlowOpen, type Step, tell } from './steps.js';

/** A second click in the same flow changes nothing and is no mistake. */
export async function accept(step: Step, answer: ConsentAnswer): Promise<void> {
  if (step.flow.status === 'REDEEMED') return;
  checkFlowOpen(step);
  checkConsent(step.offer, answer);
  checkProof(step);
  await checkEntitlement(step);
  checkInviter(step);
  checkDomain(step);
  await redeemInvitation(step);
  await assignAccepted(step);
  await linkIdentity(step);
  await joinGroups(step);
  await assignApps(step);
  await tell(step.tx, step.flow.invitationId, step.now, { type: 'CONSENTED' }, { type: 'REDEEMED' });
}

function checkProof({ flow, now }: Step): void {
  if (!isProven(flow, now)) throw refuse('PROOF_REQUIRED');
}

async function checkEntitlement({ tx, flow, offer }: Step): Promise<void> {
  const proof = { kind: flow.proofKind, providerId: flow.proofProviderId, issuer: flow.proofIssuer };
  if (isEntitled(await loadMethods(tx.db, offer), proof)) return;
  throw refuse('PROOF_REQUIRED', {
    message: 'How this address signs in was changed in the meantime. Prove it once more.',
  });
}

/** A revoked key takes its open invitations along; one that merely expired does not. */
function checkInviter({ offer }: Step): void {
  if (offer.inviterRevoked) throw refuse('INVITER_NOT_AUTHORIZED');
}

/** A domain that became the tenant's own: its people are colleagues now, and come in another way. */
function checkDomain({ offer }: Step): void {
  if (offer.isOwnDomain) throw refuse('OWN_DOMAIN');
}

async function redeemInvitation({ tx, now, flow }: Step): Promise<void> {
  const { rows } = await sql`
    update invitation set status = 'REDEEMED', redeemed_at = ${now}, consented_at = ${now},
      proven_at = coalesce(proven_at, ${now}), identity_provider_kind = ${flow.proofKind}
    where id = ${flow.invitationId} and status = 'PENDING' and link_version = ${flow.linkVersion} and expires_at > ${now}
    returning id`.execute(tx.db);
  if (rows.length === 0) throw refuse('ALREADY_REDEEMED');
  await sql`update redemption_flow set status = 'REDEEMED' where id = ${flow.id}`.execute(tx.db);
}

async function assignAccepted({ tx, now, flow, offer }: Step): Promise<void> {
  const { rows } = await sql`
    update external_user set state = 'ACCEPTED', display_name = coalesce(display_name, ${flow.proofDisplayName}),
      state_changed_at = case when state = 'ACCEPTED' then state_changed_at else ${now}::timestamptz end
    where id = ${offer.externalUserId} and account_enabled returning id`.execute(tx.db);
  if (rows.length === 0) throw refuse('ACCOUNT_DISABLED');
}

/** An identity belongs to one user of a tenant; nothing is merged silently. */
async function linkIdentity({ tx, now, flow, offer }: Step): Promise<void> {
  const { rows } = await sql<{ owner: string }>`
    insert into identity as known
      (id, tenant_id, external_user_id, identity_provider_id, issuer, subject, sign_in_type, linked_at)
    values (${newId('Identity')}, ${offer.tenantId}, ${offer.externalUserId}, ${flow.proofProviderId}, ${flow.proofIssuer},
      ${flow.proofSubject}, ${flow.proofKind}, ${now})
    on conflict (tenant_id, identity_provider_id, issuer, subject) do update set linked_at = known.linked_at
    returning external_user_id as owner`.execute(tx.db);
  if (rows[0]?.owner === offer.externalUserId) return;
  throw refuse('IDENTITY_MISMATCH', {
    message: 'This account already belongs to another guest. Sign in with another one.',
  });
}

async function joinGroups({ tx, now, flow, offer }: Step): Promise<void> {
  await sql`
    insert into group_member (group_id, external_user_id, tenant_id, created_at)
    select distinct g.group_id, ${offer.externalUserId}, g.tenant_id, ${now}::timestamptz
    from invitation_grant g where g.invitation_id = ${flow.invitationId} and g.group_id is not null
    order by g.group_id
    on conflict (group_id, external_user_id) do nothing`.execute(tx.db);
}

async function assignApps({ tx, now, flow, offer }: Step): Promise<void> {
  const { rows } = await sql<{ appId: string; role: string | null }>`
    select distinct app_id as "appId", role from invitation_grant
    where invitation_id = ${flow.invitationId} and app_id is not null
    order by app_id, role`.execute(tx.db);
  await sql`
    insert into app_assignment (id, tenant_id, app_id, external_user_id, role, created_at)
    select granted.id, ${offer.tenantId}, granted.app_id, ${offer.externalUserId}, granted.role, ${now}::timestamptz
    from unnest(${rows.map(() => newId('AppAssignment'))}::text[], ${rows.map((row) => row.appId)}::text[],
      ${rows.map((row) => row.role)}::text[]) as granted (id, app_id, role)
    on conflict (app_id, external_user_id, group_id, role) do nothing`.execute(tx.db);
}
