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
import { expireInvitations } from './expire.service.js';
import type { Invitation } from './invitation.entity.js';
import type { MailLimits, MailsWanted, MailVerdict } from './mail-limits.service.js';
import { type InvitingTenant, type ToInvite, writeChunk, writeInvitations } from './write-invitations.js';

export type { InvitingTenant, ToInvite } from './write-invitations.js';

export type InviteOutcome =
  /** `leftOut`: who gets no copy, because they were sent too many mails. */
  | { invited: true; invitation: Row<Invitation>; leftOut: string[] }
  | { invited: false; error: UserErrorEntry; existingInvitationId: string | null; externalUserId: string | null };

interface Obstacle {
  emailKey: string;
  /** Null: nobody yet, but the owner of the address wants no invitations of this tenant. */
  externalUserId: string | null;
  accepted: boolean;
  enabled: boolean;
  unsubscribed: boolean;
  pendingId: string | null;
  pendingExpiresAt: Date | null;
}

const nothing = { existingInvitationId: null, externalUserId: null };

/** What stands in the way of each address, after what has run out was expired: the first writes of the transaction. */
export async function clearTheWay(
  ctx: RequestContext,
  tx: Tx,
  tenantId: string,
  rows: readonly ToInvite[],
): Promise<Obstacles> {
  const obstacles = await findObstacles(tx.db, tenantId, keysOf(rows));
  const now = ctx.clock.now();
  await expireInvitations(tx, now, expiredAmong(obstacles, now));
  return obstacles;
}

/** Nothing was looked at: the statement refuses what is in the way, but does not say what it was. */
export const NOT_LOOKED_AT: Obstacles = new Map();

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
  const { outcomes, admitted } = await admit(ctx, scope, limits, rows, obstacles);
  const written = await writeInvitations(
    ctx,
    scope,
    tenant,
    admitted.map(({ row }) => row),
  );
  for (const { row, leftOut } of admitted) {
    const invitation = written.get(row.invitationId);
    outcomes.set(row.invitationId, invitation ? { invited: true, invitation, leftOut } : lostRace());
  }
  return outcomes;
}

/** What became of a row of a batch, or would. */
export interface Verdict {
  refusal: UserErrorEntry | null;
  /** Who gets no copy. */
  leftOut: string[];
  /** How many mails go. */
  mails: number;
}

/** `inviteAll` for a chunk of a file, whose invitations nobody reads. */
export async function inviteChunk(
  ctx: RequestContext,
  scope: Scope,
  tenant: InvitingTenant,
  limits: MailLimits,
  rows: readonly ToInvite[],
  obstacles: Obstacles,
): Promise<Map<string, Verdict>> {
  const admission = await admit(ctx, scope, limits, rows, obstacles);
  const admitted = admission.admitted.map(({ row }) => row);
  const written = await writeChunk(ctx, scope, tenant, admitted);
  const verdicts = verdictsOf(admission);
  for (const { invitationId } of admitted) {
    if (!written.has(invitationId)) verdicts.set(invitationId, refusedFor(alreadyInvited()));
  }
  return verdicts;
}

/**
 * What `clearTheWay` and `inviteChunk` would say now, by invitation id. Nothing is written.
 * @param mailsBefore mails foreseen already for the same batch: they count against the quota.
 */
export async function foreseeChunk(
  ctx: RequestContext,
  scope: Scope,
  tenantId: string,
  limits: MailLimits,
  rows: readonly ToInvite[],
  mailsBefore: number,
): Promise<Map<string, Verdict>> {
  const obstacles = await findObstacles(scope.db, tenantId, keysOf(rows));
  return verdictsOf(await admit(ctx, scope, limits, rows, obstacles, mailsBefore));
}

function verdictsOf({ outcomes, admitted }: Admission): Map<string, Verdict> {
  const verdicts = new Map<string, Verdict>();
  for (const [id, outcome] of outcomes) {
    if (!outcome.invited) verdicts.set(id, refusedFor(outcome.error));
  }
  for (const { row, leftOut } of admitted) {
    const { sendMail, cc } = row.invitation;
    verdicts.set(row.invitationId, { refusal: null, leftOut, mails: sendMail ? 1 + cc.length : 0 });
  }
  return verdicts;
}

function refusedFor(refusal: UserErrorEntry): Verdict {
  return { refusal, leftOut: [], mails: 0 };
}

interface Admission {
  /** Of those that were refused. */
  outcomes: Map<string, InviteOutcome>;
  admitted: { row: ToInvite; leftOut: string[] }[];
}

