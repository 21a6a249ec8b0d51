/** Bulk invites that are checked before anything is written, cancelled, or made of the rows another one refused. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261121BulkRuns extends Migration {
  override name = '20261121-bulk-runs';

  override up(): void {
    this.addSql(statements);
  }
}

const statements = `
alter table bulk_invite
  add column checked_rows int not null default 0,
  add column checked_mails int not null default 0,
  add column rows_from_id text collate "C",
  add column rows_from_place int not null default 0;

-- The sweepers look for batches that nobody works on.
create index bulk_invite_unfinished on bulk_invite (created_at) where status in ('RECEIVING', 'QUEUED', 'RUNNING');

alter table bulk_invite_row add column is_unreadable boolean not null default false;

-- Three refused rows of a million are found at once; rows that were invited are found by their invitations. An index of every
-- outcome was written again with each row.
drop index bulk_invite_row_outcome;
create index bulk_invite_row_rejected on bulk_invite_row (bulk_invite_id, row_number) where outcome = 'REJECTED';
`;
