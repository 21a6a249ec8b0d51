/**
 * Every kind of fact the feed can tell, on one page. Facts carry ids, never entities; `detail` is our own sentence,
 * never a provider's or a guest's text.
 */
export const redemptionEventTypes = [
  'INVITED',
  'MAIL_SENT',
  'MAIL_FAILED',
  'MAIL_BOUNCED',
  'RESENT',
  'STARTED',
  'SIGN_IN_STARTED',
  'PASSCODE_SENT',
  'IDENTITY_PROVEN',
  'IDENTITY_REFUSED',
  'STEP_REFUSED',
  'CONSENTED',
  'REDEEMED',
  'DECLINED',
  'REVOKED',
  'EXPIRED',
  'ACCESS_ENDED',
  'TOKEN_REUSED',
] as const;

export type RedemptionEventType = (typeof redemptionEventTypes)[number];
