/** Users who were deleted: out at once, restorable for 30 days, then gone with what hangs on them. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261123DeletedUsers extends Migration {
  override name = '20261123-deleted-users';

  override up(): void {
    this.addSql(statements);
  }
}

const statements = `
alter table external_user add column deleted_at timestamptz(3), add check (deleted_at is null or not account_enabled);
-- The sweeper walks all tenants.
create index external_user_deleted on external_user (deleted_at) where deleted_at is not null;
`;
