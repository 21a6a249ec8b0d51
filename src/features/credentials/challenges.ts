/**
 * What an authenticator is asked to sign: 16 random bytes and the time, with a MAC that binds them to what the page is about
 * (a flow, a session). Showing a page so leaves no trace; answering is what spends the challenge, once.
 */
import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { Scope } from '../../database/transaction.js';
import { later, MINUTE } from '../../kernel/clock.js';
import { hashToken } from '../../kernel/secrets.js';
import type { RequestContext } from '../../request/request-context.js';

const CHALLENGE_LIFETIME = 10 * MINUTE;
const NONCE_BYTES = 16;
const TIME_BYTES = 6;
const BODY_BYTES = NONCE_BYTES + TIME_BYTES;

type Ground = Pick<RequestContext, 'secrets' | 'clock'>;

/** @param binding what it is asked for, and where: an answer given elsewhere counts for nothing. */
export function newChallenge({ secrets, clock }: Ground, binding: string): Buffer {
  const body = Buffer.alloc(BODY_BYTES);
  randomBytes(NONCE_BYTES).copy(body);
  body.writeUIntBE(clock.now().getTime(), NONCE_BYTES, TIME_BYTES);
  return Buffer.concat([body, secrets.sign('challenge', messageOf(body, binding))]);
}

/** Whether it is one of ours, for this binding, and recent. It may have been spent. */
export function isChallenge({ secrets, clock }: Ground, challenge: string, binding: string): boolean {
  const bytes = Buffer.from(challenge, 'base64url');
  const body = bytes.subarray(0, BODY_BYTES);
  if (body.length < BODY_BYTES || !secrets.verify('challenge', messageOf(body, binding), bytes.subarray(BODY_BYTES))) {
    return false;
  }
  const madeAt = body.readUIntBE(NONCE_BYTES, TIME_BYTES);
  return later(new Date(madeAt), CHALLENGE_LIFETIME) > clock.now();
}

/** @returns false: it was answered before. */
export async function spendChallenge({ db, tenantId }: Scope, challenge: string, now: Date): Promise<boolean> {
  const hash = hashToken(Buffer.from(challenge, 'base64url').toString('base64url'));
  const { numAffectedRows } = await sql`
    insert into spent_challenge (challenge_hash, tenant_id, spent_at) values (${hash}, ${tenantId}, ${now}) on conflict do nothing`.execute(
    db,
  );
  return numAffectedRows === 1n;
}

/** Those that can no longer be answered. */
export async function forgetSpentChallenges({ db }: Pick<Scope, 'db'>, now: Date): Promise<void> {
  await sql`delete from spent_challenge where spent_at <= ${later(now, -2 * CHALLENGE_LIFETIME)}`.execute(db);
}

function messageOf(body: Buffer, binding: string): string {
  return `${binding}/${body.toString('base64url')}`;
}
