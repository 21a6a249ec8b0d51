/**
 * Which IP addresses the gateway may connect to (pure). URLs of requests come from tenants, so whoever may write a
 * provider's issuer could otherwise make the gateway ask its own network (server-side request forgery).
 */
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Addresses at which clouds hand credentials to any process that asks; link-local ones are refused as a range. */
const metadataServices = {
  metadata: [
    '100.100.100.200/32', // Alibaba Cloud
    '168.63.129.16/32', // Azure
    '192.0.0.192/32', // Oracle Cloud
    'fd00:ec2::/32', // AWS
    'fd20:ce::254/128', // Google Cloud
  ].map((range) => ipaddr.parseCIDR(range)),
};

/** RFC 6052 section 2.1: how hosts without IPv4 reach it; the address meant is in the last 32 bits. */
const nat64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');
/** The only part of IPv6 given out for global unicast (RFC 4291 section 2.4, IANA registry). */
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3');

const privateRanges: ReadonlySet<string> = new Set([
  'private',
  'loopback',
  'carrierGradeNat',
  'uniqueLocal',
  'reserved',
  'benchmarking',
]);

/** @param text an address as the resolver or a URL gives it, without brackets. */
export function isAllowedAddress(text: string, allowPrivate: boolean): boolean {
  if (!ipaddr.isValid(text)) return false;
  const address = unwrap(ipaddr.process(text));
  if (ipaddr.subnetMatch(address, metadataServices, 'none') === 'metadata') return false;
  return isPublic(address) || (allowPrivate && privateRanges.has(address.range()));
}

function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast') return false;
  return address instanceof ipaddr.IPv4 || address.match(globalUnicast);
}

/** The IPv4 address that is really connected to, so that no IPv6 spelling hides it. */
function unwrap(address: Address): Address {
  if (address instanceof ipaddr.IPv4 || !address.match(nat64)) return address;
  return new ipaddr.IPv4(address.toByteArray().slice(12));
}
