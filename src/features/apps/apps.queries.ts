/** Reads of apps and assignments: plain rows. Assignments are real ones; what invitations promise is not among them. */
import { type RawBuilder, sql } from 'kysely';
import type { Row } from '../../database/table.js';
import { type ListSource, newestFirst } from '../../request/connection.js';
import type { RequestContext } from '../../request/request-context.js';
import { App } from './app.entity.js';
import { AppAssignment } from './app-assignment.entity.js';

export type AppRow = Row<App>;
export type AppAssignmentRow = Row<AppAssignment>;

export function appsOfTenant(ctx: RequestContext): ListSource {
  return {
    name: 'apps',
    columns: ctx.tables.columns(App, 'a'),
    from: sql`from app a where a.tenant_id = parent.id`,
    id: sql`a.id`,
    order: newestFirst(sql`a.created_at`),
  };
}

export function assignmentsOfApp(ctx: RequestContext): ListSource {
  return assignments(ctx, 'assignments of an app', sql`s.app_id = parent.id`);
}

/** The user's own; those of the user's groups are the groups'. */
export function assignmentsOfExternalUser(ctx: RequestContext): ListSource {
  return assignments(ctx, 'assignments of an external user', sql`s.external_user_id = parent.id`);
}

function assignments(ctx: RequestContext, name: string, belongs: RawBuilder<unknown>): ListSource {
  return {
    name,
    columns: ctx.tables.columns(AppAssignment, 's'),
    from: sql`from app_assignment s where ${belongs}`,
    id: sql`s.id`,
    order: newestFirst(sql`s.created_at`),
  };
}
