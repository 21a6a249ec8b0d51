/**
 * Time-based codes of an authenticator app: enrolled by showing the seed and entering a first code of it, checked at sign-in.
 * Until that first code the seed is kept nowhere: it travels in the form, sealed for the page it was shown on.
 */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { refuse } from '../../kernel/errors.js';
import type { RequestContext } from '../../request/request-context.js';
import type { CredentialOwner } from './credential-owner.js';
import { enrolmentUri, newSeed, stepOfCode } from './totp.rules.js';

export interface TotpEnrolment {
  /** For the form. */
  sealedSeed: string;
  /** For typing in, base32. */
  seed: string;
  /** For the camera, `otpauth://…`. */
  uri: string;
}

type Sealing = Pick<RequestContext, 'secrets'>;

/** @param sealedSeed of the page that was shown before, so that what the app has scanned stays right; null: a new one. */
export function totpEnrolment(
  ctx: Sealing,
  owner: CredentialOwner,
  binding: string,
  sealedSeed: string | null,
): TotpEnrolment {
  const seed = (sealedSeed === null ? null : openSeed(ctx, binding, sealedSeed)) ?? newSeed();
  return {
    sealedSeed: ctx.secrets.seal(seed, enrolmentContext(binding)).toString('base64url'),
    seed,
    uri: enrolmentUri(seed, owner.tenantName, owner.email),
  };
}

/** In place of an earlier one. @throws UserError SECOND_FACTOR_WRONG when the code is not of this seed. */
export async function enrolTotp(
  ctx: RequestContext,
  { db }: Pick<Tx, 'db'>,
  owner: CredentialOwner,
  binding: string,
  { sealedSeed, code }: { sealedSeed: string; code: string },
): Promise<void> {
  const now = ctx.clock.now();
  const seed = openSeed(ctx, binding, sealedSeed);
  const step = seed === null ? null : stepOfCode(seed, code, now);
  if (seed === null || step === null) throw refuse('SECOND_FACTOR_WRONG', { field: ['code'] });
  const sealed = ctx.secrets.seal(seed, keptContext(owner.externalUserId));
  await sql`
    insert into totp (external_user_id, tenant_id, sealed_seed, last_step, created_at)
    values (${owner.externalUserId}, ${owner.tenantId}, ${sealed}, ${step}, ${now})
    on conflict (external_user_id) do update set sealed_seed = excluded.sealed_seed, last_step = excluded.last_step,
      created_at = excluded.created_at, last_used_at = null`.execute(db);
}

/** Takes a code once; tries are counted by whoever asks. */
export async function takeTotpCode(
  ctx: RequestContext,
  { db }: Pick<Tx, 'db'>,
  externalUserId: string,
  code: string,
): Promise<boolean> {
  const now = ctx.clock.now();
  const { rows } = await sql<{ sealedSeed: Buffer }>`
    select sealed_seed as "sealedSeed" from totp where external_user_id = ${externalUserId}`.execute(db);
  const [totp] = rows;
  const step = totp ? stepOfCode(ctx.secrets.open(totp.sealedSeed, keptContext(externalUserId)), code, now) : null;
  if (step === null) return false;
  const { numAffectedRows } = await sql`
    update totp set last_step = ${step}, last_used_at = ${now}
    where external_user_id = ${externalUserId} and last_step < ${step}`.execute(db);
  return numAffectedRows === 1n;
}

/** Null: sealed for another page, or not by us. */
function openSeed({ secrets }: Sealing, binding: string, sealedSeed: string): string | null {
  try {
    return secrets.open(Buffer.from(sealedSeed, 'base64url'), enrolmentContext(binding));
  } catch {
    return null;
  }
}

const enrolmentContext = (binding: string): string => `totp-enrolment:${binding}`;
const keptContext = (externalUserId: string): string => `totp:${externalUserId}`;
