/** Who a proof is of. An accepted user is found by identity alone: an address signs nobody in who has one. */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import type { SecondFactorDemand } from '../credentials/second-factor.rules.js';
import type { ExternalUserState } from '../external-users/external-user.entity.js';
import { isRedeemedAutomatically } from '../partners/partners.queries.js';
import type { ProvingFlow } from '../proving/flows.queries.js';

/** How a user came to be who was added without an invitation; such a user is found by a proven address, once. */
export const ADDED_DIRECTLY = 'Direct';

export interface Guest extends SecondFactorDemand {
  externalUserId: string;
  /** Null: found by the address, and to be linked. */
  identityId: string | null;
  /** Open, and accepted by signing in: the tenant trusts the guest's organisation so. Null: there is none. */
  invitationId: string | null;
  state: ExternalUserState;
  accountEnabled: boolean;
  email: string;
  displayName: string | null;
}

type ProofOfFlow = Pick<ProvingFlow, 'tenantId' | 'proofEmailKey' | 'proofProviderId' | 'proofIssuer' | 'proofSubject'>;

/** Null: nobody's. By the address only as far as the proof covers it. */
export async function findProvenGuest(db: Db, flow: ProofOfFlow): Promise<Guest | null> {
  const { tenantId, proofEmailKey, proofProviderId, proofIssuer, proofSubject } = flow;
  const { rows } = await sql<Guest>`
    with linked as (
      select id, external_user_id from identity
      where tenant_id = ${tenantId} and identity_provider_id = ${proofProviderId} and issuer = ${proofIssuer}
        and subject = ${proofSubject}
    )
    select u.id as "externalUserId", linked.id as "identityId", ${automaticInvitation('u')} as "invitationId", u.state, u.account_enabled as "accountEnabled", u.email,
      u.display_name as "displayName", t.second_factor_required as "secondFactorRequired",
      exists (select from totp where totp.external_user_id = u.id) as "hasTotp"
    from external_user u join tenant t on t.id = u.tenant_id left join linked on linked.external_user_id = u.id
    where u.tenant_id = ${tenantId} and (
      linked.id is not null
      or (not exists (select from linked) and u.email_key = ${proofEmailKey} and ${isWaitingFor('u')})
    )`.execute(db);
  return rows[0] ?? null;
}

export async function isIdentityKnown(
  db: Db,
  tenantId: string,
  { providerId, issuer, subject }: { providerId: string; issuer: string; subject: string },
): Promise<boolean> {
  const { rows } = await sql`
    select from identity where tenant_id = ${tenantId} and identity_provider_id = ${providerId}
      and issuer = ${issuer} and subject = ${subject}`.execute(db);
  return rows.length > 0;
}

export async function isAnothers(
  db: Db,
  { tenantId, externalUserId }: Pick<ProvingFlow, 'tenantId' | 'externalUserId'>,
  { providerId, issuer, subject }: { providerId: string; issuer: string; subject: string },
): Promise<boolean> {
  const { rows } = await sql`
    select from identity where tenant_id = ${tenantId} and identity_provider_id = ${providerId}
      and issuer = ${issuer} and subject = ${subject} and external_user_id <> ${externalUserId}`.execute(db);
  return rows.length > 0;
}

/** The invitation that such a sign-in accepts, for whoever has to lock it first. */
export async function findAutomaticInvitation(
  db: Db,
  { tenantId, proofEmailKey }: ProofOfFlow,
): Promise<string | null> {
  if (proofEmailKey === null) return null;
  const { rows } = await sql<{ id: string | null }>`
    select ${automaticInvitation('u')} as id from external_user u
    where u.tenant_id = ${tenantId} and u.email_key = ${proofEmailKey}`.execute(db);
  return rows[0]?.id ?? null;
}

/** Whether somebody with this address is accepted by signing in, and has never done so. */
export async function isAddressWaiting(db: Db, tenantId: string, emailKey: string): Promise<boolean> {
  const { rows } = await sql`
    select from external_user u
    where u.tenant_id = ${tenantId} and u.email_key = ${emailKey} and ${isWaitingFor('u')}`.execute(db);
  return rows.length > 0;
}

/** Whom a passcode to the address would sign in; as an expression, so that known and unknown addresses cost the same. */
export function passcodeUser(tenantId: string, emailKey: string) {
  return sql`(
    select u.id from external_user u
    where u.tenant_id = ${tenantId} and u.account_enabled and (
      u.id = (
        select external_user_id from identity
        where tenant_id = ${tenantId} and identity_provider_id = '' and issuer = 'mail' and subject = ${emailKey}
      )
      or (u.email_key = ${emailKey} and ${isWaitingFor('u')})
    )
    order by u.state limit 1
  )`;
}

/** Added directly, or invited for a partner whose people are redeemed automatically. */
function isWaitingFor(alias: string) {
  return sql`(${sql.ref(`${alias}.state`)} = 'PENDING_ACCEPTANCE' and (
    ${sql.ref(`${alias}.creation_type`)} = ${ADDED_DIRECTLY} or ${automaticInvitation(alias)} is not null))`;
}

/** One that has run out says so when it is accepted. */
function automaticInvitation(alias: string) {
  const of = (column: string) => sql.ref(`${alias}.${column}`);
  return sql<string | null>`(
    select offered.id from invitation offered
    where offered.tenant_id = ${of('tenant_id')} and offered.external_user_id = ${of('id')} and offered.email_key = ${of('email_key')}
      and offered.status = 'PENDING' and ${of('state')} = 'PENDING_ACCEPTANCE'
      and ${isRedeemedAutomatically(of('tenant_id'), of('email_key'))}
    limit 1
  )`;
}
