/** Which network a client speaks from, pure: what limits count where addresses are cheap. */
import ipaddr from 'ipaddr.js';

/** One customer's part of IPv6, of which every device makes up addresses as it likes (RFC 6177, RFC 8981). */
const IPV6_PREFIX = 64;

/**
 * The address itself for IPv4, the /64 for IPv6. Null for loopback: that is this machine, or a proxy on it that
 * TRUSTED_PROXIES does not name and behind which everybody would share one count.
 */
export function networkOf(clientAddress: string): string | null {
  if (!ipaddr.isValid(clientAddress)) return null;
  const address = ipaddr.process(clientAddress);
  if (address.range() === 'loopback') return null;
  if (address instanceof ipaddr.IPv4) return address.toString();
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${address.toString()}/${IPV6_PREFIX}`).toString()}/${IPV6_PREFIX}`;
}