/** Reads only. */
async function admit(
  ctx: RequestContext,
  scope: Scope,
  limits: MailLimits,
  rows: readonly ToInvite[],
  obstacles: Obstacles,
  mailsBefore = 0,
): Promise<Admission> {
  const now = ctx.clock.now();
  const outcomes = new Map<string, InviteOutcome>();
  const unhindered = rows.filter((row) => {
    const refusal = refusalBy(obstacles.get(row.invitation.email.key), now);
    if (refusal) outcomes.set(row.invitationId, refusal);
    return !refusal;
  });
  const wanted = unhindered.filter((row) => row.invitation.sendMail).map(mailsOf);
  const verdicts = await limits.check(ctx, scope, wanted, mailsBefore);
  const admitted = unhindered.flatMap((row) => {
    const verdict = verdicts.get(row.invitationId) ?? NOTHING_TO_SEND;
    if (verdict.refusal) outcomes.set(row.invitationId, refused({ ...verdict.refusal, field: ['email'] }));
    return verdict.refusal ? [] : [withoutCopies(row, verdict.withoutCopies)];
  });
  return { outcomes, admitted };
}

const NOTHING_TO_SEND: MailVerdict = { refusal: null, withoutCopies: new Set() };

function mailsOf({ invitationId: id, invitation: { email, cc } }: ToInvite): MailsWanted {
  return { id, addressKey: email.key, copyKeys: cc.map((copy) => copy.key) };
}

function withoutCopies(row: ToInvite, keys: ReadonlySet<string>): { row: ToInvite; leftOut: string[] } {
  if (keys.size === 0) return { row, leftOut: [] };
  const { cc } = row.invitation;
  const invitation = { ...row.invitation, cc: cc.filter((copy) => !keys.has(copy.key)) };
  return { row: { ...row, invitation }, leftOut: cc.filter((copy) => keys.has(copy.key)).map((copy) => copy.address) };
}

/** By address key. */
export type Obstacles = ReadonlyMap<string, Obstacle>;

/** Who already stands for these addresses: users, invitations still open, and who wants no more of them. */
async function findObstacles(db: Db, tenantId: string, keys: readonly string[]): Promise<Obstacles> {
  const { rows: found } = await sql<Obstacle>`
    with unsubscribed as materialized (
      select email_key from unsubscribed_recipient where tenant_id = ${tenantId} and email_key = any(${keys})
    ),
    known as materialized (
      select u.email_key as "emailKey", u.id as "externalUserId", u.state = 'ACCEPTED' as accepted, u.account_enabled as enabled,
        u.email_key in (select email_key from unsubscribed) as unsubscribed, p.id as "pendingId", p.expires_at as "pendingExpiresAt"
      from external_user u
      left join invitation p on p.tenant_id = u.tenant_id and p.email_key = u.email_key and p.status = 'PENDING'
      where u.tenant_id = ${tenantId} and u.email_key = any(${keys})
    )
    select * from known
    union all
    select email_key, null, false, true, true, null, null from unsubscribed
    where email_key not in (select "emailKey" from known)`.execute(db);
  return new Map(found.map((obstacle) => [obstacle.emailKey, obstacle]));
}

function keysOf(rows: readonly ToInvite[]): string[] {
  return rows.map((row) => row.invitation.email.key);
}

export interface StandsForAddress {
  /** Null: no user; the person asked not to be invited. */
  externalUserId: string | null;
  /** Open; null: there is none. */
  invitationId: string | null;
  /** Why the address is not invited anew; null: it may be. */
  refusal: UserErrorCode | null;
}

/** Who stands for an address already; null: nobody. */
export async function whoStandsFor(
  ctx: RequestContext,
  tenantId: string,
  emailKey: string,
): Promise<StandsForAddress | null> {
  const obstacle = (await findObstacles(ctx.db, tenantId, [emailKey])).get(emailKey);
  if (!obstacle) return null;
  const now = ctx.clock.now();
  const { externalUserId, pendingId, pendingExpiresAt } = obstacle;
  const isOpen = pendingExpiresAt !== null && pendingExpiresAt > now;
  return { externalUserId, invitationId: isOpen ? pendingId : null, refusal: codeOf(obstacle, now) };
}

/** Open invitations among them that have run out: they must be expired before new ones can be made. */
function expiredAmong(obstacles: Obstacles, now: Date): string[] {
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

function codeOf({ enabled, accepted, unsubscribed, pendingExpiresAt }: Obstacle, now: Date): UserErrorCode | null {
  if (!enabled) return 'ACCOUNT_DISABLED';
  if (accepted) return 'ALREADY_MEMBER';
  if (unsubscribed) return 'RECIPIENT_UNSUBSCRIBED';
  return pendingExpiresAt && pendingExpiresAt > now ? 'ALREADY_INVITED' : null;
}

function refused(
  error: UserErrorEntry,
  inTheWay: { existingInvitationId: string | null; externalUserId: string | null } = nothing,
): InviteOutcome {
  return { invited: false, error, ...inTheWay };
}

/** Another transaction invited the same address between our look and our insert. */
function lostRace(): InviteOutcome {
  return refused(alreadyInvited());
}

function alreadyInvited(): UserErrorEntry {
  return userErrorEntry('ALREADY_INVITED', { field: ['email'] });
}
