/**
 * The identity of a local account: the gateway vouches itself, by a password or a passkey that was set by whoever had proven
 * the address. Like any other it is found by its key alone, never by the user's address as it is now.
 */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { refuse } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import type { CredentialOwner } from './credential-owner.js';

/** `identity_provider_id` and `issuer` of every local account. */
export const LOCAL_PROVIDER = '';
export const LOCAL_ISSUER = 'local';

/** Nothing when it is linked already. */
export async function linkLocalIdentity(
  { db }: Pick<Tx, 'db'>,
  { tenantId, externalUserId, emailKey }: CredentialOwner,
  now: Date,
): Promise<void> {
  await sql`
    insert into identity (id, tenant_id, external_user_id, identity_provider_id, issuer, subject, sign_in_type, linked_at)
    values (${newId('Identity')}, ${tenantId}, ${externalUserId}, ${LOCAL_PROVIDER}, ${LOCAL_ISSUER}, ${emailKey}, 'LOCAL', ${now})
    on conflict (tenant_id, identity_provider_id, issuer, subject) do nothing`.execute(db);
}

/** Nobody takes away the last way they have to sign in. @throws UserError LAST_IDENTITY */
export async function requireIdentity({ db }: Pick<Tx, 'db'>, externalUserId: string): Promise<void> {
  const { rows } = await sql`select from identity where external_user_id = ${externalUserId} limit 1`.execute(db);
  if (rows.length === 0) throw refuse('LAST_IDENTITY');
}

/** What was proven by it on the way to a session counts no more: whoever did may be why it is changed. */
export async function withdrawLocalProofs({ db }: Pick<Tx, 'db'>, externalUserId: string): Promise<void> {
  await sql`
    update redemption_flow f set status = 'STARTED', proven_at = null
    from identity i
    where i.external_user_id = ${externalUserId} and i.sign_in_type = 'LOCAL' and f.tenant_id = i.tenant_id
      and f.proof_provider_id = i.identity_provider_id and f.proof_issuer = i.issuer and f.proof_subject = i.subject
      and f.status = 'PROVEN'`.execute(db);
}

/** When the user has neither a password nor a passkey left. */
export async function unlinkUnusedLocalIdentity({ db }: Pick<Tx, 'db'>, externalUserId: string): Promise<void> {
  await sql`
    delete from identity i
    where i.external_user_id = ${externalUserId} and i.sign_in_type = 'LOCAL'
      and not exists (select from local_password p where p.external_user_id = i.external_user_id)
      and not exists (select from passkey k where k.external_user_id = i.external_user_id)`.execute(db);
}
