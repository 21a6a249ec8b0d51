/** What proves who the person is, kept with the flow until it is made use of; and what was refused as proof. */
import { sql } from 'kysely';
import { maskEmailAddress, parseEmailAddress } from '../../kernel/email-address.js';
import type { UserErrorCode } from '../../kernel/errors.js';
import { isPlainName, MAX_NAME_LENGTH } from '../../kernel/names.js';
import type { IdentityProviderKind } from '../external-users/identity.entity.js';
import type { UnaddressedIdentity } from './flow.entity.js';
import type { ProvingFlow } from './flows.queries.js';
import { type GuestEvent, type ProofStep, tellOf } from './proof-step.service.js';

export interface Proof {
  kind: IdentityProviderKind;
  /** Empty for the gateway's own passcode. */
  providerId: string;
  issuer: string;
  subject: string;
  displayName: string | null;
  /** The address it covers; null: none. */
  emailKey: string | null;
  /** How the person was authenticated (RFC 8176); `fed`, by another provider, is not registered there but widely used. */
  amr: string[];
  /** It took a second factor as well. */
  isMultiFactor: boolean;
}

/** The gateway vouches for a mailbox itself; the address stands for the person. */
export const passcodeProof = (emailKey: string): Proof => ({
  kind: 'EMAIL_PASSCODE',
  providerId: '',
  issuer: 'mail',
  subject: emailKey,
  displayName: null,
  emailKey,
  amr: ['otp'],
  isMultiFactor: false,
});

/** The flow as it is with this proof. */
export function provenBy<F extends ProvingFlow>(flow: F, proof: Proof, now: Date): F {
  return {
    ...flow,
    status: 'PROVEN',
    provenAt: now,
    proofKind: proof.kind,
    proofProviderId: proof.providerId,
    proofIssuer: proof.issuer,
    proofSubject: proof.subject,
    proofDisplayName: usableName(proof.displayName),
    proofEmailKey: proof.emailKey,
    amr: proof.amr,
    secondFactorAt: proof.isMultiFactor ? now : null,
  };
}

export async function recordProof(step: ProofStep, proof: Proof): Promise<void> {
  const { tx, now, flow } = step;
  await sql`
    update redemption_flow set status = 'PROVEN', proven_at = ${now}, proof_kind = ${proof.kind},
      proof_provider_id = ${proof.providerId}, proof_issuer = ${proof.issuer}, proof_subject = ${proof.subject},
      proof_display_name = ${usableName(proof.displayName)}, proof_email_key = ${proof.emailKey}, amr = ${proof.amr},
      second_factor_at = ${proof.isMultiFactor ? now : null}, mismatched_email = null
    where id = ${flow.id}`.execute(tx.db);
  await sql`
    update invitation set proven_at = ${now} where id = ${flow.invitationId} and proven_at is null`.execute(tx.db);
  await tellOf(step, identityProven(proof.kind));
}

/** The code is spent, the proof stands. @param proof what the code completes; default: it proves the address by itself. */
export async function recordPasscodeProof(
  step: ProofStep,
  passcodeId: string,
  proof: Proof = passcodeProof(step.emailKey),
): Promise<void> {
  await sql`update passcode set used_at = ${step.now} where id = ${passcodeId}`.execute(step.tx.db);
  await recordProof(step, proof);
}

/** Kept until a passcode says that the address is this person's. */
export async function recordUnaddressed({ tx, flow }: ProofStep, identity: UnaddressedIdentity): Promise<void> {
  await sql`
    update redemption_flow set unaddressed_identity = ${JSON.stringify(identity)}::jsonb, mismatched_email = null
    where id = ${flow.id}`.execute(tx.db);
}

const proofDetails: Record<IdentityProviderKind, string> = {
  OIDC: 'By an identity provider.',
  SAML: 'By an identity provider.',
  EMAIL_PASSCODE: 'By a passcode sent to the address.',
  LOCAL: 'By an account at the gateway.',
};

export function identityProven(by: IdentityProviderKind): GuestEvent {
  return { type: 'IDENTITY_PROVEN', detail: proofDetails[by] };
}

const refusalDetails: Partial<Record<UserErrorCode, string>> = {
  IDENTITY_UNVERIFIED: 'The provider does not say that the address is verified.',
  IDP_UNAVAILABLE: 'The provider did not answer properly.',
  PROOF_REQUIRED: 'Another provider is entitled to vouch for the address now.',
  TOO_MANY_ATTEMPTS: 'Too many wrong passcodes.',
};

/** An invitation stays; what a stranger signed in as is kept masked only. */
export async function recordRefusal(
  step: ProofStep,
  reason: UserErrorCode,
  signedInAs: string | null = null,
): Promise<void> {
  const { tx, flow } = step;
  const masked = signedInAs === null ? null : maskClaimed(signedInAs);
  await sql`update redemption_flow set mismatched_email = ${masked} where id = ${flow.id}`.execute(tx.db);
  const detail = masked ? `Signed in as ${masked}.` : refusalDetails[reason];
  await tellOf(step, { type: 'IDENTITY_REFUSED', reason, ...(detail && { detail }) });
}

/** Of what is no address nothing is repeated: it may be any text, and longer or odder than a table takes. */
function maskClaimed(claimed: string): string {
  const email = parseEmailAddress(claimed);
  return email ? maskEmailAddress(email.address) : '•••';
}

/** A provider's free text is shown to others only when it is a plain name. */
function usableName(name: string | null): string | null {
  const trimmed = name?.trim() ?? '';
  return trimmed.length <= MAX_NAME_LENGTH && isPlainName(trimmed) ? trimmed : null;
}
