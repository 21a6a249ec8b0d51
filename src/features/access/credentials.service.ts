/**
 * Who presents a key. Answers come from a cache of this process, which the access doorbell empties at once; while the
 * doorbell is out of reach nothing is remembered. Expiry is compared at every call. What a key may do is decided by
 * whoever asks; making and revoking keys is `api-keys.service.ts`.
 */
import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import type { Actor, Permission } from '../../kernel/actor.js';
import { later, MINUTE } from '../../kernel/clock.js';
import { hashToken } from '../../kernel/secrets.js';
import type { Ground } from '../../request/request-context.js';
import { ACCESS_CHANNEL } from './access-channel.service.js';
import { CredentialCache } from './credential-cache.js';

/** How exact `lastUsedAt` is: a key in steady use costs one write a minute. */
const LAST_USED_MILLISECONDS = MINUTE;

export type CredentialsGround = Pick<Ground, 'orm' | 'clock' | 'log' | 'listener'>;

export class Credentials {
  readonly #ground: CredentialsGround;
  readonly #db: Db;
  readonly #cache: CredentialCache;
  readonly #changeListeners = new Set<() => void>();
  /** When this process last noted the use of a key, by its id. */
  readonly #noted = new Map<string, Date>();
  readonly #writes = new Set<Promise<void>>();

  /** Before `listener.start()`, because channels are fixed by then. */
  constructor(ground: CredentialsGround) {
    this.#ground = ground;
    this.#db = ground.orm.em.getConnection().getClient() as Db;
    this.#cache = new CredentialCache(ground.clock);
    ground.listener.on(ACCESS_CHANNEL, () => this.#changed());
  }

  /** @param authorization the header, or the same text from a socket's connection_init; null when it proves nothing. */
  async authenticate(authorization: string | undefined): Promise<Actor | null> {
    const secret = bearerToken(authorization);
    if (!secret) return null;
    const hash = hashToken(secret);
    const actor = await this.#find(hash.toString('hex'), sql`secret_hash = ${hash}`);
    if (actor?.id) this.#noteUse(actor.id);
    return actor;
  }

  /** The actor as of now, or null when the credential has ended: for sockets, which outlive a request. */
  async current(actor: Actor): Promise<Actor | null> {
    return actor.id === null ? null : this.#find(actor.id, sql`id = ${actor.id}`);
  }

  /** Called whenever rights may have changed. @returns what ends it */
  onChange(listener: () => void): () => void {
    this.#changeListeners.add(listener);
    return () => this.#changeListeners.delete(listener);
  }

  /** Waits for the last notes of use. */
  async stop(): Promise<void> {
    await Promise.all(this.#writes);
  }

  async #find(cacheKey: string, condition: RawBuilder<unknown>): Promise<Actor | null> {
    if (!this.#ground.listener.connected) this.#cache.clear();
    const actor = await this.#cache.get(cacheKey, () => readActor(this.#db, condition));
    return actor?.expiresAt && actor.expiresAt <= this.#ground.clock.now() ? null : actor;
  }

  #changed(): void {
    this.#cache.clear();
    for (const listener of this.#changeListeners) listener();
  }

  /** Nobody waits for it, and a failure costs nothing but the note. */
  #noteUse(id: string): void {
    const now = this.#ground.clock.now();
    const noted = this.#noted.get(id);
    if (noted && noted > later(now, -LAST_USED_MILLISECONDS)) return;
    this.#noted.set(id, now);
    const write = writeLastUsed(this.#db, id, now)
      .catch((error: Error) =>
        this.#ground.log.warn({ apiKeyId: id, error: error.message }, 'the use of a key was not noted'),
      )
      .finally(() => this.#writes.delete(write));
    this.#writes.add(write);
  }
}

/** RFC 6750 section 2.1, but any characters: a configured key has the shape its operator gave it. */
function bearerToken(authorization: string | undefined): string | null {
  const match = /^Bearer (.+)$/i.exec(authorization ?? '');
  return match?.[1]?.trim() || null;
}

interface KeyRow {
  id: string;
  tenant_id: string | null;
  name: string;
  permissions: Permission[];
  expires_at: Date | null;
}

async function readActor(db: Db, condition: RawBuilder<unknown>): Promise<Actor | null> {
  const { rows } = await sql<KeyRow>`
    select id, tenant_id, name, permissions, expires_at from api_key where ${condition} and revoked_at is null`.execute(
    db,
  );
  const key = rows[0];
  if (!key) return null;
  return {
    kind: 'API_KEY',
    id: key.id,
    displayName: key.name,
    tenantId: key.tenant_id,
    permissions: new Set(key.permissions),
    expiresAt: key.expires_at,
  };
}

/** Other processes note the same key: the condition keeps it at one write a minute over all of them. */
async function writeLastUsed(db: Db, id: string, now: Date): Promise<void> {
  await sql`
    update api_key set last_used_at = ${now}
    where id = ${id} and (last_used_at is null or last_used_at <= ${later(now, -LAST_USED_MILLISECONDS)})`.execute(db);
}
