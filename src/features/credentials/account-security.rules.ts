/**
 * When credentials may be changed, pure: right after the person has shown who they are, with the second factor if they have
 * one. Otherwise whoever finds a browser signed in, or reads the mailbox, could put their own credentials in place.
 */
import { later, MINUTE } from '../../kernel/clock.js';
import { hasSecondFactor, type SecondFactors } from './second-factors.queries.js';

/** Somebody who is signed in, as a session knows them. */
export interface Visitor {
  /** Of the session: pages and what is signed for them count in this one only. */
  id: string;
  tenantId: string;
  externalUserId: string;
  authenticatedAt: Date;
  secondFactorAt: Date | null;
}

const PROOF_LIFETIME = 15 * MINUTE;

/** What has to be shown once more; null: changes may be made. */
export function proofDue(
  { authenticatedAt, secondFactorAt }: Visitor,
  factors: SecondFactors,
  now: Date,
): 'SIGN_IN' | 'SECOND_FACTOR' | null {
  const isFresh = (at: Date | null) => at !== null && at > later(now, -PROOF_LIFETIME);
  if (hasSecondFactor(factors)) return isFresh(secondFactorAt) ? null : 'SECOND_FACTOR';
  return isFresh(authenticatedAt) || isFresh(secondFactorAt) ? null : 'SIGN_IN';
}

export function sessionBinding({ id }: Pick<Visitor, 'id'>): string {
  return `session/${id}`;
}
