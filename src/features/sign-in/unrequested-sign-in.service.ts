/**
 * A sign-in that began at a SAML provider's portal, with an answer to no request of ours (SAML 2.0 profiles section 4.1.5).
 * Where an operator has allowed it, it signs in whoever is linked to that identity already, and nobody else: it redeems no
 * invitation and links nothing. Because anybody can have a browser post somebody's answer, nobody is signed in by it alone:
 * the person says yes on a page of ours, in whose browser the flow lives from then on.
 */
import { sql } from 'kysely';
import { later, MINUTE } from '../../kernel/clock.js';
import { refuse, UserError } from '../../kernel/errors.js';
import { isIdOf, newId } from '../../kernel/ids.js';
import { hashToken, randomToken } from '../../kernel/secrets.js';
import type { RateLimits } from '../../request/rate-limits.js';
import type { RequestContext } from '../../request/request-context.js';
import type { Callback, FormConnector, ProvenIdentity, SamlSettings } from '../identity-providers/connector.port.js';
import { loadSamlSettings } from '../identity-providers/identity-providers.service.js';
import { spendAssertion } from '../identity-providers/saml-assertions.service.js';
import { FLOW_LIFETIME } from '../proving/flow.states.js';

/** The page follows at once. */
const ANSWER_LIFETIME = 5 * MINUTE;

/** Whom the page asks. */
export interface WaitingGuest {
  tenantId: string;
  email: string;
  providerName: string;
}

export class UnrequestedSignIn {
  readonly #connector: FormConnector<SamlSettings>;
  readonly #limits: RateLimits;

  constructor(connector: FormConnector<SamlSettings>, limits: RateLimits) {
    this.#connector = connector;
    this.#limits = limits;
  }

  /**
   * @returns what the page of `waiting` opens with; null: this provider begins no sign-ins.
   * @throws UserError IDP_UNAVAILABLE when it does not verify, NOT_A_GUEST, INVITATION_NOT_FOUND when it came before.
   */
  async receive(ctx: RequestContext, providerId: string, callback: Callback): Promise<string | null> {
    const tenantId = await tenantAllowing(ctx, providerId);
    const settings = tenantId && (await loadSamlSettings(ctx.db, ctx.secrets, tenantId, providerId));
    if (!tenantId || !settings) return null;
    await this.#limits.admit(ctx);
    const identity = await this.#verified(ctx, settings, callback);
    return keepAnswer(ctx, { tenantId, providerId }, identity);
  }

  /** Reads only. Null: there is none, or not any more. */
  async waiting(ctx: RequestContext, providerId: string, state: string): Promise<WaitingGuest | null> {
    const { rows } = await sql<WaitingGuest>`
      select f.tenant_id as "tenantId", f.email, p.display_name as "providerName"
      from redemption_flow f join identity_provider p on p.tenant_id = f.tenant_id and p.id = f.proof_provider_id
      where ${isWaiting(ctx, providerId, state)}`.execute(ctx.db);
    return rows[0] ?? null;
  }

  /**
   * The person said yes: from now on it is a flow of this browser, proven, with the steps of every sign-in before it.
   * @returns its id.
   * @throws UserError INVITATION_NOT_FOUND
   */
  async take(ctx: RequestContext, providerId: string, state: string, browserToken: string): Promise<string> {
    const { rows } = await ctx.oneStatement(null, ({ db }) =>
      sql<{ id: string }>`
        update redemption_flow f set browser_hash = ${hashToken(browserToken)}, sign_in_state_hash = null,
          expires_at = ${later(ctx.clock.now(), FLOW_LIFETIME)}
        where ${isWaiting(ctx, providerId, state)} returning f.id`.execute(db),
    );
    if (!rows[0]) throw refuse('INVITATION_NOT_FOUND');
    return rows[0].id;
  }

  async #verified(ctx: RequestContext, settings: SamlSettings, callback: Callback): Promise<ProvenIdentity> {
    try {
      return await this.#connector.finishUnrequested(settings, callback);
    } catch (error) {
      if (error instanceof UserError)
        ctx.log.warn(
          { code: error.code, detail: error.detail },
          'an unrequested answer of an identity provider was refused',
        );
      throw error;
    }
  }
}

function isWaiting({ clock }: RequestContext, providerId: string, state: string) {
  return sql`f.sign_in_state_hash = ${hashToken(state)} and f.sign_in_provider_id = ${providerId}
    and f.purpose = 'SIGN_IN' and f.status = 'PROVEN' and f.expires_at > ${clock.now()}`;
}

/** Null: unknown, disabled, or without that permission. */
async function tenantAllowing(ctx: RequestContext, providerId: string): Promise<string | null> {
  if (!isIdOf('IdentityProvider', providerId)) return null;
  const { rows } = await sql<{ tenantId: string }>`
    select p.tenant_id as "tenantId" from identity_provider p join saml_provider s on s.identity_provider_id = p.id
    where p.id = ${providerId} and p.enabled and s.allows_unrequested_sign_in`.execute(ctx.db);
  return rows[0]?.tenantId ?? null;
}

/**
 * Proven, but in nobody's browser yet: only who holds the state goes on, within minutes. A second factor at the provider does
 * not count here: nobody asked for one.
 */
async function keepAnswer(
  ctx: RequestContext,
  { tenantId, providerId }: { tenantId: string; providerId: string },
  identity: ProvenIdentity,
): Promise<string> {
  const state = randomToken();
  const now = ctx.clock.now();
  const { issuer, subject } = identity;
  await ctx.transaction(tenantId, async (tx) => {
    if (!identity.assertionId || !(await spendAssertion(tx, providerId, identity.assertionId, now)))
      throw refuse('INVITATION_NOT_FOUND');
    const { numAffectedRows } = await sql`
      insert into redemption_flow (id, tenant_id, purpose, browser_hash, email, email_key, language, status, passcode_tries,
        proven_at, proof_kind, proof_provider_id, proof_issuer, proof_subject, amr, sign_in_provider_id, sign_in_state_hash,
        created_at, expires_at)
      select ${newId('RedemptionFlow')}, u.tenant_id, 'SIGN_IN', ${hashToken(randomToken())}, u.email, u.email_key,
        coalesce(u.preferred_language, t.default_language), 'PROVEN', 0, ${now}, 'SAML', ${providerId}, ${issuer}, ${subject},
        ${['fed']}, ${providerId}, ${hashToken(state)}, ${now}, ${later(now, ANSWER_LIFETIME)}
      from identity known
      join external_user u on u.tenant_id = known.tenant_id and u.id = known.external_user_id
      join tenant t on t.id = u.tenant_id
      where known.tenant_id = ${tenantId} and known.identity_provider_id = ${providerId} and known.issuer = ${issuer}
        and known.subject = ${subject} and u.state = 'ACCEPTED' and u.account_enabled`.execute(tx.db);
    if (numAffectedRows !== 1n) throw refuse('NOT_A_GUEST');
  });
  return state;
}
