/**
 * Why an outgoing request gave no response. The reason is ours and safe to log; nothing of what the other side sent is
 * kept, because its text may hold secrets or mislead whoever reads it.
 */
const texts = {
  URL_REFUSED: 'only https URLs without credentials are requested',
  ADDRESS_REFUSED: 'the host is at an address that is not requested',
  REDIRECTED: 'the host answered with a redirect, which is not followed',
  TOO_LARGE: 'the response is larger than allowed',
  TIMED_OUT: 'the host did not answer in time',
  UNREACHABLE: 'no connection, or the connection broke',
} as const;

export type OutboundReason = keyof typeof texts;

export class OutboundError extends Error {
  override readonly name = 'OutboundError';
  readonly reason: OutboundReason;

  constructor(reason: OutboundReason, options?: ErrorOptions) {
    super(texts[reason], options);
    this.reason = reason;
  }
}
