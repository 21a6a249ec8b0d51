/**
 * oidc-provider's storage for providers that live as long as their process: one map per provider, nothing expires before
 * the process does (the library checks expiry itself). Clients are read from a list that may grow.
 */
import type { Adapter, AdapterPayload, ClientMetadata } from 'oidc-provider';

export class MemoryAdapter implements Adapter {
  readonly #model: string;
  readonly #storage: Map<string, AdapterPayload>;
  readonly #clients: readonly ClientMetadata[];

  constructor(model: string, storage: Map<string, AdapterPayload>, clients: readonly ClientMetadata[]) {
    this.#model = model;
    this.#storage = storage;
    this.#clients = clients;
  }

  async upsert(id: string, payload: AdapterPayload): Promise<void> {
    this.#storage.set(this.#key(id), payload);
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    if (this.#model === 'Client') return this.#clients.find((client) => client.client_id === id);
    return this.#storage.get(this.#key(id));
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#findBy((payload) => payload.uid === uid);
  }

  async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return this.#findBy((payload) => payload.userCode === userCode);
  }

  /** Seconds since the epoch mark a code as used; using it again revokes what it gave. */
  async consume(id: string): Promise<void> {
    const payload = this.#storage.get(this.#key(id));
    if (payload) payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id: string): Promise<void> {
    this.#storage.delete(this.#key(id));
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    for (const [key, payload] of this.#storage) if (payload.grantId === grantId) this.#storage.delete(key);
  }

  #key(id: string): string {
    return `${this.#model}:${id}`;
  }

  #findBy(matches: (payload: AdapterPayload) => boolean): AdapterPayload | undefined {
    const prefix = this.#key('');
    return [...this.#storage].find(([key, payload]) => key.startsWith(prefix) && matches(payload))?.[1];
  }
}
