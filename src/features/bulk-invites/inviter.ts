/**
 * In whose name the job invites: the key or operator that asked for the batch, with the rights they have now. Rights may have gone between
 * the asking and the chunk, so they are read again for each.
 */
import { sql } from 'kysely';
import type { Tx } from '../../database/transaction.js';
import type { Actor, Permission } from '../../kernel/actor.js';
import { findOperatorRights } from '../operators/operator-rights.queries.js';
import type { BulkInviteRecord } from './bulk-invites.queries.js';

type Asking = Pick<BulkInviteRecord, 'tenantId' | 'createdByKind' | 'createdById' | 'createdByName'>;

/** Null when the key was revoked or may not invite. One that merely expired counts: the batch was asked for in time. */
export async function findInviter(tx: Tx, asking: Asking): Promise<Actor | null> {
  const permissions =
    asking.createdByKind === 'OPERATOR'
      ? (await findOperatorRights(tx.db, asking.tenantId, asking.createdById ?? ''))?.permissions
      : await permissionsOfKey(tx, asking);
  if (!permissions?.has('INVITATION_WRITE')) return null;
  return {
    kind: asking.createdByKind,
    id: asking.createdById,
    displayName: asking.createdByName,
    tenantId: asking.tenantId,
    permissions,
    expiresAt: null,
  };
}

async function permissionsOfKey(tx: Tx, asking: Asking): Promise<Set<Permission>> {
  const { rows } = await sql<{ permissions: Permission[] }>`
    select permissions from api_key
    where id = ${asking.createdById} and revoked_at is null and (tenant_id is null or tenant_id = ${asking.tenantId})`.execute(
    tx.db,
  );
  return new Set(rows[0]?.permissions);
}
