/** Which credentials a user has, as plain rows without anything secret. */
import { sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import type { RequestContext } from '../../request/request-context.js';

export const credentialKinds = ['PASSWORD', 'PASSKEY', 'TOTP', 'RECOVERY_CODES'] as const;
export type CredentialKind = (typeof credentialKinds)[number];

export interface CredentialRow {
  externalUserId: string;
  kind: CredentialKind;
  /** Of a passkey; otherwise null. */
  id: string | null;
  /** Of a passkey, as its owner calls it. */
  label: string | null;
  createdAt: Date;
  lastUsedAt: Date | null;
  /** Of recovery codes: how many were not used. */
  remaining: number | null;
}

/** The oldest first. */
export function credentialsOf(ctx: RequestContext, externalUserId: string): Promise<CredentialRow[]> {
  return ctx
    .loader<string, CredentialRow[]>('credentials', (ids) => credentialsByUser(ctx.db, ids))
    .load(externalUserId);
}

async function credentialsByUser(db: Db, ids: readonly string[]): Promise<CredentialRow[][]> {
  const byUser = Map.groupBy(await readCredentials(db, ids), (credential) => credential.externalUserId);
  return ids.map((id) => byUser.get(id) ?? []);
}

export async function readCredentials(db: Db, externalUserIds: readonly string[]): Promise<CredentialRow[]> {
  const { rows } = await sql<CredentialRow>`
    select external_user_id as "externalUserId", 'PASSWORD' as kind, null as id, null as label, changed_at as "createdAt",
      last_used_at as "lastUsedAt", null::int as remaining
    from local_password where external_user_id = any(${externalUserIds})
    union all
    select external_user_id, 'PASSKEY', id, label, created_at, last_used_at, null
    from passkey where external_user_id = any(${externalUserIds})
    union all
    select external_user_id, 'TOTP', null, null, created_at, last_used_at, null
    from totp where external_user_id = any(${externalUserIds})
    union all
    select external_user_id, 'RECOVERY_CODES', null, null, min(created_at), max(used_at),
      count(*) filter (where used_at is null)::int
    from recovery_code where external_user_id = any(${externalUserIds}) group by external_user_id
    order by "createdAt", kind, id`.execute(db);
  return rows;
}

/** By what a user can confirm a sign-in. */
export interface SecondFactors {
  passkeys: number;
  hasTotp: boolean;
  /** Not used yet. */
  recoveryCodes: number;
}

export async function secondFactorsOf(db: Db, externalUserId: string): Promise<SecondFactors> {
  const { rows } = await sql<SecondFactors>`
    select (select count(*)::int from passkey where external_user_id = ${externalUserId}) as passkeys,
      exists (select from totp where external_user_id = ${externalUserId}) as "hasTotp",
      (select count(*)::int from recovery_code where external_user_id = ${externalUserId} and used_at is null) as "recoveryCodes"`.execute(
    db,
  );
  return rows[0] as SecondFactors;
}

/** Recovery codes alone are none. */
export function hasSecondFactor({ passkeys, hasTotp }: SecondFactors): boolean {
  return passkeys > 0 || hasTotp;
}
