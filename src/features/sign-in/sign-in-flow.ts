/**
 * The flow of a guest who comes back: from an address to a session. It is begun the same way for every address, known or
 * not; an address nobody here has gets as far as the passcode that never comes.
 */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import { HOUR, later, MINUTE } from '../../kernel/clock.js';
import { refuse } from '../../kernel/errors.js';
import { newId } from '../../kernel/ids.js';
import type { Language } from '../../kernel/languages.js';
import { hashToken } from '../../kernel/secrets.js';
import type { RequestContext } from '../../request/request-context.js';
import { lockInvitations } from '../invitations/invitations.service.js';
import type { FlowPurpose } from '../proving/flow.entity.js';
import { FLOW_LIFETIME, isProven } from '../proving/flow.states.js';
import { type FlowKey, findFlows, type ProvingFlow } from '../proving/flows.queries.js';
import { loadMethods } from '../proving/methods.queries.js';
import { type Method, withoutLocal } from '../proving/methods.rules.js';
import type { ProofStep } from '../proving/proof-step.service.js';
import { signInIsOver } from '../proving/provider-sign-in.service.js';
import type { ProvingGround } from '../proving/proving-ground.port.js';
import { type Terms, termsToAccept } from '../terms/terms.queries.js';
import {
  findAutomaticInvitation,
  findProvenGuest,
  type Guest,
  isAddressWaiting,
  isAnothers,
  isIdentityKnown,
  passcodeUser,
} from './guest.queries.js';
import type { LiveSession } from './sessions.service.js';
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
  /** Whom the proof signs in; null: nobody yet. */
  guest: Guest | null;
  /** What this guest has not agreed to yet; null: nothing. */
  terms: Terms | null;
}

export interface SignInStep extends ProofStep {
  flow: AddressFlow;
  /** Locked, because this sign-in may accept it; null: there is none. */
  invitationId: string | null;
}

/** A guest who begins again in the same browser goes on with the code that is already on its way. */
const FLOW_REUSE = 15 * MINUTE;
/** Shorter than for a link: who guesses at somebody else's address keeps its owner out for as long. */
const GUESSES_WINDOW = HOUR;

const PURPOSES: readonly FlowPurpose[] = ['SIGN_IN', 'LINK_IDENTITY', 'CHANGE_ADDRESS'];

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

export interface NewAddressChange {
  purpose: 'LINK_IDENTITY' | 'CHANGE_ADDRESS';
  session: LiveSession;
  email: string;
  emailKey: string;
  language: Language;
  browserToken: string;
  returnTo: string;
}

/** Of somebody who is signed in; it goes with the session. */
export async function beginChange(ctx: RequestContext, begun: NewAddressChange): Promise<string> {
  const { session, purpose, email, emailKey, language, returnTo } = begun;
  const [id, now] = [newId('RedemptionFlow'), ctx.clock.now()];
  await ctx.transaction(session.tenantId, ({ db }) =>
    sql`
      insert into redemption_flow (id, tenant_id, purpose, browser_hash, email, email_key, language, external_user_id,
        session_id, return_to, status, passcode_tries, created_at, expires_at)
      values (${id}, ${session.tenantId}, ${purpose}, ${hashToken(begun.browserToken)}, ${email}, ${emailKey}, ${language},
        ${session.externalUserId}, ${session.id}, ${returnTo}, 'STARTED', 0, ${now}, ${later(now, FLOW_LIFETIME)})`.execute(
      db,
    ),
  );
  return id;
}

/** @throws UserError INVITATION_NOT_FOUND: unknown, over, and another browser's are one and the same. */
async function loadFlow(ctx: RequestContext, key: FlowKey): Promise<AddressFlow> {
  const [flow] = await findFlows(ctx.db, PURPOSES, [key], ctx.clock.now());
  if (!flow) throw signInIsOver();
  return flow as AddressFlow;
}

export async function viewSignIn(ctx: RequestContext, key: FlowKey): Promise<SignInView> {
  return view(ctx, ctx.db, await loadFlow(ctx, key));
}

