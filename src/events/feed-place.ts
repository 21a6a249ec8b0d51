/**
 * A place in the feed and its cursor. Places compare by (epoch, xid, seq); a cursor is a place with its tenant, signed,
 * so that a foreign or made-up one is told from a real one.
 */
import { RequestError } from '../kernel/errors.js';
import { equalBytes, type Secrets } from '../kernel/secrets.js';

export interface FeedPlace {
  epoch: number;
  /** xid8 as text: it does not fit a JavaScript number. */
  xid: string;
  seq: string;
}

/** Before everything. */
export const feedStart: FeedPlace = { epoch: 0, xid: '0', seq: '0' };

export function comparePlaces(a: FeedPlace, b: FeedPlace): number {
  return a.epoch - b.epoch || compareBigints(a.xid, b.xid) || compareBigints(a.seq, b.seq);
}

function compareBigints(a: string, b: string): number {
  const [left, right] = [BigInt(a), BigInt(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

const SIGNATURE_BYTES = 12;
const placePattern = /^(\d{1,9})\.(\d{1,20})\.(\d{1,20})$/;

export function encodeFeedCursor(secrets: Secrets, tenantId: string, { epoch, xid, seq }: FeedPlace): string {
  const text = `${epoch}.${xid}.${seq}`;
  const signature = secrets.sign('cursor', `${tenantId} ${text}`).subarray(0, SIGNATURE_BYTES);
  return Buffer.concat([signature, Buffer.from(text)]).toString('base64url');
}

/** @throws RequestError BAD_USER_INPUT for a malformed cursor or one of another tenant. */
export function decodeFeedCursor(secrets: Secrets, tenantId: string, cursor: string): FeedPlace {
  const bytes = Buffer.from(cursor, 'base64url');
  const text = bytes.subarray(SIGNATURE_BYTES).toString();
  const match = placePattern.exec(text);
  const genuine = secrets
    .signatures('cursor', `${tenantId} ${text}`)
    .some((signature) => equalBytes(signature.subarray(0, SIGNATURE_BYTES), bytes.subarray(0, SIGNATURE_BYTES)));
  if (!match || !genuine) {
    throw new RequestError('BAD_USER_INPUT', {
      message: 'This cursor is not one of this feed. Use one the feed gave, START, or none.',
    });
  }
  return { epoch: Number(match[1]), xid: match[2] as string, seq: match[3] as string };
}
