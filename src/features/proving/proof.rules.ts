/** Whether what a provider vouched for proves an address (pure). */
import { parseEmailAddress } from '../../kernel/email-address.js';
import type { UserErrorCode } from '../../kernel/errors.js';
import type { ProvenIdentity } from '../identity-providers/connector.port.js';
import { isEntitled, type Method, type ProviderMethod } from './methods.rules.js';

/** Why it does not; null: it does. */
export function addressRefusal(
  methods: readonly Method[],
  method: ProviderMethod,
  identity: ProvenIdentity,
  emailKey: string,
): UserErrorCode | null {
  if (!isEntitled(methods, { ...method, issuer: identity.issuer })) return 'PROOF_REQUIRED';
  if (!identity.email || !identity.emailVerified) return 'IDENTITY_UNVERIFIED';
  return parseEmailAddress(identity.email)?.key === emailKey ? null : 'IDENTITY_MISMATCH';
}

/** Whether a passcode to the address would complete what the provider said: it names no other address. */
export function isCompletable({ lacksAddressProof, email }: ProvenIdentity, emailKey: string): boolean {
  return lacksAddressProof === true && (email === null || parseEmailAddress(email)?.key === emailKey);
}
