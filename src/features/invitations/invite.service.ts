/**
 * Inviting, for one address or for a chunk of a file, by the same set-based statements: expire what is in the way, explain
 * what stays in the way, then write everything at once (`write-invitations.ts`). The database holds the rule that one address
 * has one pending invitation; rows missing from the answer are the ones it refused.
 */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import type { Db, Scope, Tx } from '../../database/transaction.js';
import { type UserErrorCode, type UserErrorEntry, userErrorEntry } from '../../kernel/errors.js';
import type { RequestContext } from '../../request/request-context.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { expireInvitations } from './expire.service.js';
import type { Invitation } from './invitation.entity.js';
import type { MailLimits, MailsRefused } from './mail-limits.service.js';
import { type InvitingTenant, recipientKeys, type ToInvite, writeInvitations } from './write-invitations.js';

export type { InvitingTenant, ToInvite } from './write-invitations.js';

export type InviteOutcome =
  | { invited: true; invitation: Row<Invitation> }
  | { invited: false; error: UserErrorEntry; existingInvitationId: string | null; externalUserId: string | null };

interface Obstacle {
  emailKey: string;
  externalUserId: string;
  accepted: boolean;
  enabled: boolean;
  pendingId: string | null;
  pendingExpiresAt: Date | null;
}

const COPIES_LIMITED = 'Somebody who is to get a copy was sent too many mails. Wait, or invite without that copy.';
const nothing = { existingInvitationId: null, externalUserId: null };

/** What stands in the way of each address, after what has run out was expired: the first writes of the transaction. */
export async function clearTheWay(
  ctx: RequestContext,
  tx: Tx,
  tenantId: string,
  rows: readonly ToInvite[],
): Promise<Obstacles> {
  const obstacles = await findObstacles(tx.db, tenantId, rows);
  const now = ctx.clock.now();
  await expireInvitations(tx, now, expiredAmong(obstacles, now));
  return obstacles;
}

/**
 * Its only write is one statement, so that it needs no transaction of its own when nothing else is to be written.
 * Addresses are distinct within one call. Outcomes by invitation id.
 */
export async function inviteAll(
  ctx: RequestContext,
  scope: Scope,
  tenant: InvitingTenant,
  limits: MailLimits,
  rows: readonly ToInvite[],
  obstacles: Obstacles,
): Promise<Map<string, InviteOutcome>> {
  const outcomes = new Map<string, InviteOutcome>();
  const refuseSome = (candidates: readonly ToInvite[], refusalOf: (row: ToInvite) => InviteOutcome | null) =>
    candidates.filter((row) => {
      const refusal = refusalOf(row);
      if (refusal) outcomes.set(row.invitationId, refusal);
      return !refusal;
    });
  const unhindered = refuseSome(rows, (row) => refusalBy(obstacles.get(row.invitation.email.key), ctx.clock.now()));
  const mails = unhindered.map(({ invitationId: id, invitation }) => ({ id, addressKeys: recipientKeys(invitation) }));
  const limited = await limits.check(ctx, scope, mails);
  const free = refuseSome(unhindered, (row) => refusalByLimit(row, limited.get(row.invitationId)));
  const written = await writeInvitations(ctx, scope, tenant, free);
  for (const { invitationId } of free) {
    const invitation = written.get(invitationId);
    outcomes.set(invitationId, invitation ? { invited: true, invitation } : lostRace());
  }
  return outcomes;
}

/** By address key. */
export type Obstacles = ReadonlyMap<string, Obstacle>;

const obstacleColumns = sql`
  u.email_key as "emailKey", u.id as "externalUserId", u.state = 'ACCEPTED' as accepted, u.account_enabled as enabled,
  p.id as "pendingId", p.expires_at as "pendingExpiresAt"`;

const openInvitation = sql`
  left join invitation p on p.tenant_id = u.tenant_id and p.email_key = u.email_key and p.status = 'PENDING'`;

/** Who already stands for these addresses: users, and invitations still open. */
async function findObstacles(db: Db, tenantId: string, rows: readonly ToInvite[]): Promise<Obstacles> {
  const keys = rows.map((row) => row.invitation.email.key);
  const { rows: found } = await sql<Obstacle>`
    select ${obstacleColumns} from external_user u ${openInvitation}
    where u.tenant_id = ${tenantId} and u.email_key = any(${keys})`.execute(db);
  return new Map(found.map((obstacle) => [obstacle.emailKey, obstacle]));
}

/** The same for one address, together with its tenant: one round trip. Null: the actor reaches no such tenant. */
export async function findTenantAndObstacles(
  ctx: RequestContext,
  tenantId: string,
  emailKey: string | null,
): Promise<{ tenant: Row<Tenant>; obstacles: Obstacles } | null> {
  const { rows } = await sql<Row<Tenant> & Nullable<Obstacle>>`
    select ${ctx.tables.columns(Tenant, 't')}, ${obstacleColumns}
    from tenant t left join external_user u on u.tenant_id = t.id and u.email_key = ${emailKey} ${openInvitation}
    where t.id = ${tenantId} and (${ctx.scope}::text is null or t.id = ${ctx.scope})`.execute(ctx.db);
  const [found] = rows;
  if (!found) return null;
  return { tenant: found, obstacles: new Map(isObstacle(found) ? [[found.emailKey, found]] : []) };
}

type Nullable<T> = { [K in keyof T]: T[K] | null };

function isObstacle(row: Nullable<Obstacle>): row is Obstacle {
  return row.emailKey !== null;
}

/** Open invitations among them that have run out: they must be expired before new ones can be made. */
export function expiredAmong(obstacles: Obstacles, now: Date): string[] {
  return [...obstacles.values()].flatMap(({ pendingId, pendingExpiresAt }) =>
    pendingId && pendingExpiresAt && pendingExpiresAt <= now ? [pendingId] : [],
  );
}

function refusalBy(obstacle: Obstacle | undefined, now: Date): InviteOutcome | null {
  const code = obstacle && codeOf(obstacle, now);
  if (!code) return null;
  const { pendingId: existingInvitationId, externalUserId } = obstacle;
  return refused(userErrorEntry(code, { field: ['email'] }), { existingInvitationId, externalUserId });
}

function codeOf({ enabled, accepted, pendingExpiresAt }: Obstacle, now: Date): UserErrorCode | null {
  if (!enabled) return 'ACCOUNT_DISABLED';
  if (accepted) return 'ALREADY_MEMBER';
  return pendingExpiresAt && pendingExpiresAt > now ? 'ALREADY_INVITED' : null;
}

function refusalByLimit({ invitation }: ToInvite, limit: MailsRefused | undefined): InviteOutcome | null {
  if (!limit) return null;
  const isCopy = limit.addressKey !== null && limit.addressKey !== invitation.email.key;
  return refused(isCopy ? { ...limit.error, message: COPIES_LIMITED } : { ...limit.error, field: ['email'] });
}

function refused(
  error: UserErrorEntry,
  inTheWay: { existingInvitationId: string | null; externalUserId: string | null } = nothing,
): InviteOutcome {
  return { invited: false, error, ...inTheWay };
}

/** Another transaction invited the same address between our look and our insert. */
function lostRace(): InviteOutcome {
  return refused(userErrorEntry('ALREADY_INVITED', { field: ['email'] }));
}
