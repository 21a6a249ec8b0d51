/**
 * The flow of a guest who comes back: from an address to a session. It is begun the same way for every address, known or
 * not; an address nobody here has gets as far as the passcode that never comes.
 */
import { sql } from 'kysely';
import { HOUR, later, MINUTE } from '../../kernel/clock.js';
import { refuse } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import type { Language } from '../../kernel/languages.js';
import { hashToken } from '../../kernel/secrets.js';
import type { RequestContext } from '../../request/request-context.js';
import { FLOW_LIFETIME, isProven } from '../proving/flow.states.js';
import { type FlowKey, findFlows, type ProvingFlow } from '../proving/flows.queries.js';
import { loadMethods } from '../proving/methods.queries.js';
import type { Method } from '../proving/methods.rules.js';
import type { ProofStep } from '../proving/proof-step.service.js';
import { signInIsOver } from '../proving/provider-sign-in.service.js';
import type { ProvingGround } from '../proving/proving.service.js';
import { type Terms, termsToAccept } from '../terms/terms.queries.js';
import { findProvenGuest, type Guest, isAddressWaiting, isIdentityKnown, passcodeUser } from './guest.queries.js';
import { loadTenantPage, type TenantPage } from './tenant-page.queries.js';

/** A flow without an invitation. */
export interface AddressFlow extends ProvingFlow {
  email: string;
  emailKey: string;
  language: Language;
}

export interface SignInView {
  flow: AddressFlow;
  tenant: TenantPage;
  methods: Method[];
  /** Proven, and recently enough to go on. */
  isProven: boolean;
  /** Whose the proof is; null: nobody's yet. */
  guest: Guest | null;
  /** What this guest has not agreed to yet; null: nothing. */
  terms: Terms | null;
}

export interface SignInStep extends ProofStep {
  flow: AddressFlow;
}

/** A guest who begins again in the same browser goes on with the code that is already on its way. */
const FLOW_REUSE = 15 * MINUTE;
/** Shorter than for a link: who guesses at somebody else's address keeps its owner out for as long. */
const GUESSES_WINDOW = HOUR;

export interface NewSignIn {
  tenantId: string;
  email: string;
  emailKey: string;
  language: Language;
  browserToken: string;
  returnTo: string | null;
}

export async function beginFlow(ctx: RequestContext, begun: NewSignIn): Promise<string> {
  const { tenantId, email, emailKey, language, returnTo } = begun;
  const now = ctx.clock.now();
  const browserHash = hashToken(begun.browserToken);
  return ctx.transaction(tenantId, async ({ db }) => {
    const { rows } = await sql<{ id: string }>`
      with reused as (
        update redemption_flow set return_to = ${returnTo} where id = (
          select id from redemption_flow
          where browser_hash = ${browserHash} and purpose = 'SIGN_IN' and tenant_id = ${tenantId} and email_key = ${emailKey}
            and status = 'STARTED' and created_at > ${later(now, -FLOW_REUSE)}
          order by created_at desc limit 1
        )
        returning id
      ),
      begun as (
        insert into redemption_flow (id, tenant_id, purpose, browser_hash, email, email_key, language, external_user_id,
          return_to, status, passcode_tries, created_at, expires_at)
        select ${newId('RedemptionFlow')}, ${tenantId}, 'SIGN_IN', ${browserHash}, ${email}, ${emailKey}, ${language},
          ${passcodeUser(tenantId, emailKey)}, ${returnTo}, 'STARTED', 0, ${now}, ${later(now, FLOW_LIFETIME)}
        where not exists (select from reused)
        returning id
      )
      select id from reused union all select id from begun`.execute(db);
    return (rows[0] as { id: string }).id;
  });
}

/** @throws UserError INVITATION_NOT_FOUND: unknown, over, and another browser's are one and the same. */
async function loadFlow(ctx: RequestContext, key: FlowKey): Promise<AddressFlow> {
  const [flow] = await findFlows(ctx.db, 'SIGN_IN', [key], ctx.clock.now());
  if (!flow) throw signInIsOver();
  return flow as AddressFlow;
}

export async function viewSignIn(ctx: RequestContext, key: FlowKey): Promise<SignInView> {
  return view(ctx, ctx.db, await loadFlow(ctx, key));
}

async function view(ctx: RequestContext, db: RequestContext['db'], flow: AddressFlow): Promise<SignInView> {
  const proven = isProven(flow, ctx.clock.now());
  const tenant = await loadTenantPage(db, flow.tenantId);
  const methods = await loadMethods(db, flow);
  const guest = proven ? await findProvenGuest(db, flow) : null;
  const terms = guest && (await termsToAccept(db, flow.tenantId, guest.externalUserId));
  return { flow, tenant, methods, isProven: proven, guest, terms };
}

/** The flow is locked before it is read again. @throws UserError INVITATION_NOT_FOUND */
export async function inSignInStep<T>(
  ctx: RequestContext,
  key: FlowKey,
  work: (step: SignInStep) => Promise<T>,
): Promise<T> {
  const { id, tenantId } = await loadFlow(ctx, key);
  return ctx.transaction(tenantId, async (tx) => {
    await sql`select from redemption_flow where id = ${id} for update`.execute(tx.db);
    const now = ctx.clock.now();
    const [flow] = (await findFlows(tx.db, 'SIGN_IN', [key], now)) as (AddressFlow | undefined)[];
    if (!flow) throw signInIsOver();
    const { emailKey } = flow;
    return work({ ctx, tx, now, flow, emailKey, guesses: { countedFor: emailKey, window: GUESSES_WINDOW } });
  });
}

/** As it is under the lock. */
export function viewStep({ ctx, tx, flow }: SignInStep): Promise<SignInView> {
  return view(ctx, tx.db, flow);
}

/** A flow signs in once. @throws UserError INVITATION_NOT_FOUND */
export function checkSignInOpen({ flow }: Pick<ProofStep, 'flow'>): void {
  if (flow.sessionOpenedAt !== null) throw signInIsOver();
}

export const signInGround: ProvingGround = {
  async look(ctx, key) {
    const { flow, methods } = await viewSignIn(ctx, key);
    checkSignInOpen({ flow });
    return { flow, email: flow.email, methods };
  },
  inStep: inSignInStep,
  checkOpen: checkSignInOpen,
  /** What is answered to an identity nobody here has does not tell whether the address is known. */
  async judge({ tx, emailKey, flow: { tenantId } }, identity, addressRefusal) {
    if (await isIdentityKnown(tx.db, tenantId, identity)) return null;
    if (addressRefusal === 'IDENTITY_UNVERIFIED') return addressRefusal;
    const isWaiting = await isAddressWaiting(tx.db, tenantId, emailKey);
    return isWaiting && addressRefusal === null ? null : 'NOT_A_GUEST';
  },
};

/** @throws UserError NOT_A_GUEST, ACCOUNT_DISABLED */
export function requireGuest(guest: Guest | null): Guest {
  if (!guest) throw refuse('NOT_A_GUEST');
  if (!guest.accountEnabled) throw refuse('ACCOUNT_DISABLED');
  return guest;
}
