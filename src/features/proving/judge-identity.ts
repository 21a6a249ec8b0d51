/** What a provider's answer is worth in a flow: the proof is recorded, or why it is none. */
import type { UserErrorCode } from '../../kernel/errors.js';
import type { ProvenIdentity } from '../identity-providers/connector.port.js';
import { loadMethods } from './methods.queries.js';
import type { Method, ProviderMethod } from './methods.rules.js';
import { addressRefusal, isCompletable } from './proof.rules.js';
import { type Proof, recordProof, recordRefusal, recordUnaddressed } from './proof.service.js';
import type { ProofStep } from './proof-step.service.js';
import type { ProvingGround } from './proving-ground.port.js';
import { isTrustedInSecondFactor } from './second-factor-trust.queries.js';

export function methodsOf({ tx, flow: { tenantId, unaddressedIdentity }, emailKey }: ProofStep): Promise<Method[]> {
  return loadMethods(tx.db, { tenantId, emailKey, unaddressedIdentity });
}

/** The next attempt asks which account to use. */
const saysWhichAccount: ReadonlySet<UserErrorCode> = new Set(['IDENTITY_MISMATCH', 'NOT_A_GUEST']);

/**
 * Records the proof, or why it is none.
 * @returns the refusal as a value: thrown it would take its own record back.
 */
export async function judgeIdentity(
  ground: ProvingGround,
  step: ProofStep,
  method: ProviderMethod,
  identity: ProvenIdentity,
): Promise<UserErrorCode | null> {
  ground.checkOpen(step);
  const found = addressRefusal(await methodsOf(step), method, identity, step.emailKey);
  // Routed elsewhere by now: nothing it says counts, whatever for.
  const isEntitled = found !== 'PROOF_REQUIRED';
  const refusal = isEntitled ? await ground.judge(step, { ...identity, providerId: method.providerId }, found) : found;
  if (refusal === 'IDENTITY_UNVERIFIED' && isCompletable(identity, step.emailKey)) {
    await recordUnaddressed(step, proofBy(method, identity));
    return null;
  }
  const emailKey = found === null ? step.emailKey : null;
  if (refusal === null) {
    const isMultiFactor = await isSecondFactorTaken(step, method, identity);
    await recordProof(step, { ...proofBy(method, identity), emailKey, ...howBy(isMultiFactor) });
  } else await recordRefusal(step, refusal, saysWhichAccount.has(refusal) ? identity.email : null);
  return refusal;
}

function proofBy(
  { kind, providerId }: ProviderMethod,
  { issuer, subject, displayName }: ProvenIdentity,
): Pick<Proof, 'kind' | 'providerId' | 'issuer' | 'subject' | 'displayName'> {
  return { kind, providerId, issuer, subject, displayName };
}

function howBy(isMultiFactor: boolean): Pick<Proof, 'amr' | 'isMultiFactor'> {
  return { amr: isMultiFactor ? ['fed', 'mfa'] : ['fed'], isMultiFactor };
}

/** What a provider says of a second factor counts where it is trusted for it. */
async function isSecondFactorTaken(
  { tx, flow: { tenantId }, emailKey }: ProofStep,
  { providerId }: ProviderMethod,
  { isMultiFactor }: ProvenIdentity,
): Promise<boolean> {
  return isMultiFactor && isTrustedInSecondFactor(tx.db, { tenantId, providerId, emailKey });
}
