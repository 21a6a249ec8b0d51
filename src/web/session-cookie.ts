/** The cookie of a guest who is signed in to a tenant. It lasts as long as the browser runs; what counts is the session. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sessionCookieName } from '../features/sign-in/session-cookie.rules.js';

const tokenPattern = /^[\w-]{43}$/;

export class SessionCookie {
  readonly #publicUrl: URL;

  constructor(publicUrl: URL) {
    this.#publicUrl = publicUrl;
  }

  read(request: FastifyRequest, tenantId: string): string | null {
    const value = request.cookies[sessionCookieName(this.#publicUrl, tenantId)];
    return value && tokenPattern.test(value) ? value : null;
  }

  write(reply: FastifyReply, tenantId: string, token: string): void {
    reply.setCookie(sessionCookieName(this.#publicUrl, tenantId), token, this.#attributes());
  }

  clear(reply: FastifyReply, tenantId: string): void {
    reply.clearCookie(sessionCookieName(this.#publicUrl, tenantId), this.#attributes());
  }

  #attributes() {
    return { path: '/', httpOnly: true, sameSite: 'lax', secure: this.#publicUrl.protocol === 'https:' } as const;
  }
}
