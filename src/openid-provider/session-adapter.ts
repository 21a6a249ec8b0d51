/**
 * The library's sessions: not ones of its own, but the gateway's, with what was given to which app beside it. Who is signed
 * in, since when and how is read from the gateway's session each time, so ending that ends everything bound to it, and
 * signing in at the gateway is signing in here. Only a visitor who is not signed in gets a session of the library's own,
 * which never has an account: it carries form tokens.
 */
import { isDeepStrictEqual } from 'node:util';
import { sql } from 'kysely';
import type { Adapter, AdapterPayload } from 'oidc-provider';
import { hashToken } from '../kernel/secrets.js';
import type { GuestSession, GuestSessions } from './guest-sessions.js';
import { PayloadAdapter, type TenantContext } from './payload-adapter.js';

const PREFIX = 'gateway.';

type Authorizations = NonNullable<AdapterPayload['authorizations']>;

/** What the library takes for the id of its session. */
export function sessionIdOf({ id }: Pick<GuestSession, 'id'>): string {
  return PREFIX + id;
}

export function sessionUidOf({ id }: Pick<GuestSession, 'id'>): string {
  return hashToken(`oidc session/${id}`).toString('base64url');
}

export class SessionAdapter implements Adapter {
  readonly #tenantId: string;
  readonly #context: TenantContext;
  readonly #sessions: GuestSessions;
  readonly #stored: PayloadAdapter;
  /** The gateway's session of the request under way. */
  readonly #current: () => GuestSession | null;
  /** What a request found, until it stores. */
  readonly #found = new WeakMap<GuestSession, AdapterPayload>();

  constructor(
    tenantId: string,
    context: TenantContext,
    { sessions, current }: { sessions: GuestSessions; current: () => GuestSession | null },
  ) {
    this.#tenantId = tenantId;
    this.#context = context;
    this.#sessions = sessions;
    this.#current = current;
    this.#stored = new PayloadAdapter('Session', tenantId, context);
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    const current = this.#current();
    if (!current) return withoutAccount(await this.#stored.find(id));
    if (id !== sessionIdOf(current)) return undefined;
    const stored = await this.#stored.find(id);
    this.#found.set(current, structuredClone(stored ?? {}));
    return sessionPayload(current, stored);
  }

  /** Asked for tokens that live no longer than the session. */
  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    const stored = await this.#stored.findByUid(uid);
    if (!stored?.jti?.startsWith(PREFIX)) return withoutAccount(stored);
    const id = stored.jti.slice(PREFIX.length);
    const session = await this.#sessions.findById(this.#context(), this.#tenantId, id);
    return session ? sessionPayload(session, stored) : undefined;
  }

  /** The library renames its sessions; the gateway's keeps its name, because its own token is what is renewed. */
  async upsert(id: string, payload: AdapterPayload, expiresIn?: number): Promise<void> {
    const current = this.#current();
    if (!current) return this.#stored.upsert(id, payload, expiresIn);
    const found = this.#found.get(current) ?? {};
    const isSame = (key: 'authorizations' | 'state') => isDeepStrictEqual(found[key], payload[key]);
    if (found.jti !== undefined && isSame('authorizations') && isSame('state')) return;
    await this.#store(current, payload, found);
    this.#found.set(current, structuredClone({ ...payload, jti: sessionIdOf(current) }));
  }

  /** Signing out ends the gateway's session, and with it what stands beside it (`access-end.ts`); renaming ends nothing. */
  async destroy(id: string): Promise<void> {
    if (!id.startsWith(PREFIX)) await this.#stored.destroy(id);
  }

  async findByUserCode(): Promise<undefined> {}
  async consume(): Promise<void> {}
  async revokeByGrantId(): Promise<void> {}

  /** Guests open several apps at once: what each request changed is added to what the others did meanwhile. */
  async #store(current: GuestSession, payload: AdapterPayload, found: AdapterPayload): Promise<void> {
    const id = sessionIdOf(current);
    await this.#context().transaction(this.#tenantId, async (tx) => {
      await sql`select pg_advisory_xact_lock(hashtextextended(${id}, 0))`.execute(tx.db);
      const stored = await this.#stored.findIn(tx.db, id);
      const authorizations = mergeAuthorizations(stored?.authorizations, found.authorizations, payload.authorizations);
      await this.#stored.upsertIn(tx.db, id, { ...payload, authorizations });
    });
  }
}

/** Of each app: as this request has it where it changed it, else as it is stored by now. */
function mergeAuthorizations(stored: Authorizations = {}, found: Authorizations = {}, wanted: Authorizations = {}) {
  const apps = new Set([...Object.keys(stored), ...Object.keys(wanted)]);
  const merged = [...apps].map((appId) => {
    const isChanged = !isDeepStrictEqual(found[appId], wanted[appId]);
    return [appId, isChanged ? wanted[appId] : stored[appId]] as const;
  });
  return Object.fromEntries(merged.flatMap(([appId, given]) => (given ? [[appId, given]] : [])));
}

function sessionPayload(session: GuestSession, stored: AdapterPayload | undefined): AdapterPayload {
  const now = Math.floor(Date.now() / 1000);
  return {
    iat: now,
    ...stored,
    exp: now + DAY_SECONDS,
    kind: 'Session',
    jti: sessionIdOf(session),
    uid: sessionUidOf(session),
    accountId: session.externalUserId,
    loginTs: Math.floor(session.authenticatedAt.getTime() / 1000),
    amr: session.amr,
  };
}

/** The library checks a lifetime; the gateway's session has its own, shorter one. */
const DAY_SECONDS = 24 * 60 * 60;

/** Never the session of somebody who is not signed in any more. */
function withoutAccount(stored: AdapterPayload | undefined): AdapterPayload | undefined {
  return stored?.accountId || stored?.jti?.startsWith(PREFIX) ? undefined : stored;
}
