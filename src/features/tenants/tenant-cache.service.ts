/**
 * Tenants as the hot path needs them: read once per process and forgotten when a doorbell says that one has changed. While
 * the doorbell is out of reach nothing is remembered. Whether the actor reaches the tenant is asked anew each time.
 */
import { sql } from 'kysely';
import type { Listener } from '../../database/listener.js';
import type { Row } from '../../database/table.js';
import type { Tx } from '../../database/transaction.js';
import { rowById } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { Tenant } from './tenant.entity.js';

const TENANT_CHANNEL = 'vestibule_tenant';
const MAX_TENANTS = 1000;

/** Rings when the transaction commits. */
export async function ringTenantChanged(tx: Tx, tenantId: string): Promise<void> {
  await sql`select pg_notify(${TENANT_CHANNEL}, ${tenantId})`.execute(tx.db);
}

export class TenantCache {
  readonly #listener: Listener;
  readonly #tenants = new Map<string, Row<Tenant>>();
  /** Rings so far: what was read before the last one is not kept. */
  #rings = 0;

  /** Before `listener.start()`, because channels are fixed by then. */
  constructor(listener: Listener) {
    this.#listener = listener;
    listener.on(TENANT_CHANNEL, (tenantId) => this.forget(tenantId));
  }

  /** Null when there is none of this id within the actor's reach. */
  async get(ctx: RequestContext, tenantId: string): Promise<Row<Tenant> | null> {
    const reached = ctx.scope === null || ctx.scope === tenantId;
    const known = reached && this.#listener.connected ? this.#tenants.get(tenantId) : undefined;
    return known ?? this.#read(ctx, tenantId);
  }

  async #read(ctx: RequestContext, tenantId: string): Promise<Row<Tenant> | null> {
    const rings = this.#rings;
    const tenant = await rowById(ctx, Tenant, tenantId);
    if (tenant && rings === this.#rings && this.#listener.connected) this.#remember(tenant);
    return tenant;
  }

  #remember(tenant: Row<Tenant>): void {
    if (this.#tenants.size >= MAX_TENANTS) this.#tenants.clear();
    this.#tenants.set(tenant.id, tenant);
  }

  /** After a change of ours: whoever changed a tenant sees it at once, the doorbell is for the other processes. '' forgets all. */
  forget(tenantId: string): void {
    this.#rings++;
    if (tenantId === '') this.#tenants.clear();
    else this.#tenants.delete(tenantId);
  }
}
