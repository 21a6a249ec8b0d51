/**
 * The link in every invitation's mail that leads to "no more invitations". It says whose mail it was and opens nothing by
 * itself: the address is proven anew. Made again by whoever holds the server secret, valid as long as the mail lies around.
 */
import { isIdOf } from '../../kernel/ids.js';
import type { Secrets } from '../../kernel/secrets.js';

export function unsubscribePath(secrets: Secrets, invitationId: string): string {
  return `/unsubscribe/${invitationId}.${secrets.sign('unsubscribe', invitationId).toString('base64url')}`;
}

/** The invitation whose mail it was; null: no link of ours. */
export function invitationOfUnsubscribeLink(secrets: Secrets, token: string): string | null {
  const [id = '', mac = '', ...rest] = token.split('.');
  const isOurs =
    rest.length === 0 &&
    isIdOf('Invitation', id) &&
    mac.length <= 64 &&
    secrets.verify('unsubscribe', id, Buffer.from(mac, 'base64url'));
  return isOurs ? id : null;
}