async function view(ctx: RequestContext, db: RequestContext['db'], flow: AddressFlow): Promise<SignInView> {
  const proven = isProven(flow, ctx.clock.now());
  const tenant = await loadTenantPage(db, flow.tenantId);
  const routed = await loadMethods(db, flow);
  // An account here is no further identity, and proves no other address.
  const methods = flow.purpose === 'SIGN_IN' ? routed : withoutLocal(routed);
  const guest = proven && flow.purpose === 'SIGN_IN' ? await findProvenGuest(db, flow) : null;
  const terms = guest && (await termsToAccept(db, flow.tenantId, guest.externalUserId));
  return { flow, tenant, methods, isProven: proven, guest, terms };
}

/** The flow is locked before it is read again, and before it the invitation that may be accepted. @throws UserError INVITATION_NOT_FOUND */
export async function inSignInStep<T>(
  ctx: RequestContext,
  key: FlowKey,
  work: (step: SignInStep) => Promise<T>,
): Promise<T> {
  const { id, tenantId, ...found } = await loadFlow(ctx, key);
  const invitationId = await findAutomaticInvitation(ctx.db, { tenantId, ...found });
  return ctx.transaction(tenantId, async (tx) => {
    if (invitationId) await lockInvitations(tx, [invitationId]);
    await sql`select from redemption_flow where id = ${id} for update`.execute(tx.db);
    const now = ctx.clock.now();
    const [flow] = (await findFlows(tx.db, PURPOSES, [key], now)) as (AddressFlow | undefined)[];
    if (!flow || !(await isSessionLive(tx, flow, now))) throw signInIsOver();
    const { emailKey } = flow;
    return work({
      ctx,
      tx,
      now,
      flow,
      emailKey,
      invitationId,
      guesses: { countedFor: emailKey, window: GUESSES_WINDOW },
    });
  });
}

/** Who is signed out, or blocked, changes nothing any more; what ends sessions locks the user, too, and so does not come in between. */
async function isSessionLive(
  { db }: Tx,
  { sessionId, externalUserId, purpose }: AddressFlow,
  now: Date,
): Promise<boolean> {
  if (purpose === 'SIGN_IN') return true;
  await sql`select from external_user where id = ${externalUserId} for no key update`.execute(db);
  const { rows } = await sql`
    select from guest_session s join external_user u on u.id = s.external_user_id and u.account_enabled
    where s.id = ${sessionId} and s.external_user_id = ${externalUserId} and s.ended_at is null and s.expires_at > ${now}`.execute(
    db,
  );
  return rows.length > 0;
}

/** As it is under the lock. */
export function viewStep({ ctx, tx, flow }: SignInStep): Promise<SignInView> {
  return view(ctx, tx.db, flow);
}

/** A flow signs in once. @throws UserError INVITATION_NOT_FOUND */
export function checkSignInOpen({ flow }: Pick<ProofStep, 'flow'>): void {
  if (flow.sessionOpenedAt !== null) throw signInIsOver();
}

export async function purposeOf(ctx: RequestContext, key: FlowKey): Promise<FlowPurpose> {
  return (await loadFlow(ctx, key)).purpose;
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

/** An identity proves itself, whatever address it goes with; nothing is taken from another guest. */
export const linkGround: ProvingGround = {
  ...signInGround,
  judge: async ({ tx, flow }, identity) => ((await isAnothers(tx.db, flow, identity)) ? 'TAKEN' : null),
};

/** The new address has to be proven. */
export const changeGround: ProvingGround = {
  ...signInGround,
  judge: async ({ tx, flow }, identity, addressRefusal) =>
    addressRefusal ?? ((await isAnothers(tx.db, flow, identity)) ? 'TAKEN' : null),
};

/** @throws UserError NOT_A_GUEST, ACCOUNT_DISABLED */
export function requireGuest(guest: Guest | null): Guest {
  if (!guest) throw refuse('NOT_A_GUEST');
  if (!guest.accountEnabled) throw refuse('ACCOUNT_DISABLED');
  return guest;
}
