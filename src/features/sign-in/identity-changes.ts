/**
 * Changes of how a guest signs in, by the guest: a further identity, one less, another address. Each needs a proof of both
 * sides: the new one is proven in a flow, the old one by a sign-in of the last minutes (`account.service.ts` asks for it).
 */
import { sql } from 'kysely';
import { isUniqueViolation, type Tx } from '../../database/transaction.js';
import { domainOf } from '../../kernel/email-address.js';
import { refuse } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import { bearsOperatorRole } from '../operators/operator-rights.queries.js';
import { findDomainsOutOfReach } from '../partners/inviter-reach.queries.js';
import { checkAddressWelcome } from './accept-directly.js';
import type { LiveSession, SessionsService } from './sessions.service.js';
import type { SignInStep } from './sign-in-flow.js';

/** The flow is done with: going back to it does nothing. */
async function endFlow({ tx, flow }: SignInStep): Promise<void> {
  await sql`delete from redemption_flow where id = ${flow.id}`.execute(tx.db);
}

/** @returns the identity. @throws UserError TAKEN when it is another guest's: nothing is merged. */
async function linkProof({ tx, now, flow }: SignInStep): Promise<string> {
  const { rows } = await sql<{ id: string; owner: string }>`
    insert into identity as known (id, tenant_id, external_user_id, identity_provider_id, issuer, subject, sign_in_type, linked_at)
    values (${newId('Identity')}, ${tx.tenantId}, ${flow.externalUserId}, ${flow.proofProviderId}, ${flow.proofIssuer},
      ${flow.proofSubject}, ${flow.proofKind}, ${now})
    on conflict (tenant_id, identity_provider_id, issuer, subject) do update set linked_at = known.linked_at
    returning id, external_user_id as owner`.execute(tx.db);
  const [linked] = rows;
  if (linked?.owner !== flow.externalUserId) throw refuse('TAKEN', { message: ANOTHER_GUESTS });
  return linked.id;
}

const ANOTHER_GUESTS = 'This account already belongs to another guest.';

/** @throws UserError TAKEN */
export async function linkIdentity(step: SignInStep): Promise<void> {
  await linkProof(step);
  await endFlow(step);
}

/**
 * The user is known by the new address from now on, and signs in with what proved it. Whoever reads the old mailbox, from
 * now on, does not: its passcode identity goes, and with it the sessions opened by it, but this one.
 * @throws UserError TAKEN, OWN_DOMAIN, DOMAIN_BLOCKED, DOMAIN_NOT_ALLOWED.
 */
export async function changeAddress(step: SignInStep, sessions: SessionsService): Promise<void> {
  const { tx, flow } = step;
  await checkAddressWelcome(tx, flow.emailKey);
  const oldKey = await lockAddress(tx, flow.externalUserId as string);
  await checkStaysInReach(step);
  const identityId = await linkProof(step);
  await storeAddress(step);
  if (oldKey !== flow.emailKey) await leaveMailbox(step, sessions, oldKey, identityId);
  await endFlow(step);
}

async function lockAddress(tx: Tx, externalUserId: string): Promise<string> {
  const { rows } = await sql<{ emailKey: string }>`
    select email_key as "emailKey" from external_user
    where id = ${externalUserId} and tenant_id = ${tx.tenantId} and account_enabled for update`.execute(tx.db);
  if (!rows[0]) throw refuse('ACCOUNT_DISABLED');
  return rows[0].emailKey;
}

/** Who operates the tenant for a partner would leave the limits of its people behind with the address. */
async function checkStaysInReach({ tx, flow }: SignInStep): Promise<void> {
  const id = flow.externalUserId as string;
  const domains = [domainOf(flow.emailKey)];
  const outOfReach = await findDomainsOutOfReach(tx.db, { kind: 'OPERATOR', id }, tx.tenantId as string, domains);
  if (outOfReach.size > 0 && (await bearsOperatorRole(tx.db, id))) throw refuse('DOMAIN_NOT_ALLOWED');
}

async function storeAddress({ tx, flow }: SignInStep): Promise<void> {
  try {
    await sql`
      update external_user set email = ${flow.email}, email_key = ${flow.emailKey}
      where id = ${flow.externalUserId}`.execute(tx.db);
  } catch (error) {
    throw isUniqueViolation(error) ? refuse('TAKEN', { message: ANOTHER_GUESTS }) : error;
  }
}

async function leaveMailbox(
  { tx, flow }: SignInStep,
  sessions: SessionsService,
  oldKey: string,
  identityId: string,
): Promise<void> {
  const { rows } = await sql<{ id: string }>`
    select id from identity
    where tenant_id = ${tx.tenantId} and identity_provider_id = '' and issuer = 'mail' and subject = ${oldKey}
      and external_user_id = ${flow.externalUserId}`.execute(tx.db);
  await sql`
    update guest_session set identity_id = ${identityId}, proven_email_key = ${flow.emailKey}
    where id = ${flow.sessionId} and tenant_id = ${tx.tenantId}`.execute(tx.db);
  // A local account is found by the address it was made for, which is the same person's as before.
  await sql`
    update identity set subject = ${flow.emailKey}
    where tenant_id = ${tx.tenantId} and external_user_id = ${flow.externalUserId} and identity_provider_id = ''
      and issuer = 'local' and subject = ${oldKey}`.execute(tx.db);
  for (const { id } of rows) await removeIdentity(tx, sessions, id);
}

/**
 * From a session of another identity, so that nobody locks themselves out.
 * @throws UserError NOT_FOUND, LAST_IDENTITY, PROOF_REQUIRED when this session was opened by the one that is to go.
 */
export async function unlinkIdentity(
  tx: Tx,
  sessions: SessionsService,
  { externalUserId, identityId: current }: LiveSession,
  identityId: string,
): Promise<void> {
  await lockAddress(tx, externalUserId);
  const { rows } = await sql<{ id: string; isLocal: boolean }>`
    select id, sign_in_type = 'LOCAL' as "isLocal" from identity
    where external_user_id = ${externalUserId} and tenant_id = ${tx.tenantId}`.execute(tx.db);
  const identity = rows.find(({ id }) => id === identityId);
  // A local account goes with its password and passkeys.
  if (!identity || identity.isLocal) throw refuse('NOT_FOUND');
  if (rows.length === 1) throw refuse('LAST_IDENTITY');
  if (current === identityId || current === null) throw refuse('PROOF_REQUIRED');
  await removeIdentity(tx, sessions, identityId);
}

async function removeIdentity(tx: Tx, sessions: SessionsService, identityId: string): Promise<void> {
  await sessions.endAllBy(tx, identityId, 'IDENTITY_UNLINKED');
  await sql`delete from identity where id = ${identityId} and tenant_id = ${tx.tenantId}`.execute(tx.db);
}
