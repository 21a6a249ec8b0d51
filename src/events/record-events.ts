/**
 * Writing facts: in the transaction of what they tell of, one statement for any number, one doorbell. The invitation is
 * locked or written by the caller first, so that facts of one invitation stand in the order they happened.
 */
import { sql } from 'kysely';
import type { Tx } from '../database/transaction.js';
import type { Actor } from '../kernel/actor.js';
import type { UserErrorCode } from '../kernel/errors.js';
import type { RedemptionEventType } from './catalogue.js';

export const FEED_CHANNEL = 'vestibule_feed';

export interface NewEvent {
  type: RedemptionEventType;
  at: Date;
  actor: Pick<Actor, 'kind' | 'displayName'>;
  invitationId: string;
  reason?: UserErrorCode;
  /** Our own sentence; never a provider's or a guest's text. */
  detail?: string;
}

/** In this order. User, batch and apps of each event are taken from its invitation. */
export async function recordEvents(tx: Tx, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map(({ actor, at, ...event }) => ({
    ...event,
    at: at.toISOString(),
    actorKind: actor.kind,
    actorName: actor.displayName,
  }));
  await sql`
    with told as (
      insert into event (tenant_id, type, at, actor_kind, actor_name, reason, detail, invitation_id, external_user_id, bulk_invite_id, app_ids)
      select i.tenant_id, fact.type, fact.at, fact."actorKind", fact."actorName", fact.reason, fact.detail,
        i.id, i.external_user_id, i.bulk_invite_id, ${appIdsOf(sql`i.id`, sql`i.landing_app_id`)}
      from rows from (
        jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
          as (type text, at timestamptz, "actorKind" text, "actorName" text, reason text, detail text, "invitationId" text)
      ) with ordinality as fact (type, at, "actorKind", "actorName", reason, detail, "invitationId", position)
      join invitation i on i.id = fact."invitationId"
      order by fact.position
    )
    select pg_notify(${FEED_CHANNEL}, '')`.execute(tx.db);
}

/** The apps an invitation is about: those it grants, and where the guest lands. */
export function appIdsOf(
  invitationId: ReturnType<typeof sql>,
  landingAppId: ReturnType<typeof sql>,
): ReturnType<typeof sql> {
  return sql`array(
    select distinct app_id from (
      select g.app_id from invitation_grant g where g.invitation_id = ${invitationId} and g.app_id is not null
      union all select ${landingAppId} where ${landingAppId} is not null
    ) apps)`;
}
