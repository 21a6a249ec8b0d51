/**
 * The two state tables of an invitation, pure. Everything that asks "may this happen now?" asks here.
 *
 *   PENDING --accept--> REDEEMED          QUEUED --sent--> SENT --bounce--> BOUNCED
 *      |--decline--> DECLINED --undo-->      |--refused--> FAILED
 *      |               (unproven only)    SUPPRESSED: nothing was to be sent
 *      |--revoke---> REVOKED              any --resend--> QUEUED
 *      '--time-----> EXPIRED --resend--> PENDING
 */
import { DAY } from '../../kernel/clock.js';
import type { UserErrorCode } from '../../kernel/errors.js';

export const invitationStatuses = ['PENDING', 'REDEEMED', 'DECLINED', 'REVOKED', 'EXPIRED'] as const;
export type InvitationStatus = (typeof invitationStatuses)[number];

export const deliveryStatuses = ['SUPPRESSED', 'QUEUED', 'SENT', 'BOUNCED', 'FAILED'] as const;
export type DeliveryStatus = (typeof deliveryStatuses)[number];

export const DEFAULT_EXPIRES_IN_DAYS = 30;
export const MIN_EXPIRES_IN_DAYS = 1;
export const MAX_EXPIRES_IN_DAYS = 90;

export type InvitationTransition = 'accept' | 'decline' | 'undoDecline' | 'revoke' | 'expire' | 'resend';

const transitions: Record<InvitationTransition, { from: readonly InvitationStatus[]; to: InvitationStatus }> = {
  accept: { from: ['PENDING'], to: 'REDEEMED' },
  decline: { from: ['PENDING'], to: 'DECLINED' },
  undoDecline: { from: ['DECLINED'], to: 'PENDING' },
  revoke: { from: ['PENDING'], to: 'REVOKED' },
  expire: { from: ['PENDING'], to: 'EXPIRED' },
  resend: { from: ['PENDING', 'EXPIRED'], to: 'PENDING' },
};

/** What tells the state of an invitation; `expiresAt` makes a PENDING one EXPIRED without anybody's doing. */
export interface InvitationState {
  status: InvitationStatus;
  expiresAt: Date;
}

export function statusAt(invitation: InvitationState, now: Date): InvitationStatus {
  return invitation.status === 'PENDING' && invitation.expiresAt <= now ? 'EXPIRED' : invitation.status;
}

export function mayTransition(transition: InvitationTransition, invitation: InvitationState, now: Date): boolean {
  return transitions[transition].from.includes(statusAt(invitation, now));
}

export function targetOf(transition: InvitationTransition): InvitationStatus {
  return transitions[transition].to;
}

/** Why an invitation that is not PENDING cannot go on. */
export const refusalByStatus: Record<Exclude<InvitationStatus, 'PENDING'>, UserErrorCode> = {
  REDEEMED: 'ALREADY_REDEEMED',
  DECLINED: 'DECLINED',
  REVOKED: 'REVOKED',
  EXPIRED: 'EXPIRED',
};

export type DeliveryTransition = 'queue' | 'sent' | 'fail' | 'bounce';

const deliveryTransitions: Record<DeliveryTransition, { from: readonly DeliveryStatus[]; to: DeliveryStatus }> = {
  queue: { from: deliveryStatuses, to: 'QUEUED' },
  sent: { from: ['QUEUED'], to: 'SENT' },
  fail: { from: ['QUEUED'], to: 'FAILED' },
  bounce: { from: ['SENT'], to: 'BOUNCED' },
};

export function deliveryAfter(transition: DeliveryTransition, current: DeliveryStatus): DeliveryStatus | null {
  const { from, to } = deliveryTransitions[transition];
  return from.includes(current) ? to : null;
}

export function expiryOf(createdAt: Date, expiresInDays: number): Date {
  return new Date(createdAt.getTime() + expiresInDays * DAY);
}
