/**
 * Whom an operator may invite who is a guest of a partner: people of that partner, unless it is trusted further. API keys, apps
 * and guests of no partner invite whom the tenant welcomes. Asked when inviting, and again when the invitation is accepted.
 */
import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../database/transaction.js';
import type { Actor } from '../../kernel/actor.js';
import { domainOf } from '../../kernel/email-address.js';
import { refuse, type UserErrorEntry, userErrorEntry } from '../../kernel/errors.js';
import { partnerOf } from './partners.queries.js';

/** Those of the domains that the actor invites nobody of. */
export async function findDomainsOutOfReach(
  db: Db,
  actor: Pick<Actor, 'kind' | 'id'>,
  tenantId: string,
  domains: readonly string[],
): Promise<Set<string>> {
  if (actor.kind !== 'OPERATOR' || domains.length === 0) return new Set();
  const { rows } = await sql<{ domain: string }>`
    with asked as (select distinct domain from unnest(${domains}::text[]) as domain)
    select domain from asked
    where ${isOutOfReach(sql`${actor.id}`, sql`${tenantId}`, sql`'@' || asked.domain`)}`.execute(db);
  return new Set(rows.map((row) => row.domain));
}

/** @throws UserError INVITER_NOT_AUTHORIZED at `field` */
export async function requireReachOf(
  db: Db,
  actor: Actor,
  { tenantId, emailKey, field = 'email' }: { tenantId: string; emailKey: string; field?: string },
): Promise<void> {
  const outOfReach = await findDomainsOutOfReach(db, actor, tenantId, [domainOf(emailKey)]);
  if (outOfReach.size > 0) throw refuse('INVITER_NOT_AUTHORIZED', { field: [field], message: ONLY_THEIR_OWN });
}

export function addressOutOfReach(): UserErrorEntry {
  return userErrorEntry('INVITER_NOT_AUTHORIZED', { field: ['email'], message: ONLY_THEIR_OWN });
}

const ONLY_THEIR_OWN =
  'You may invite addresses of your own organisation only. Ask an administrator of the tenant to invite this one.';

/** As a condition. `inviterId` may also be of an app, or null: nothing is out of their reach. */
export function isOutOfReach(
  inviterId: RawBuilder<unknown>,
  tenantId: RawBuilder<unknown>,
  emailKey: RawBuilder<unknown>,
): RawBuilder<boolean> {
  return sql<boolean>`exists (
    select from external_user inviter join partner own on own.id = ${partnerOf(sql`inviter.tenant_id`, sql`inviter.email_key`)}
    where inviter.tenant_id = ${tenantId} and inviter.id = ${inviterId} and not own.invites_anybody
      and own.id is distinct from ${partnerOf(tenantId, emailKey)}
  )`;
}
