/** When a guest last opened which app, for the page of their apps. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261125AppUse extends Migration {
  override name = '20261125-app-use';

  override up(): void {
    this.addSql(statements);
  }
}

const statements = `
create table app_use (
  app_id text collate "C" not null,
  external_user_id text collate "C" not null,
  tenant_id text collate "C" not null,
  last_used_at timestamptz(3) not null,
  primary key (app_id, external_user_id),
  foreign key (tenant_id, app_id) references app (tenant_id, id) on delete cascade,
  foreign key (tenant_id, external_user_id) references external_user (tenant_id, id) on delete cascade
);
create index app_use_user on app_use (external_user_id);
`;
