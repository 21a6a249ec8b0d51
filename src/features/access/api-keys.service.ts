/**
 * Use cases of API keys: make one, end one. A key never makes a stronger one. Who a presented key is, is
 * `credentials.service.ts`; what the key invited belongs to invitations, which is asked through a port.
 */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import {
  type Actor,
  type Permission,
  permissions,
  platformPermissions,
  requirePermission,
} from '../../kernel/actor.js';
import { refuse } from '../../kernel/errors.js';
import { isIdOf } from '../../kernel/ids.js';
import { reachTenant, rowById } from '../../request/lookup.js';
import type { RequestContext } from '../../request/request-context.js';
import { Validation } from '../../request/validation.js';
import { ringAccessChanged } from './access-channel.service.js';
import { ApiKey } from './api-key.entity.js';
import { newApiKeySecret, storeApiKey } from './store-api-key.js';

export interface ApiKeyRequest {
  tenantId?: string | null;
  name: string;
  permissions: Permission[];
  expiresAt?: Date | null;
}

export interface ApiKeyRevocation {
  apiKeyId: string;
  revokePending: boolean;
}

/** Revokes what the key invited and nobody has accepted yet, in the same transaction. */
export type RevokePendingInvitations = (ctx: RequestContext, tx: Tx, apiKeyId: string) => Promise<void>;

export class ApiKeysService {
  readonly #revokePendingInvitations: RevokePendingInvitations;

  constructor(revokePendingInvitations: RevokePendingInvitations) {
    this.#revokePendingInvitations = revokePendingInvitations;
  }

  async create(ctx: RequestContext, input: ApiKeyRequest): Promise<{ id: string; secret: string }> {
    const tenantId = await reachScope(ctx, input.tenantId ?? null);
    const valid = new Validation();
    const key = {
      tenantId,
      name: valid.name(input.name, 'name'),
      permissions: checkPermissions(valid, ctx.actor, tenantId, input.permissions),
      expiresAt: input.expiresAt ?? null,
    };
    checkExpiry(valid, ctx, key.expiresAt);
    valid.done();
    const secret = newApiKeySecret();
    const id = await ctx.transaction(tenantId, (tx) => storeApiKey(tx, key, secret, ctx.clock.now()));
    return { id, secret };
  }

  /** A revoked key stays revoked since the first time. */
  async revoke(ctx: RequestContext, input: ApiKeyRevocation): Promise<string> {
    if (input.revokePending) requirePermission(ctx.actor, 'INVITATION_WRITE');
    const key = isIdOf('ApiKey', input.apiKeyId) ? await rowById(ctx, ApiKey, input.apiKeyId) : null;
    if (!key) throw refuse('NOT_FOUND', { field: ['apiKeyId'] });
    await ctx.transaction(key.tenantId, async (tx) => {
      // Invitations are locked before any other write, so that their events stand in the order they happened.
      if (input.revokePending) await this.#revokePendingInvitations(ctx, tx, key.id);
      await sql`update api_key set revoked_at = ${ctx.clock.now()} where id = ${key.id} and revoked_at is null`.execute(
        tx.db,
      );
      await ringAccessChanged(tx);
    });
    return key.id;
  }
}

async function reachScope(ctx: RequestContext, tenantId: string | null): Promise<string | null> {
  if (tenantId !== null) return reachTenant(ctx, tenantId);
  if (ctx.scope === null) return null;
  throw refuse('INVALID', {
    field: ['tenantId'],
    message: 'A key of one tenant makes keys of that tenant only. Give its id.',
  });
}

/** Nor a longer one: a key handed out for a day would otherwise make itself a successor for ever. */
function checkExpiry(valid: Validation, { actor, clock }: RequestContext, expiresAt: Date | null): void {
  const field = ['expiresAt'];
  if (expiresAt && expiresAt <= clock.now()) valid.add('INVALID', field, 'Give a time in the future.');
  if (actor.expiresAt && (!expiresAt || expiresAt > actor.expiresAt))
    valid.add(
      'INVALID',
      field,
      `The calling key ends at ${actor.expiresAt.toISOString()}. Give a time not after that.`,
    );
}

function checkPermissions(
  valid: Validation,
  maker: Actor,
  tenantId: string | null,
  wanted: Permission[],
): Permission[] {
  const field = ['permissions'];
  const lacking = wanted.filter((permission) => !maker.permissions.has(permission));
  const platform = tenantId === null ? [] : wanted.filter((permission) => platformPermissions.includes(permission));
  if (wanted.length === 0) valid.add('REQUIRED', field, 'Give at least one permission.');
  if (lacking.length > 0)
    valid.add('INVALID', field, `The calling key lacks ${lacking.join(', ')} and cannot pass it on.`);
  if (platform.length > 0) valid.add('INVALID', field, `Only a key for all tenants can have ${platform.join(', ')}.`);
  return permissions.filter((permission) => wanted.includes(permission));
}
