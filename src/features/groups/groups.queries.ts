/** Reads of groups and their members: plain rows. Members are real ones; what invitations promise is not among them. */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import { type ListSource, newestFirst } from '../../request/connection.js';
import type { RequestContext } from '../../request/request-context.js';
import { ExternalUser } from '../external-users/external-user.entity.js';
import { Group } from './group.entity.js';

export type GroupRow = Row<Group>;

export function groupsOfTenant(ctx: RequestContext): ListSource {
  return {
    name: 'groups',
    columns: ctx.tables.columns(Group, 'g'),
    from: sql`from user_group g where g.tenant_id = parent.id`,
    id: sql`g.id`,
    order: newestFirst(sql`g.created_at`),
  };
}

/** Newest member first. */
export function membersOfGroup(ctx: RequestContext): ListSource {
  return {
    name: 'group members',
    columns: ctx.tables.columns(ExternalUser, 'u'),
    from: sql`from group_member m join external_user u on u.id = m.external_user_id where m.group_id = parent.id`,
    id: sql`m.external_user_id`,
    order: newestFirst(sql`m.created_at`),
  };
}

/** Joined last comes first. */
export function groupsOfExternalUser(ctx: RequestContext): ListSource {
  return {
    name: 'groups of an external user',
    columns: ctx.tables.columns(Group, 'g'),
    from: sql`from group_member m join user_group g on g.id = m.group_id where m.external_user_id = parent.id`,
    id: sql`m.group_id`,
    order: newestFirst(sql`m.created_at`),
  };
}
