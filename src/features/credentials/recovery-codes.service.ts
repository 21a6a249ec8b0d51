/** Recovery codes: made anew all at once, shown once, each taken once. The database holds keyed digests. */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import type { RequestContext } from '../../request/request-context.js';
import type { CredentialOwner } from './credential-owner.js';
import { newRecoveryCodes, normalRecoveryCode } from './recovery-codes.rules.js';

/** Earlier ones are worth nothing any more. @returns the codes, to be shown now or never. */
export async function replaceRecoveryCodes(
  ctx: RequestContext,
  { db }: Pick<Tx, 'db'>,
  { tenantId, externalUserId }: CredentialOwner,
): Promise<string[]> {
  const codes = newRecoveryCodes();
  const hashes = codes.map((code) => ctx.secrets.sign('recovery', messageOf(externalUserId, code)));
  await sql`delete from recovery_code where external_user_id = ${externalUserId}`.execute(db);
  await sql`
    insert into recovery_code (external_user_id, code_hash, tenant_id, created_at)
    select ${externalUserId}, code_hash, ${tenantId}, ${ctx.clock.now()}::timestamptz
    from unnest(${hashes}::bytea[]) as made (code_hash)`.execute(db);
  return codes;
}

/** Tries are counted by whoever asks. */
export async function takeRecoveryCode(
  ctx: RequestContext,
  { db }: Pick<Tx, 'db'>,
  externalUserId: string,
  typed: string,
): Promise<boolean> {
  const code = normalRecoveryCode(typed);
  if (code === null) return false;
  const hashes = ctx.secrets.signatures('recovery', messageOf(externalUserId, code));
  const { numAffectedRows } = await sql`
    update recovery_code set used_at = ${ctx.clock.now()}
    where external_user_id = ${externalUserId} and code_hash = any(${hashes}::bytea[]) and used_at is null`.execute(db);
  return numAffectedRows === 1n;
}

function messageOf(externalUserId: string, code: string): string {
  return `${externalUserId}/${code}`;
}
