/**
 * Sockets and their credentials: who is let in, how many, and for how long. A socket lives as long as its credential: it closes
 * when the key expires, is revoked or loses rights.
 */
import { CloseCode } from 'graphql-ws';
import type { Actor } from '../../kernel/actor.js';
import type { Ground } from '../../request/request-context.js';

export interface CredentialSource {
  authenticate(authorization: string | undefined): Promise<Actor | null>;
  current(actor: Actor): Promise<Actor | null>;
}

export interface ClosableSocket {
  close(code: number, reason: string): void;
  once(event: 'close', listener: () => void): void;
}

interface OpenSocket {
  actor: Actor;
  socket: ClosableSocket;
}

/** Registered with IANA for RFC 6455: clients come back later, and find another process or room in this one. */
const TRY_AGAIN_LATER = 1013;
/** Longest delay setTimeout takes; a key that ends later is checked again then. */
const MAX_TIMER_MILLISECONDS = 2_147_483_647;

export class OpenSockets {
  readonly #ground: Ground;
  readonly #credentials: CredentialSource;
  readonly #maxPerCredential: number;
  readonly #open = new Set<OpenSocket>();
  /** By the credential's id. */
  readonly #counts = new Map<string | null, number>();

  constructor(ground: Ground, credentials: CredentialSource, maxPerCredential: number) {
    this.#ground = ground;
    this.#credentials = credentials;
    this.#maxPerCredential = maxPerCredential;
  }

  get size(): number {
    return this.#open.size;
  }

  /** @returns who connects; null when it may not, or has gone meanwhile */
  async admit(socket: ClosableSocket, authorization: unknown): Promise<Actor | null> {
    const closed = new AbortController();
    socket.once('close', () => closed.abort());
    const actor = typeof authorization === 'string' ? await this.#credentials.authenticate(authorization) : null;
    if (!actor || closed.signal.aborted) return null;
    if (this.#countOf(actor) >= this.#maxPerCredential) {
      socket.close(TRY_AGAIN_LATER, 'Too many sockets of this credential');
      return null;
    }
    const open = { actor, socket };
    this.#add(open);
    const stopTimer = this.#closeAtExpiry(open);
    closed.signal.addEventListener('abort', () => {
      stopTimer();
      this.#remove(open);
    });
    // The credential may have ended after it was read and before its socket was known here.
    void this.#recheck(open);
    return actor;
  }

  recheckAll(): void {
    for (const open of this.#open) void this.#recheck(open);
  }

  #countOf({ id }: Actor): number {
    return this.#counts.get(id) ?? 0;
  }

  #add(open: OpenSocket): void {
    this.#open.add(open);
    this.#counts.set(open.actor.id, this.#countOf(open.actor) + 1);
  }

  #remove(open: OpenSocket): void {
    this.#open.delete(open);
    const left = this.#countOf(open.actor) - 1;
    if (left > 0) this.#counts.set(open.actor.id, left);
    else this.#counts.delete(open.actor.id);
  }

  #closeAtExpiry(open: OpenSocket): () => void {
    const { expiresAt } = open.actor;
    if (!expiresAt) return () => undefined;
    const left = () => expiresAt.getTime() - this.#ground.clock.now().getTime();
    let timer: NodeJS.Timeout;
    const check = () => {
      if (left() <= 0) return endCredential(open);
      timer = setTimeout(check, Math.min(left(), MAX_TIMER_MILLISECONDS));
    };
    timer = setTimeout(check, Math.min(Math.max(left(), 0), MAX_TIMER_MILLISECONDS));
    return () => clearTimeout(timer);
  }

  /** Rights only ever shrink or stay on an open socket: a changed key means a new connection. */
  async #recheck(open: OpenSocket): Promise<void> {
    try {
      const now = await this.#credentials.current(open.actor);
      const same =
        now &&
        now.tenantId === open.actor.tenantId &&
        [...open.actor.permissions].every((permission) => now.permissions.has(permission));
      if (!same) endCredential(open);
    } catch (error) {
      this.#ground.log.warn(
        { error: (error as Error).message },
        'a credential could not be checked again; its socket is closed',
      );
      endCredential(open);
    }
  }
}

/** Clients do not come back by themselves with a credential that was refused. */
function endCredential({ socket }: OpenSocket): void {
  socket.close(CloseCode.Forbidden, 'The credential has ended');
}
