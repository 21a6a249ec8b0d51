/** Logos of apps as fetched once, like those of tenants. */
import { Migration } from '@mikro-orm/migrations';

export class Migration20261127AppLogos extends Migration {
  override name = '20261127-app-logos';

  override up(): void {
    this.addSql(statements);
  }
}

const statements = `
create table app_logo (
  app_id text collate "C" not null,
  tenant_id text collate "C" not null,
  source_url text not null,
  content_type text not null,
  image bytea not null,
  hash text collate "C" not null,
  fetched_at timestamptz(3) not null,
  primary key (app_id),
  foreign key (tenant_id, app_id) references app (tenant_id, id) on delete cascade
);
`;
