/** People and tools as operators: their roles in a tenant, and which apps may ask for the API in their name. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261125Operators extends Migration {
  override name = '20261125-operators';

  override up(): void {
    this.addSql(statements);
  }
}

const statements = `
alter table app add column api_access boolean not null default false;

create table role_assignment (
  id text collate "C" not null,
  tenant_id text collate "C" not null,
  role text collate "C" not null,
  external_user_id text collate "C",
  group_id text collate "C",
  app_id text collate "C",
  created_at timestamptz(3) not null,
  primary key (id),
  foreign key (tenant_id, external_user_id) references external_user (tenant_id, id) on delete cascade,
  foreign key (tenant_id, group_id) references user_group (tenant_id, id) on delete cascade,
  foreign key (tenant_id, app_id) references app (tenant_id, id) on delete cascade,
  check (num_nonnulls(external_user_id, group_id, app_id) = 1),
  check (role in ('TENANT_ADMIN', 'GUEST_INVITER', 'HELPDESK', 'READER')),
  unique nulls not distinct (tenant_id, external_user_id, group_id, app_id, role)
);
create index role_assignment_created on role_assignment (tenant_id, created_at, id);
create index role_assignment_user on role_assignment (external_user_id) where external_user_id is not null;
create index role_assignment_group on role_assignment (group_id) where group_id is not null;
create index role_assignment_app on role_assignment (app_id) where app_id is not null;
`;
