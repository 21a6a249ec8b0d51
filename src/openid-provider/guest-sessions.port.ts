/** What the OpenID Provider needs of the gateway's own sessions, which are the only truth about who is signed in. */
import type { RequestContext } from '../request/request-context.js';

export interface GuestSession {
  id: string;
  tenantId: string;
  externalUserId: string;
  identityId: string | null;
  authenticatedAt: Date;
  amr: string[];
  secondFactorAt: Date | null;
}

export interface GuestSessions {
  /** Of the tenant's cookie among those of a request; null unless the session is live. */
  findByCookie(ctx: RequestContext, tenantId: string, cookieHeader: string | undefined): Promise<GuestSession | null>;
  /** Null unless the session is live. */
  findById(ctx: RequestContext, tenantId: string, id: string): Promise<GuestSession | null>;
  /** The guest signed out at an app. */
  signOut(ctx: RequestContext, tenantId: string, id: string): Promise<void>;
}
