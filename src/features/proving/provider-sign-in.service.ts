/**
 * Proof by an identity provider, for flows that live in a browser. The flow remembers what it sent away (state hashed,
 * the rest sealed); the callback counts only in the same browser, once, and only from the provider that routing entitles
 * at that moment. No transaction is open while a provider is asked. The link's token never rides along.
 *
 * A SAML provider has the browser post its answer from the provider's site, so that the cookie stays away. What the answer
 * came to is kept with the flow under a new state, and the browser is sent on with it to where the cookie is seen.
 */
import { sql } from 'kysely';
import { later, MINUTE } from '../../kernel/clock.js';
import { refuse, type UserError, type UserErrorCode } from '../../kernel/errors.js';
import { isIdOf } from '../../kernel/ids.js';
import { hashToken, randomToken } from '../../kernel/secrets.js';
import type { RequestContext } from '../../request/request-context.js';
import type { ProvenIdentity, SignInSecrets } from '../identity-providers/connector.port.js';
import { samlAcsUrl } from '../identity-providers/saml-addresses.rules.js';
import { spendAssertion } from '../identity-providers/saml-assertions.service.js';
import type { FlowPurpose } from './flow.entity.js';
import type { ProviderMethod } from './methods.rules.js';
import { type ProofStep, tellOf } from './proof-step.service.js';

/** One redirect URI per provider, so that a code of one is never taken to another (RFC 9700 section 4.4.2). */
export function signInCallbackUrl(
  publicUrl: URL,
  { kind, providerId }: Pick<ProviderMethod, 'kind' | 'providerId'>,
): string {
  return kind === 'SAML'
    ? samlAcsUrl(publicUrl, providerId)
    : new URL(`/sign-in/callback/${providerId}`, publicUrl).href;
}

export async function rememberSignIn(step: ProofStep, providerId: string, secrets: SignInSecrets): Promise<void> {
  const { ctx, tx, flow } = step;
  const sealed = ctx.secrets.seal(JSON.stringify(secrets), sealContext(flow.id));
  await sql`
    update redemption_flow set sign_in_provider_id = ${providerId}, sign_in_state_hash = ${hashToken(secrets.state)},
      sealed_sign_in = ${sealed}, mismatched_email = null
    where id = ${flow.id}`.execute(tx.db);
  await tellOf(step, { type: 'SIGN_IN_STARTED' });
}

/** What a posted answer came to, until the browser that asked for it comes to see. */
export type Answer = { identity: ProvenIdentity } | { refusal: UserErrorCode };

/** What waits with the flow: for the provider, or, answered, for the browser. */
type Kept = SignInSecrets | { answer: Answer; until: string };

export interface SpentSignIn {
  flowId: string;
  purpose: FlowPurpose;
  /** Null: it was answered. */
  secrets: SignInSecrets | null;
  answer: Answer | null;
}

/** The browser is redirected here at once. */
const ANSWER_LIFETIME = 5 * MINUTE;

export interface Callback {
  state: string;
  providerId: string;
  browserToken: string;
}

/** @throws UserError INVITATION_NOT_FOUND when this browser waits for no such answer. */
export async function spendSignIn(ctx: RequestContext, callback: Callback): Promise<SpentSignIn> {
  const spent = isIdOf('IdentityProvider', callback.providerId) ? await takeSignIn(ctx, callback) : undefined;
  if (!spent) throw signInIsOver();
  const { flowId, purpose, sealed } = spent;
  const kept = openKept(ctx, flowId, sealed);
  if (!('answer' in kept)) return { flowId, purpose, secrets: kept, answer: null };
  const isLate = new Date(kept.until) <= ctx.clock.now();
  return { flowId, purpose, secrets: null, answer: isLate ? { refusal: 'PROOF_REQUIRED' } : kept.answer };
}

function openKept(ctx: RequestContext, flowId: string, sealed: Buffer): Kept {
  return JSON.parse(ctx.secrets.open(sealed, sealContext(flowId))) as Kept;
}

export interface WaitingSignIn {
  flowId: string;
  tenantId: string;
  secrets: SignInSecrets;
}

/** The sign-in that waits for this provider's answer, whichever browser it is of; it is not spent yet. */
export async function findWaitingSignIn(
  ctx: RequestContext,
  state: string,
  providerId: string,
): Promise<WaitingSignIn | null> {
  const { rows } = await sql<{ flowId: string; tenantId: string; sealed: Buffer }>`
    select id as "flowId", tenant_id as "tenantId", sealed_sign_in as sealed from redemption_flow
    where sign_in_state_hash = ${hashToken(state)} and sign_in_provider_id = ${providerId}
      and expires_at > ${ctx.clock.now()}`.execute(ctx.db);
  const [row] = rows;
  if (!row) return null;
  const { flowId, tenantId, sealed } = row;
  const kept = openKept(ctx, flowId, sealed);
  return 'answer' in kept ? null : { flowId, tenantId, secrets: kept };
}

/**
 * Spends the request that was answered, and the assertion; keeps the answer for the browser that asked.
 * @returns the new state, for that browser's next request.
 * @throws UserError INVITATION_NOT_FOUND when the request or the assertion was spent before.
 */
export async function keepAnswer(
  ctx: RequestContext,
  providerId: string,
  { flowId, tenantId, secrets }: WaitingSignIn,
  answer: Answer,
): Promise<string> {
  const state = randomToken();
  const now = ctx.clock.now();
  const kept: Kept = { answer, until: later(now, ANSWER_LIFETIME).toISOString() };
  await ctx.transaction(tenantId, async (tx) => {
    const { numAffectedRows } = await sql`
      update redemption_flow set sign_in_state_hash = ${hashToken(state)},
        sealed_sign_in = ${ctx.secrets.seal(JSON.stringify(kept), sealContext(flowId))}
      where id = ${flowId} and sign_in_state_hash = ${hashToken(secrets.state)}`.execute(tx.db);
    const assertionId = 'identity' in answer ? answer.identity.assertionId : undefined;
    const isFresh = assertionId === undefined || (await spendAssertion(tx, providerId, assertionId, now));
    if (numAffectedRows !== 1n || !isFresh) throw signInIsOver();
  });
  return state;
}

/** Takes the state out of the table, which succeeds once. Another browser finds nothing and spends nothing. */
async function takeSignIn(ctx: RequestContext, { state, providerId, browserToken }: Callback) {
  const { rows } = await ctx.transaction(null, ({ db }) =>
    sql<{ flowId: string; purpose: FlowPurpose; sealed: Buffer }>`
      update redemption_flow f set sign_in_state_hash = null, sealed_sign_in = null
      from (
        select id, sealed_sign_in from redemption_flow
        where sign_in_state_hash = ${hashToken(state)} and sign_in_provider_id = ${providerId}
          and browser_hash = ${hashToken(browserToken)} and expires_at > ${ctx.clock.now()}
        for update
      ) waiting
      where f.id = waiting.id
      returning f.id as "flowId", f.purpose, waiting.sealed_sign_in as sealed`.execute(db),
  );
  return rows[0];
}

export function signInIsOver(): UserError {
  return refuse('INVITATION_NOT_FOUND', { message: 'This sign-in is over. Begin again.' });
}

function sealContext(flowId: string): string {
  return `redemption_flow:${flowId}`;
}
