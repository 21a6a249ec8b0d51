/** The two state tables, pair by pair: what may happen to an invitation in which state, and what becomes of its mail. */
import { describe, expect, it } from '@jest/globals';
import {
  type DeliveryStatus,
  type DeliveryTransition,
  deliveryAfter,
  deliveryStatuses,
  expiryOf,
  type InvitationStatus,
  type InvitationTransition,
  invitationStatuses,
  mayTransition,
  statusAt,
  targetOf,
} from '../../../src/features/invitations/invitation.states.js';
import { DAY, later } from '../../../src/kernel/clock.js';

const now = new Date('2026-11-20T10:00:00.000Z');
const tomorrow = later(now, DAY);
const yesterday = later(now, -DAY);

/** From which states, and where to. EXPIRED includes PENDING that has run out. */
const allowed: Record<InvitationTransition, { from: InvitationStatus[]; to: InvitationStatus }> = {
  accept: { from: ['PENDING'], to: 'REDEEMED' },
  decline: { from: ['PENDING'], to: 'DECLINED' },
  undoDecline: { from: ['DECLINED'], to: 'PENDING' },
  revoke: { from: ['PENDING'], to: 'REVOKED' },
  expire: { from: ['PENDING'], to: 'EXPIRED' },
  resend: { from: ['PENDING', 'EXPIRED'], to: 'PENDING' },
};

describe.each(Object.entries(allowed) as [InvitationTransition, { from: InvitationStatus[]; to: InvitationStatus }][])(
  'to %s',
  (transition, { from, to }) => {
    it.each(invitationStatuses)('an invitation that is %s', (status) => {
      expect(mayTransition(transition, { status, expiresAt: tomorrow }, now)).toBe(from.includes(status));
    });

    it('a PENDING invitation that has run out is as an EXPIRED one', () => {
      expect(mayTransition(transition, { status: 'PENDING', expiresAt: yesterday }, now)).toBe(
        from.includes('EXPIRED'),
      );
    });

    it('leads to one state', () => {
      expect(targetOf(transition)).toBe(to);
    });
  },
);

describe('the status of an invitation', () => {
  it('is EXPIRED from the moment it ends, and not before', () => {
    expect(statusAt({ status: 'PENDING', expiresAt: later(now, 1) }, now)).toBe('PENDING');
    expect(statusAt({ status: 'PENDING', expiresAt: now }, now)).toBe('EXPIRED');
  });

  it.each(invitationStatuses.filter((status) => status !== 'PENDING'))('stays %s, whatever the time', (status) => {
    for (const expiresAt of [yesterday, tomorrow]) expect(statusAt({ status, expiresAt }, now)).toBe(status);
  });

  it('ends whole days after it was made', () => {
    expect(expiryOf(now, 30)).toEqual(new Date('2026-12-20T10:00:00.000Z'));
  });
});

const deliveries: Record<DeliveryTransition, { from: readonly DeliveryStatus[]; to: DeliveryStatus }> = {
  queue: { from: deliveryStatuses, to: 'QUEUED' },
  sent: { from: ['QUEUED'], to: 'SENT' },
  fail: { from: ['QUEUED'], to: 'FAILED' },
  bounce: { from: ['SENT'], to: 'BOUNCED' },
};

describe.each(
  Object.entries(deliveries) as [DeliveryTransition, { from: readonly DeliveryStatus[]; to: DeliveryStatus }][],
)('a mail on %s', (transition, { from, to }) => {
  it.each(deliveryStatuses)('when its delivery is %s', (status) => {
    expect(deliveryAfter(transition, status)).toBe(from.includes(status) ? to : null);
  });
});
