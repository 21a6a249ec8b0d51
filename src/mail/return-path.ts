/**
 * Where bounces go: an address of its own for each mail, when the return path leaves a place for the mail's key. A bounce
 * then says by the address it comes to which mail it is about, and only who got the mail can know that address.
 */

/** Octets before the @ (RFC 5321 section 4.5.3.1.1). */
const MAX_LOCAL_PART = 64;

/** @param returnPath an address; a `*` before its @ is replaced by the key. */
export function returnAddress(returnPath: string, messageKey: string): string {
  const address = returnPath.replace('*', messageKey);
  // A key too long for the place, after a thousand resends: the plain address still gets the bounce.
  return address.lastIndexOf('@') <= MAX_LOCAL_PART ? address : returnPath.replace('*', '');
}
