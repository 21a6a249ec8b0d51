/** The gateway's own sessions as the OpenID Provider sees them: the only truth about who is signed in. */
import { fastifyCookie } from '@fastify/cookie';
import { sql } from 'kysely';
import { sessionCookieName } from '../features/sign-in/session-cookie.rules.js';
import type { LiveSession, SessionsService } from '../features/sign-in/sessions.service.js';
import type { RequestContext } from '../request/request-context.js';

export type GuestSession = LiveSession;

export class GuestSessions {
  readonly #sessions: SessionsService;
  readonly #publicUrl: URL;

  constructor(sessions: SessionsService, publicUrl: URL) {
    this.#sessions = sessions;
    this.#publicUrl = publicUrl;
  }

  /** Of the tenant's cookie among those of a request; null unless the session is live. */
  async findByCookie(ctx: RequestContext, tenantId: string, header: string | undefined): Promise<GuestSession | null> {
    const token = fastifyCookie.parse(header ?? '')[sessionCookieName(this.#publicUrl, tenantId)];
    return token ? this.#sessions.find(ctx, tenantId, token) : null;
  }

  /** Null unless the session is live. */
  async findById(ctx: RequestContext, tenantId: string, id: string): Promise<GuestSession | null> {
    const { rows } = await sql<GuestSession>`
      select s.id, s.tenant_id as "tenantId", s.external_user_id as "externalUserId", s.identity_id as "identityId",
        s.authenticated_at as "authenticatedAt", s.amr, s.second_factor_at as "secondFactorAt"
      from guest_session s join external_user u on u.id = s.external_user_id and u.account_enabled
      where s.id = ${id} and s.tenant_id = ${tenantId} and ${this.#sessions.isLive(ctx.clock.now())}`.execute(ctx.db);
    return rows[0] ?? null;
  }

  /** The guest signed out at an app. */
  signOut(ctx: RequestContext, id: string): Promise<void> {
    return this.#sessions.end(ctx, id, 'SIGNED_OUT');
  }
}
