/** Reads of bulk invites and their rows: plain rows. Numbers of a batch's invitations are `invitation-statistics.queries.ts`. */
import { sql } from 'kysely';
import type { Row } from '../../database/table.js';
import { type ListSource, newestFirst } from '../../request/connection.js';
import type { RequestContext } from '../../request/request-context.js';
import { BulkInvite } from './bulk-invite.entity.js';
import { BulkInviteRow, type BulkInviteRowOutcome } from './bulk-invite-row.entity.js';

export function bulkInvitesOfTenant(ctx: RequestContext): ListSource {
  return {
    name: 'bulk invites',
    columns: ctx.tables.columns(BulkInvite, 'b'),
    from: sql`from bulk_invite b where b.tenant_id = parent.id`,
    id: sql`b.id`,
    order: newestFirst(sql`b.created_at`),
  };
}

/** In the order of the file; null: of any outcome. */
export function rowsOfBulkInvite(ctx: RequestContext, outcome: BulkInviteRowOutcome | null): ListSource {
  return {
    name: `rows of a bulk invite ${outcome}`,
    columns: ctx.tables.columns(BulkInviteRow, 'r'),
    from: sql`from bulk_invite_row r
      where r.bulk_invite_id = parent.id ${outcome ? sql`and r.outcome = ${outcome}` : sql``}`,
    id: sql`r.row_number::text`,
    order: { name: 'ROW', by: sql`r.row_number`, direction: 'ASC', type: 'int' },
  };
}

export type BulkInviteRecord = Row<BulkInvite>;
export type BulkInviteRowRecord = Row<BulkInviteRow>;
