/**
 * The cookie that a flow belongs to. Two parts: one stays with the browser, so that forms shown earlier still fit; the
 * other is replaced when rights change, so that who knew the cookie before holds nothing. One cookie serves many flows.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { randomToken } from '../kernel/secrets.js';

const cookiePattern = /^[\w-]{43}\.[\w-]{43}$/;

export class BrowserCookie {
  readonly #name: string;
  readonly #secure: boolean;

  constructor(publicUrl: URL) {
    this.#secure = publicUrl.protocol === 'https:';
    // The prefix keeps sibling hosts from planting one; browsers grant it to https only.
    this.#name = this.#secure ? '__Host-vestibule' : 'vestibule';
  }

  read(request: FastifyRequest): string | null {
    const value = request.cookies[this.#name];
    return value && cookiePattern.test(value) ? value : null;
  }

  write(reply: FastifyReply, token: string): void {
    reply.setCookie(this.#name, token, { path: '/', httpOnly: true, sameSite: 'lax', secure: this.#secure });
  }
}

export function newBrowserToken(): string {
  return `${randomToken()}.${randomToken()}`;
}

export function renewedBrowserToken(token: string): string {
  return `${lastingPart(token)}.${randomToken()}`;
}

/** What forms are bound to. */
export function lastingPart(token: string): string {
  return token.slice(0, token.indexOf('.'));
}
