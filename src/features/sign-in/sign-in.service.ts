/** Who gets a session, and by what. The proof itself is given in a flow; sessions are kept by `sessions.service.ts`. */
import { sql } from 'kysely';
import { hashToken } from '../../kernel/secrets.js';
import type { RequestContext } from '../../request/request-context.js';
import { deviceLabel } from './device-label.js';
import type { OpenedSession, SessionsService } from './sessions.service.js';

/** The browser that signs in. */
export interface SigningIn {
  tenantId: string;
  /** Token of the session it has in this tenant so far. */
  sessionToken: string | null;
  userAgent: string | undefined;
}

export class SignInService {
  readonly #sessions: SessionsService;

  constructor(sessions: SessionsService) {
    this.#sessions = sessions;
  }

  /**
   * The session of whoever has just accepted an invitation in this browser, with the proof they accepted by. Once for each
   * flow: going back to its last page and pressing again signs nobody in.
   * @returns null: the flow is not accepted, or has given its session.
   */
  async openAfterAccept(
    ctx: RequestContext,
    { flowId, browserToken }: { flowId: string; browserToken: string },
    { tenantId, sessionToken, userAgent }: SigningIn,
  ): Promise<OpenedSession | null> {
    return ctx.transaction(tenantId, async (tx) => {
      const { rows } = await sql<AcceptedFlow>`
        with spent as (
          update redemption_flow set session_opened_at = ${ctx.clock.now()}
          where id = ${flowId} and tenant_id = ${tenantId} and browser_hash = ${hashToken(browserToken)}
            and status = 'REDEEMED' and session_opened_at is null
          returning *
        )
        select i.external_user_id as "externalUserId", known.id as "identityId", spent.proven_at as "authenticatedAt",
          spent.amr, spent.second_factor_at as "secondFactorAt"
        from spent
        join invitation i on i.id = spent.invitation_id
        join identity known on known.tenant_id = spent.tenant_id and known.identity_provider_id = spent.proof_provider_id
          and known.issuer = spent.proof_issuer and known.subject = spent.proof_subject
          and known.external_user_id = i.external_user_id`.execute(tx.db);
      const [accepted] = rows;
      if (!accepted) return null;
      const device = deviceLabel(userAgent);
      return this.#sessions.open(tx, { ...accepted, tenantId, device, replaces: sessionToken });
    });
  }
}

interface AcceptedFlow {
  externalUserId: string;
  identityId: string;
  authenticatedAt: Date;
  amr: string[];
  secondFactorAt: Date | null;
}
