/**
 * Proof by an identity provider, for flows that live in a browser. The flow remembers what it sent away (state hashed,
 * the rest sealed); the callback counts only in the same browser, once, and only from the provider that routing entitles
 * at that moment. No transaction is open while a provider is asked. The link's token never rides along.
 */
import { sql } from 'kysely';
import { parseEmailAddress } from '../../kernel/email-address.js';
import { refuse, type UserErrorCode } from '../../kernel/errors.js';
import { isIdOf } from '../../kernel/ids.js';
import { hashToken } from '../../kernel/secrets.js';
import type { RequestContext } from '../../request/request-context.js';
import type { ProvenIdentity, SignInSecrets } from '../identity-providers/connector.port.js';
import { isEntitled, type Method, type ProviderMethod } from './methods.js';
import { type Proof, recordProof, recordRefusal } from './proof.js';
import { loadMethods } from './redemption.queries.js';
import { checkFlowOpen, type Step, tell } from './steps.js';

/** One redirect URI per provider, so that a code of one is never taken to another (RFC 9700 section 4.4.2). */
export function signInCallbackUrl(publicUrl: URL, providerId: string): string {
  return new URL(`/sign-in/callback/${providerId}`, publicUrl).href;
}

export async function rememberSignIn(
  { ctx, tx, now, flow }: Step,
  providerId: string,
  secrets: SignInSecrets,
): Promise<void> {
  const sealed = ctx.secrets.seal(JSON.stringify(secrets), sealContext(flow.id));
  await sql`
    update redemption_flow set sign_in_provider_id = ${providerId}, sign_in_state_hash = ${hashToken(secrets.state)},
      sealed_sign_in = ${sealed}, mismatched_email = null
    where id = ${flow.id}`.execute(tx.db);
  await tell(tx, flow.invitationId, now, { type: 'SIGN_IN_STARTED' });
}

export interface SpentSignIn {
  flowId: string;
  secrets: SignInSecrets;
}

export interface Callback {
  state: string;
  providerId: string;
  browserToken: string;
}

/** @throws UserError INVITATION_NOT_FOUND when this browser waits for no such answer. */
export async function spendSignIn(ctx: RequestContext, callback: Callback): Promise<SpentSignIn> {
  const spent = isIdOf('IdentityProvider', callback.providerId) ? await takeSignIn(ctx, callback) : undefined;
  if (!spent)
    throw refuse('INVITATION_NOT_FOUND', { message: 'This sign-in is over. Open the link in your invitation again.' });
  const { flowId, sealed } = spent;
  return { flowId, secrets: JSON.parse(ctx.secrets.open(sealed, sealContext(flowId))) as SignInSecrets };
}

/** Takes the state out of the table, which succeeds once. Another browser finds nothing and spends nothing. */
async function takeSignIn(ctx: RequestContext, { state, providerId, browserToken }: Callback) {
  const { rows } = await ctx.transaction(null, ({ db }) =>
    sql<{ flowId: string; sealed: Buffer }>`
      update redemption_flow f set sign_in_state_hash = null, sealed_sign_in = null
      from (
        select id, sealed_sign_in from redemption_flow
        where sign_in_state_hash = ${hashToken(state)} and sign_in_provider_id = ${providerId}
          and browser_hash = ${hashToken(browserToken)} and expires_at > ${ctx.clock.now()}
        for update
      ) waiting
      where f.id = waiting.id
      returning f.id as "flowId", waiting.sealed_sign_in as sealed`.execute(db),
  );
  return rows[0];
}

/**
 * Records the proof, or why it is none.
 * @returns the refusal as a value: thrown it would take its own record back.
 */
export async function judgeIdentity(
  step: Step,
  method: ProviderMethod,
  identity: ProvenIdentity,
): Promise<UserErrorCode | null> {
  checkFlowOpen(step);
  const refusal = refusalOf(await loadMethods(step.tx.db, step.offer), method, identity, step.offer.emailKey);
  if (refusal === null) await recordProof(step, proofBy(method, identity));
  else await recordRefusal(step, refusal, refusal === 'IDENTITY_MISMATCH' ? identity.email : null);
  return refusal;
}

function refusalOf(
  methods: Method[],
  method: ProviderMethod,
  identity: ProvenIdentity,
  emailKey: string,
): UserErrorCode | null {
  if (!isEntitled(methods, { ...method, issuer: identity.issuer })) return 'PROOF_REQUIRED';
  if (!identity.email || !identity.emailVerified) return 'IDENTITY_UNVERIFIED';
  return parseEmailAddress(identity.email)?.key === emailKey ? null : 'IDENTITY_MISMATCH';
}

function proofBy({ kind, providerId }: ProviderMethod, { issuer, subject, displayName }: ProvenIdentity): Proof {
  return { kind, providerId, issuer, subject, displayName };
}

function sealContext(flowId: string): string {
  return `redemption_flow:${flowId}`;
}
