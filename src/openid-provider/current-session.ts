/** The gateway's session of the request under way, noted by `request-frame.ts` in the library's own request state. */
import { type KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { GuestSession } from './guest-sessions.js';

interface FrameState {
  guestSession?: GuestSession | null;
}

export function noteSession(ctx: { state: FrameState }, session: GuestSession | null): void {
  ctx.state.guestSession = session;
}

export function sessionOfRequest(ctx: KoaContextWithOIDC): GuestSession | null {
  return (ctx.state as FrameState).guestSession ?? null;
}

/** Null outside of a request to the library. */
export function currentSession(): GuestSession | null {
  const ctx = Provider.ctx;
  return ctx ? sessionOfRequest(ctx) : null;
}
