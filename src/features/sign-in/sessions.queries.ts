/** Lists of sessions: plain rows. */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import { type ListSource, newestFirst } from '../../request/connection.js';
import type { RequestContext } from '../../request/request-context.js';
import { GuestSession } from './session.entity.js';
import type { SessionsService } from './sessions.service.js';

export type SessionRow = Row<GuestSession>;

export interface SessionSelection {
  /** Also those that are over. */
  includeEnded: boolean;
}

export function sessionsOfExternalUser(
  ctx: RequestContext,
  sessions: SessionsService,
  { includeEnded }: SessionSelection,
): ListSource {
  const live = includeEnded ? sql`true` : sessions.isLive(ctx.clock.now());
  return {
    name: `sessions ${includeEnded}`,
    columns: ctx.tables.columns(GuestSession, 's'),
    from: sql`from guest_session s where s.external_user_id = parent.id and ${live}`,
    id: sql`s.id`,
    order: newestFirst(sql`s.created_at`),
  };
}
